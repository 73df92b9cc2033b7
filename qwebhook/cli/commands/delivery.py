"""`qwebhook delivery`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from qwebhook.cli.results import Single
from qwebhook.cli.selection import WebhookArgument
from qwebhook.cli.session import session_of

if TYPE_CHECKING:
    from qwebhook.model.delivery import Attempt, Delivery

EXAMPLES = """
qwebhook delivery reports 0193600b-1d2e-7abc-8000-00000000002a
qwebhook delivery reports $(qwebhook deliveries reports --status fail --limit 1 -q) -o json
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def delivery(
    ctx: typer.Context,
    webhook: WebhookArgument,
    delivery_id: Annotated[str, typer.Argument(metavar="ID", help="The delivery's id.")],
) -> Single:
    """Show a delivery with its request, response and attempts.

    The values of encrypted headers read **OMITTED**.
    """
    from qwebhook.cli.views import DELIVERIES

    session = session_of(ctx)
    store = session.open_store()
    webhook_id = store.find_webhook(webhook).id
    found = store.get_delivery(webhook_id, delivery_id)
    # A tenant makes one attempt, and tells no more of it than the delivery has.
    tells_attempts = not session.is_remote or session.open_server().is_qwebhook
    attempts = store.list_attempts(webhook_id, delivery_id) if tells_attempts else []
    return Single(
        found,
        DELIVERIES,
        extra={"attempts": attempts},
        blocks=_blocks(found, attempts),
        in_blocks=("request", "response"),
    )


def _blocks(delivery: Delivery, attempts: list[Attempt]) -> list[tuple[str, str]]:
    """What a person reads below the fields: the attempts, and request and response as they went over the wire."""
    blocks = [("Attempts", "\n".join(_line(attempt) for attempt in attempts))] if attempts else []
    request = delivery.request
    blocks.append(("Request", "\n".join([f"POST {request.url}", *_message(request.headers, request.body)])))
    response = delivery.response
    if response is not None:
        blocks.append(("Response", "\n".join([str(response.status_code), *_message(response.headers, response.body)])))
    return blocks


def _line(attempt: Attempt) -> str:
    return f"{attempt.number}  {attempt.started_at}  {attempt.outcome}  {attempt.duration:.0f} ms  {attempt.reason}"


def _message(headers: dict[str, str], body: str) -> Iterator[str]:
    yield from (f"{name}: {value}" for name, value in headers.items())
    yield ""
    yield body
