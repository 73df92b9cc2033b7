"""`qwebhook store`."""

from __future__ import annotations

import typer

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.results import Single, View
from qwebhook.cli.session import session_of

CHECK_EXAMPLES = """
qwebhook store check
qwebhook store check --store /var/lib/qwebhook/qwebhook.db -o json
"""

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def store() -> None:
    """Care for a store."""


@app.command("check", epilog=CHECK_EXAMPLES)
def check(ctx: typer.Context) -> Single:
    """Look for what is wrong in a store, and say how much is in it.

    The file's soundness, what must fit together in it, and whether the key opens every secret. It only reads, and a
    server may run meanwhile. Exit code 1 if there are problems; each says what to do.
    """
    session = session_of(ctx)
    opened = session.open_database()
    found = opened.check()
    count = len(found.problems)
    if count:
        session.error(f"the store {opened.path} has {'a problem' if count == 1 else f'{count} problems'}")
    return Single(
        {"store": str(opened.path), "figures": found.figures, "problems": found.problems},
        View(columns=(), identifier=lambda _: "", fields=["store", "figures", "problems"]),
        blocks=[("Problems", "\n".join(found.problems) or "none")],
        in_blocks=["problems"],
        exit_code=ExitCode.FAILED if count else ExitCode.DONE,
    )
