"""The exit codes, which scripts rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. A QwebhookError carries its own number, one of these."""

    DONE = 0
    """The command did what it was asked."""
    FAILED = 1
    """Something failed that is none of the below; `verify`: the signature does not hold."""
    USAGE = 2
    """The command line, a file given to it or a field in that file cannot be used."""
    DIFFERS = 3
    """What is there differs from what is wanted (`diff`, `apply --dry-run`)."""
    NOT_AUTHORISED = 4
    """Credentials are missing, wrong or not enough."""
    NOT_FOUND = 5
    """There is no such webhook, delivery, context or event type."""
    UNAVAILABLE = 6
    """The store or server cannot be reached, or another process holds it."""
    DELIVERY_FAILED = 7
    """A delivery failed (`test-fire`, `resend`, `replay --wait`), or a receiver does not consent to any."""
    INTERRUPTED = 130
    """Ctrl-C, or an answer that ended the command."""
