"""`qwebhook preview`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import typer

from qwebhook.cli.event_names import EventNames, NamesFromOption
from qwebhook.cli.results import Single, View
from qwebhook.cli.selection import WebhookArgument
from qwebhook.cli.session import session_of
from qwebhook.cli.trial_events import DataOption, SetOption, TrialEvents, TypeOption

if TYPE_CHECKING:
    from qwebhook.cli.previewing import Preview

EXAMPLES = """
qwebhook preview reports
qwebhook preview reports --event com.qlik.v1.app.reload.finished --set data.status=error
qwebhook preview reports --data event.json -o json
qwebhook preview announcements --set userid=64f1c2a9d3b7e8015a6c4f20 --names-from prod
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def preview(
    ctx: typer.Context,
    webhook: WebhookArgument,
    event: TypeOption = None,
    data: DataOption = None,
    settings: SetOption = None,
    names_from: NamesFromOption = None,
) -> Single:
    """Show what would be sent to a webhook, without sending it.

    The request line, the headers with both signatures, and the body, laid out for reading: signed is what is sent,
    to the byte. The values of encrypted headers read **OMITTED**. It tells if the webhook would not get such an
    event, because of its filter for instance.
    """
    from qwebhook.cli import previewing

    session = session_of(ctx)
    names = EventNames(session, names_from)
    events = TrialEvents(session, event, data, settings or ())
    found = session.open_store().find_webhook(webhook)
    if session.is_remote:
        from qwebhook.cli.remote_endpoints import previewed_endpoint

        endpoint = previewed_endpoint(session, found)
    else:
        endpoint = session.open_database().endpoint(found.id)
    events.tell_unknown_type()
    made = events.event(endpoint)
    with closing(names):
        shown = previewing.preview(endpoint, made, session.now_ms, test=False, names=names)
    for reason in previewing.held_back(endpoint, made):
        session.note(f"{endpoint.webhook.name} would not get a real event like this: {reason}")
    view = View(columns=(), identifier=lambda preview: str(preview.webhook_id), fields=shown.__struct_encode_fields__)
    return Single(shown, view, summary=_as_text(shown))


def _as_text(shown: Preview) -> str:
    """The request as it is read by a person."""
    import msgspec

    from qwebhook.cli.printable import printable

    if isinstance(shown.body, str):
        body = shown.body.replace("\r\n", "\n")
        if shown.method == "MAIL":  # which begins with its header, shown above
            body = body.partition("\n\n")[2]
    else:
        body = msgspec.json.format(msgspec.json.encode(shown.body), indent=2).decode()
    head = [f"{shown.method} {shown.url}", *(f"{name}: {value}" for name, value in shown.headers.items()), ""]
    return "\n".join(printable(line) for line in [*head, *body.split("\n")])
