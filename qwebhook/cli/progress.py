"""How far a command is, told on the terminal while it works, and gone when it has ended."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from qwebhook.cli.session import Session

if TYPE_CHECKING:
    from rich.progress import Progress


class Meter:
    """A line on stderr; nothing where nobody sees it, or with --quiet. To be used in a `with` block."""

    def __init__(self, session: Session) -> None:
        self._progress = _progress(session) if session.stderr_is_terminal and not session.options.quiet else None

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
            self._task = self._progress.add_task("", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, words: str, done: int = 0, total: int | None = None) -> None:
        """Say what is being done, and how much of it is; total None: nobody knows of how much."""
        if self._progress is not None:
            self._progress.update(self._task, description=words, completed=done, total=total)


def _progress(session: Session) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=session.stderr, no_color=bool(session.environ.get("NO_COLOR")))
    # Without markup, since names of webhooks may hold brackets.
    words = TextColumn("{task.description}", markup=False)
    return Progress(words, BarColumn(), TimeElapsedColumn(), console=console, transient=True)
