"""`qwebhook serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qwebhook.cli.sending import AllowFilesOption
from qwebhook.cli.session import session_of

if TYPE_CHECKING:
    from qwebhook.cli.session import Session
    from qwebhook.server.sources import Source
    from qwebhook.store.rest.directory import TenantDirectory

EXAMPLES = """
qwebhook serve
qwebhook serve --port 9000 --allow-network 10.1.0.0/16
qwebhook serve --host 0.0.0.0 --tls-cert server.pem --tls-key server.key
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="0 takes a free one.")] = 8787,
    allow_network: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-network",
            metavar="NETWORK",
            help="Deliver to these addresses too, beyond the public ones: loopback, private, or a CIDR. "
            "[env: QWEBHOOK_ALLOW_NETWORK]",
        ),
    ] = None,
    allowed_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allowed-origin",
            metavar="HOST|*",
            help="Consent to deliveries from this sender, or any, when it asks (OPTIONS /events); may be repeated.",
        ),
    ] = None,
    allowed_rate: Annotated[
        str, typer.Option("--allowed-rate", metavar="N|*", help="How many deliveries a minute that allows a sender.")
    ] = "*",
    retention: Annotated[str, typer.Option("--retention", metavar="DURATION", help="How long history is kept.")] = "7d",
    drain: Annotated[
        str, typer.Option("--drain", metavar="DURATION", help="After SIGTERM, how long what is in flight may take.")
    ] = "20s",
    tls_cert: Annotated[
        Path | None,
        typer.Option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate chain (PEM).", exists=True),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option("--tls-key", metavar="FILE", help="The certificate's key (PEM).", exists=True),
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy in front ends TLS and sets X-Forwarded-For.")
    ] = False,
    public_url: Annotated[
        str,
        typer.Option(
            "--public-url",
            metavar="URL",
            help="How clients reach the server; links in answers begin with it. Default: as each request says.",
        ),
    ] = "",
    webhook_limit: Annotated[
        int,
        typer.Option("--webhook-limit", min=0, metavar="N", help="Webhooks that one user may make; 0 for any number."),
    ] = 150,
    keep_free: Annotated[
        str,
        typer.Option("--keep-free", metavar="SIZE", help="Accept nothing (503) while the store's disk has less free."),
    ] = "256M",
    max_pending: Annotated[
        int,
        typer.Option("--max-pending", min=1, metavar="N", help="Accept nothing (503) while so many deliveries wait."),
    ] = 5_000_000,
    allow_exec: Annotated[
        bool, typer.Option("--allow-exec", help="Run the commands of exec: webhooks, as the server's user.")
    ] = False,
    allow_files: AllowFilesOption = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="audits:CONTEXT",
            help="Read the audit log of a context's tenant, too: no public address is needed; may be repeated.",
        ),
    ] = None,
    names_from: Annotated[
        str | None,
        typer.Option(
            "--names-from",
            metavar="CONTEXT",
            help="Ask a context's tenant for the names of users, spaces and apps that messages tell of.",
        ),
    ] = None,
    log_format: Annotated[
        Literal["text", "json"] | None,
        typer.Option("--log-format", metavar="text|json", help="Default: text on a terminal, JSON elsewhere."),
    ] = None,
) -> int:
    """Take events in at POST /events, and deliver them.

    Events are on disk before they are answered; deliveries are signed, retried and recorded. Webhooks made or
    changed meanwhile, with the same --store, work at once. SIGTERM or Ctrl-C stops in an orderly way: what is
    pending is taken up at the next start. A second signal leaves at once.
    """
    from qwebhook.cli.inputs import meant
    from qwebhook.cli.target_settings import allowed
    from qwebhook.model.consent import ANY, is_origin, read_rate
    from qwebhook.model.errors import InvalidInput
    from qwebhook.model.sizes import size_bytes
    from qwebhook.model.timestamps import duration_seconds
    from qwebhook.server.lifecycle import ServeOptions, run

    if (tls_cert is None) != (tls_key is None):
        raise InvalidInput("--tls-cert and --tls-key go together", "give both or neither")
    for origin in allowed_origin or ():
        if origin != ANY and not is_origin(origin):
            raise InvalidInput(f"--allowed-origin {origin!r} names no sender", "write HOST alone, or *")
    try:
        rate = read_rate(allowed_rate)
    except ValueError:
        raise InvalidInput(f"--allowed-rate {allowed_rate!r} is no rate", "write a number a minute, or *") from None
    if rate is not None and not allowed_origin:
        raise InvalidInput("--allowed-rate allows nobody anything", "name who may deliver with --allowed-origin")
    session = session_of(ctx)
    return run(
        ServeOptions(
            store=session.store_file(),
            host=host,
            port=port,
            allowed_networks=session.allowed_networks(allow_network or ()),
            allowed_origins=allowed_origin or [],
            allowed_rate=rate,
            retention=meant("--retention", duration_seconds, retention),
            drain=meant("--drain", duration_seconds, drain),
            tls_certificate=tls_cert,
            tls_key=tls_key,
            behind_proxy=behind_proxy,
            public_url=_address(public_url),
            webhook_limit=webhook_limit,
            keep_free=meant("--keep-free", size_bytes, keep_free),
            max_pending=max_pending,
            allowed=allowed(session, commands=allow_exec, folders=allow_files or ()),
            sources=_sources(session, source or []),
            directory=_directory(session, names_from),
            log_format=log_format,
        )
    )


def _sources(session: Session, texts: list[str]) -> list[Source]:
    if not texts:
        return []
    from qwebhook.cli.sources import open_sources

    return open_sources(session, texts)


def _directory(session: Session, name: str | None) -> TenantDirectory | None:
    if name is None:
        return None
    from qwebhook.cli.sources import open_directory

    return open_directory(session, name)


def _address(url: str) -> str:
    """The URL without a slash at its end, or "" for none. Raises InvalidInput."""
    from urllib.parse import urlsplit

    from qwebhook.model.errors import InvalidInput

    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    if url and (not plain or parts.username or parts.query or parts.fragment):
        raise InvalidInput(f"--public-url {url!r} is no address of a server", "write https://HOST, or with a path")
    return url.rstrip("/")
