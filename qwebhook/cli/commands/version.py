"""`qwebhook version`."""

from __future__ import annotations

import typer

from qwebhook import __version__
from qwebhook.cli.results import Text
from qwebhook.cli.session import PROGRAM

app = typer.Typer(add_completion=False)


@app.command(epilog="qwebhook version\nqwebhook version -o json")
def version() -> Text:
    """Print the version.

    With -o json also that of Python and the platform, for a report of a problem.
    """
    return Text(f"{PROGRAM} {__version__}", _details)


def _details() -> dict[str, str]:
    import platform

    return {
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
