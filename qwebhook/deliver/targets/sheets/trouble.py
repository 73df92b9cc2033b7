"""Why a spreadsheet was not written.

NotWritten      it may work later: it is open elsewhere, read-only, damaged
NeverWritten    it will not, unless somebody changes the webhook or the server's options
"""

from __future__ import annotations


class NotWritten(Exception):
    """The spreadsheet could not be written, and is as it was."""


class NeverWritten(Exception):
    """The spreadsheet may not be written."""
