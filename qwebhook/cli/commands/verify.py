"""`qwebhook verify`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.results import Text
from qwebhook.cli.session import session_of
from qwebhook.model.errors import InvalidInput

EXAMPLES = """
qwebhook verify body.json --secret env:SECRET --header "Qlik-Signature: 5f0c…"
qwebhook verify body.json --secret @new.txt --secret @old.txt \\
    --header "webhook-id: msg-1" --header "webhook-timestamp: 1764000000" --header "webhook-signature: v1,…"
"""
_STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def verify(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The body, to the byte; - for stdin.")] = "-",
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="SECRET",
            help="The secret, @FILE, env:NAME, or - for stdin; several are tried in turn.",
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="'NAME: VALUE'", help="A header that came with the body."),
    ] = None,
    tolerance: Annotated[
        str, typer.Option("--tolerance", metavar="DURATION", help="How far the time may be off; 0 for any time.")
    ] = "5m",
) -> Text:
    """Check the signature of a body.

    Exits with 0 if every signature among the headers holds, and with 1 if one does not. A scheme whose headers are
    absent is not checked.
    """
    from qwebhook.cli.inputs import meant, read_bytes, read_value
    from qwebhook.model.signature import verify_qlik, verify_standard
    from qwebhook.model.timestamps import duration_seconds

    session = session_of(ctx)
    if not secret:
        raise InvalidInput("--secret is missing", "give the secret that the body was signed with")
    secrets = [read_value(session, one, "--secret", stdin=True) for one in secret]
    if not all(secrets):
        raise InvalidInput("--secret is empty")
    seconds = meant("--tolerance", duration_seconds, tolerance) or float("inf")
    headers = _headers(header or [])
    verdicts: dict[str, str] = {}
    body = read_bytes(session, file, "FILE")
    if "qlik-signature" in headers:
        holds = verify_qlik(secrets, body, headers["qlik-signature"])
        verdicts["Qlik-Signature"] = "" if holds else "the signature does not fit the body and the secret"
    if "webhook-signature" in headers:
        missing = [name for name in _STANDARD if name not in headers]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise InvalidInput(f"{' and '.join(missing)} {verb} missing", "webhook-signature covers what they say")
        message_id, timestamp, signatures = (headers[name] for name in _STANDARD)
        verdicts["webhook-signature"] = verify_standard(
            secrets, message_id, timestamp, signatures, body, session.clock(), seconds
        )
    if not verdicts:
        raise InvalidInput(
            "there is no signature to check", "give --header 'Qlik-Signature: …' or the webhook-… headers"
        )
    lines = [f"{name}: {reason or 'holds'}" for name, reason in verdicts.items()]
    valid = not any(verdicts.values())
    return Text("\n".join(lines), lambda: _details(valid, verdicts), ExitCode.DONE if valid else ExitCode.FAILED)


def _details(valid: bool, verdicts: dict[str, str]) -> dict[str, Any]:
    return {
        "valid": valid,
        "signatures": [
            {"header": name, "valid": not reason, "reason": reason or None} for name, reason in verdicts.items()
        ],
    }


def _headers(texts: list[str]) -> dict[str, str]:
    """`NAME: VALUE` options by lower-case name."""
    headers: dict[str, str] = {}
    for number, text in enumerate(texts, start=1):
        name, separator, value = text.partition(":")
        if not separator or not name.strip():
            raise InvalidInput(f"--header number {number} is not 'NAME: VALUE'")
        headers[name.strip().lower()] = value.strip()
    return headers
