"""The options of commands that send to webhooks themselves, outside the server: `test-fire` and `resend`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwebhook.cli.inputs import meant
from qwebhook.model.errors import InvalidInput

DEFAULT_TIMEOUT = "15s"
_LONGEST_TIMEOUT = 600

AllowNetworkOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-network",
        metavar="NETWORK",
        help="Addresses beyond the public ones: loopback, private, or a CIDR. [env: QWEBHOOK_ALLOW_NETWORK]",
    ),
]
AllowExecOption = Annotated[
    bool, typer.Option("--allow-exec", help="Run the commands of exec: webhooks, as you, on this machine.")
]
AllowFilesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-files",
        metavar="FOLDER",
        help="Write the files of csv: and xlsx: webhooks beneath this folder; may be repeated.",
    ),
]
# Without a default of typer's, so that it is known whether it was given.
TimeoutOption = Annotated[
    str | None,
    typer.Option("--timeout", metavar="DURATION", help=f"How long an answer may take; {DEFAULT_TIMEOUT} unless given."),
]


def timeout_seconds(text: str | None) -> float:
    """What --timeout says, in seconds; the default for None. Raises InvalidInput."""
    from qwebhook.model.timestamps import duration_seconds

    given = DEFAULT_TIMEOUT if text is None else text
    seconds = meant("--timeout", duration_seconds, given)
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise InvalidInput(f"--timeout {given} is not between 0 and 10 minutes")
    return seconds
