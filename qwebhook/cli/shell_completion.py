"""Completion in shells: the scripts, and the answers to what a script asks while someone types.

The scripts are Typer's. Its answers import rich to strip markup from help texts; ours have none, and someone is
waiting, so the formatting is done here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from typer._click.shell_completion import add_completion_class
from typer._completion_classes import BashComplete, FishComplete, PowerShellComplete, ZshComplete
from typer._completion_shared import get_completion_script

from qwebhook.cli.session import COMPLETE_VARIABLE, PROGRAM

if TYPE_CHECKING:
    from typer._click.shell_completion import CompletionItem

# In a folder of `fpath` the script is loaded by the first completion, as its function; without this, the first
# press of the key would do nothing.
_ZSH_FIRST_TIME = """
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _qwebhook_completion "$@"
fi
"""


def script(shell: str) -> str:
    """The script that a shell reads to complete commands of ours. shell: bash, zsh, fish or powershell."""
    made: str = get_completion_script(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, shell=shell)
    return made.strip() + "\n" + (_ZSH_FIRST_TIME if shell == "zsh" else "")


def register() -> None:
    """Let typer's dispatcher answer in our formats."""
    for answer in (BashComplete, Zsh, Fish, PowerShell):
        add_completion_class(answer, answer.name)


class Zsh(ZshComplete):
    """One item of `_arguments '*: :((…))'`: the value and its description, each evaluated twice by the shell."""

    def format_completion(self, item: CompletionItem) -> str:
        if not item.help:
            return f'"{_zsh_escaped(str(item.value))}"'
        return f'"{_zsh_escaped(str(item.value))}":"{_zsh_escaped(_line(item.help))}"'


class Fish(FishComplete):
    """The value, a tab and its description."""

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.value}\t{_line(item.help)}" if item.help else str(item.value)


class PowerShell(PowerShellComplete):
    """The value, three colons and its description, which may not be empty."""

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.value}:::{_line(item.help) if item.help else ' '}"


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _zsh_escaped(text: str) -> str:
    # A single quote would end the argument of the outer evaluation; a typographic one reads the same.
    text = text.replace("\\", "").replace("'", "’").replace('"', "”")
    for character in "$`":
        text = text.replace(character, "\\" + character)
    return text.replace(":", r"\\:")
