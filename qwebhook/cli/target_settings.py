"""The tables [mail], [sheets] and [notify] of a configuration file: the accounts that targets use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from qwebhook.cli.inputs import read_value
from qwebhook.cli.session import Session
from qwebhook.deliver.targets import Allowed
from qwebhook.model.decoding import misfit
from qwebhook.model.errors import InvalidInput
from qwebhook.model.mail import MailServer, is_address
from qwebhook.model.sheet import GoogleAccount

T = TypeVar("T", bound=msgspec.Struct)


def allowed(session: Session, *, commands: bool = False, folders: Sequence[Path] = ()) -> Allowed:
    """What webhooks may use: as the options and the configuration say. Raises InvalidInput, which shows no value."""
    for folder in folders:
        if not folder.is_dir():
            raise InvalidInput(f"--allow-files {folder} is no folder")
    settings = session.settings
    return Allowed(
        mail=_mail_server(session, *settings.table("mail")),
        commands=commands,
        folders=tuple(folders),
        google=_read(GoogleAccount, "sheets", *settings.table("sheets")),
        services=_services(session, *settings.table("notify")),
    )


def _mail_server(session: Session, table: dict[str, Any], file: Path) -> MailServer | None:
    server = _read(MailServer, "mail", table, file)
    if server is None:
        return None
    if not is_address(server.sender):
        raise InvalidInput(f"{file}: mail.from is no mail address", "write qwebhook@HOST.DOMAIN")
    if server.security == "none" and server.user is not None:
        raise InvalidInput(f"{file}: mail.password would travel in clear", 'leave out security = "none"')
    if server.password is None:
        return server
    return msgspec.structs.replace(server, password=read_value(session, server.password, "mail.password"))


def _services(session: Session, table: dict[str, Any], file: Path) -> dict[str, str]:
    services = {}
    for name, url in table.items():
        if not isinstance(url, str):
            raise InvalidInput(f"{file}: notify.{name} is no text", "write an Apprise URL, @FILE or env:NAME")
        services[name] = read_value(session, url, f"notify.{name}")
    return services


def _read(kind: type[T], name: str, table: dict[str, Any], file: Path) -> T | None:
    if not table:
        return None
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        path, words = misfit(error, kind)
        raise InvalidInput(f"{file}: {name}.{path} {words}") from None
