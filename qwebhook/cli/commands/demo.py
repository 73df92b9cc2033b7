"""`qwebhook demo`."""

from __future__ import annotations

import typer

from qwebhook.cli.session import session_of

EXAMPLES = """
qwebhook demo
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def demo(ctx: typer.Context) -> None:
    """Show the whole product at work, in less than half a minute.

    In a temporary folder of its own it starts a receiver and a server on free ports of this machine, creates
    webhooks, publishes events, shows them arrive with verified signatures and retried, and removes everything. Each
    command is printed as it is run. Your own store is not touched.
    """
    from qwebhook.cli.interruption import sigterm_interrupts
    from qwebhook.demo.story import run

    stdout = session_of(ctx).stdout

    def say(line: str) -> None:
        stdout.write(line + "\n")
        stdout.flush()

    # SIGTERM, too, is to leave no process and no folder behind.
    with sigterm_interrupts():
        run(say)
