"""Warnings about webhooks that can be made, but will probably not do what was wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qwebhook.cli.session import Session
from qwebhook.model.sheet import FILE_SCHEMES


def advice(session: Session, url: str | None, event_types: Sequence[str]) -> list[str]:
    """Warnings of unknown event types, and of a URL that deliveries will be refused to.

    Asked for before anything is made, since it may read the configuration, and told afterwards.
    """
    warnings = [unknown_type(name) for name in event_types]
    # Where the deliveries of a server may go is for that one to say.
    if url is not None and not session.is_remote:
        warnings.append(address_refused(url, session.allowed_networks))
        warnings.append(target_needs(url, session))
    return [warning for warning in warnings if warning]


def target_needs(url: str, session: Session) -> str:
    """What to say of a target that a server delivers to only if it is told to, or how."""
    scheme = url.partition(":")[0].lower()
    if scheme == "exec":
        return "the command is run by a server that is started with --allow-exec, and by no other"
    if scheme in FILE_SCHEMES:
        return "the file is written by a server that is started with --allow-files, and by no other"
    needed = {
        "mailto": ("mail", "no mail is sent", "a server"),
        "gsheet": ("sheets", "no sheet is written", "credentials"),
        "notify": ("notify", "nothing is told", url.partition(":")[2]),
    }.get(scheme)
    if needed is None:
        return ""
    name, nothing, wanted = needed
    table, _ = session.settings.table(name)
    if not table or (scheme == "notify" and wanted not in table):
        return f"{nothing} until {session.settings.user_config} has a table [{name}] with {wanted}"
    return ""


def unknown_type(name: str) -> str:
    """What to say of an event type that the catalogue does not have; "" for one that it has."""
    from qwebhook.model import catalogue

    if catalogue.event_type(name) is not None:
        return ""
    close = closest_type(name)
    meant = f"; did you mean {close}?" if close else ""
    return f"{name} is not in the catalogue of event types{meant}"


def closest_type(name: str) -> str:
    """The known type that looks most like the name, or "" if none does."""
    import difflib

    from qwebhook.model import catalogue

    known = [name for listed in catalogue.event_types() for name in catalogue.names_of(listed.name)]
    # Without the common beginning, which makes all of them look alike.
    # The canonical names come first, and stay.
    by_end: dict[str, str] = {}
    for one in known:
        by_end.setdefault(one.removeprefix("com.qlik.").removeprefix("v1."), one)
    close = difflib.get_close_matches(name.removeprefix("com.qlik.").removeprefix("v1."), by_end, 1, 0.7)
    return by_end[close[0]] if close else ""


def address_refused(url: str, allowed: Callable[[], Sequence[str]]) -> str:
    """What to say of a URL whose host can be seen to be no public address; "" for any other.

    Names are not resolved here: what counts is the address at the time of the delivery. allowed: gives the
    networks that are allowed, if it matters.
    """
    from urllib.parse import urlsplit

    from qwebhook.model.addresses import OPTION, AddressPolicy

    try:
        host = (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""  # refused as a URL, later
    if host == "localhost" or host.endswith(".localhost"):
        literal = "127.0.0.1"
    elif ":" in host or host.replace(".", "").isdigit():
        literal = host
    else:
        return ""
    if not AddressPolicy(allowed()).refusal(literal):
        return ""
    kind = next((name for name in ("loopback", "private") if not AddressPolicy([name]).refusal(literal)), literal)
    return f"deliveries to {host} are refused unless `serve` and `test-fire` get {OPTION} {kind}"
