"""The table [mail] of a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from qwebhook.model.decoding import misfit
from qwebhook.model.errors import InvalidInput
from qwebhook.model.mail import MailServer, is_address


def read_mail_server(table: dict[str, Any], file: Path) -> MailServer:
    """Raises InvalidInput, which shows no value."""
    try:
        server = msgspec.convert(table, MailServer)
    except msgspec.ValidationError as error:
        path, words = misfit(error, MailServer)
        raise InvalidInput(f"{file}: mail.{path} {words}") from None
    if not is_address(server.sender):
        raise InvalidInput(f"{file}: mail.from is no mail address", "write qwebhook@HOST.DOMAIN")
    if server.security == "none" and server.user is not None:
        raise InvalidInput(f"{file}: mail.password would travel in clear", 'leave out security = "none"')
    return server
