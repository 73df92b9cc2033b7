"""`qwebhook completion`."""

from __future__ import annotations

from typing import Annotated

import typer

from qwebhook.cli.results import Text

SHELLS = ("bash", "zsh", "fish", "powershell")
EXAMPLES = """
qwebhook completion bash > ~/.local/share/bash-completion/completions/qwebhook
qwebhook completion zsh > "${fpath[1]}/_qwebhook"
qwebhook completion fish > ~/.config/fish/completions/qwebhook.fish
qwebhook completion powershell >> $PROFILE
"""

app = typer.Typer(add_completion=False)


@app.command(epilog=EXAMPLES)
def completion(
    shell: Annotated[
        str, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.", autocompletion=lambda: list(SHELLS))
    ],
) -> Text:
    """Print the script that completes commands in a shell.

    It completes commands, options, event types, and the names of the webhooks in the store.
    """
    from qwebhook.cli.selection import check_choice
    from qwebhook.cli.shell_completion import script

    check_choice("SHELL", shell, SHELLS)
    made = script(shell)
    return Text(made, lambda: {"shell": shell, "script": made})
