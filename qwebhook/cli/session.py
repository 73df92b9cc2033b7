"""The world as a command sees it. Tests make a Session of their own and run commands in it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from qwebhook.cli.printable import printable
from qwebhook.cli.settings import SYSTEM_CONFIG, Settings, StoreChoice
from qwebhook.model.errors import InvalidInput, QwebhookError, StoreMissing, StoreReadOnly

if TYPE_CHECKING:
    from io import BufferedReader

    from typer._click import Context

    from qwebhook.store.location import Location
    from qwebhook.store.rest import RestStore
    from qwebhook.store.sqlite import SqliteStore

PROGRAM = "qwebhook"
# Set by the scripts of `qwebhook completion` when a shell asks.
COMPLETE_VARIABLE = "_QWEBHOOK_COMPLETE"


class GlobalOptions:
    """What the options that every command takes were set to; the last one given counts."""

    __slots__ = ("context", "no_input", "output", "quiet", "store", "verbose")

    def __init__(self) -> None:
        self.store: str | None = None
        self.context: str | None = None
        self.output: str | None = None
        self.quiet = False
        self.no_input = False
        self.verbose = False


class Session:
    """One run of the program.

    stdin, stdout, stderr: text streams over a `buffer`, from and to which bytes are read and written.
    clock: seconds since the epoch. system_config: the file beneath the user's, None for none.
    """

    def __init__(
        self,
        *,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
        user: str | None = None,
        system_config: Path | None = None if sys.platform == "win32" else SYSTEM_CONFIG,
    ) -> None:
        # Python's own are None where whoever started it closed them (`>&-`).
        self.stdin = stdin or sys.stdin or _closed("r")
        self.stdout = stdout or sys.stdout or _closed("w")
        self.stderr = stderr or sys.stderr or _closed("w")
        self.environ = os.environ if environ is None else environ
        self.clock = clock
        self.random = random
        self.options = GlobalOptions()
        self.settings = Settings(self.environ, system_config)
        self._user = user
        self._database: SqliteStore | None = None
        self._server: RestStore | None = None
        self._choice: StoreChoice | None = None
        self._stdin_taken_by = ""

    # Who and when

    @property
    def user(self) -> str:
        """Who acts on a database store, for `createdByUserId`: `local:` and the operating system's name."""
        if self._user is None:
            import getpass

            try:
                self._user = getpass.getuser()
            except (OSError, KeyError):  # a container's user without an entry in passwd
                self._user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
        return f"local:{self._user}"

    @property
    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.clock() * 1000)

    # Streams

    @property
    def stdin_is_terminal(self) -> bool:
        return _is_terminal(self.stdin)

    @property
    def stdout_is_terminal(self) -> bool:
        return _is_terminal(self.stdout)

    @property
    def stderr_is_terminal(self) -> bool:
        return _is_terminal(self.stderr)

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to answer a question."""
        return self.stdin_is_terminal and self.stderr_is_terminal and not self.options.no_input

    @property
    def colour(self) -> bool:
        """Whether stdout may be coloured (https://no-color.org, and terminals that cannot)."""
        if not self.stdout_is_terminal or self.environ.get("NO_COLOR"):
            return False
        return self.environ.get("TERM") != "dumb"

    def read_stdin(self, purpose: str) -> bytes:
        """All of stdin. purpose: the option that reads it. Raises InvalidInput."""
        return self.take_stdin(purpose).read()

    def take_stdin(self, purpose: str) -> BufferedReader:
        """Stdin, which one option of a run can have. Raises InvalidInput."""
        if self._stdin_taken_by:
            raise InvalidInput(
                f"stdin cannot be both {self._stdin_taken_by} and {purpose}", "give one of them as a file"
            )
        self._stdin_taken_by = purpose
        if self.stdin_is_terminal and self.options.no_input:
            raise InvalidInput(f"{purpose} would be read from the terminal, but --no-input was given", "pipe it in")
        return cast("BufferedReader", self.stdin.buffer)

    def confirm(self, question: str) -> bool:
        """Ask on the terminal; anything but yes is no."""
        self.stderr.write(f"{question} [y/N] ")
        self.stderr.flush()
        return self.stdin.readline().strip().lower() in ("y", "yes")

    def note(self, message: str) -> None:
        """Tell something that is no part of the result. Left out with --quiet."""
        if not self.options.quiet:
            self._say(message)

    def advise(self, message: str) -> None:
        """Tell of something that does as it was told, and is probably not what was wanted. Left out with --quiet."""
        if not self.options.quiet:
            self.warn(message)

    def warn(self, message: str) -> None:
        """Tell of something that is not as it should be, also with --quiet."""
        self._say(f"warning: {message}")

    def error(self, message: str) -> None:
        """Tell why the command, or a part of it, failed."""
        self._say(f"error: {message}")

    def tell_once(self, name: str, value: str) -> None:
        """Show what can never be read again, also with --quiet: whoever asked for it must get it.

        Raises QwebhookError if it cannot be shown.
        """
        try:
            self.stderr.write(f"{name}: {value}\n")
            self.stderr.flush()
        except OSError as error:
            discard(self.stderr)
            raise QwebhookError(f"the {name} cannot be shown: {error.strerror}", "it is in use: replace it") from None

    def _say(self, message: str) -> None:
        try:
            # One line, whatever a file name or a server put into the message.
            self.stderr.write(f"{PROGRAM}: {printable(message)}\n")
            self.stderr.flush()
        except OSError:
            # Nobody can be told; the exit code still speaks.
            discard(self.stderr)

    # The store

    def store_choice(self) -> StoreChoice:
        """Which store was chosen, and by what."""
        if self._choice is None:
            self._choice = self.settings.store_choice(self.options.store, self.options.context)
            if self.options.context and self._choice.context is None:
                self.warn(f"--context {self.options.context} is not used: {self._choice.origin} names the store")
        return self._choice

    def location(self) -> Location:
        """The store that was chosen. Raises InvalidInput, NotFound."""
        from qwebhook.store.location import parse_location

        return parse_location(self.store_choice().text)

    def store_file(self) -> Path:
        """The chosen store's file, whether it exists or not. Raises InvalidInput for a store that is no file."""
        from qwebhook.store.location import file_of

        path = file_of(self.location())
        if not self.store_choice().explicit:
            _make_folder(path.parent)
        return path

    @property
    def is_remote(self) -> bool:
        """Whether the chosen store is behind a server. Raises InvalidInput, NotFound."""
        from qwebhook.store.location import RestLocation

        return isinstance(self.location(), RestLocation)

    def open_store(self, *, create: bool = False) -> SqliteStore | RestStore:
        """The chosen store, wherever it is: a database (`open_database`) or behind a server (`open_server`)."""
        return self.open_server() if self.is_remote else self.open_database(create=create)

    def open_server(self) -> RestStore:
        """The tenant or server that was chosen, the same one each time; closed with the session. Nothing is sent yet.

        Raises InvalidInput for a store that is no server, or credentials that cannot be read; NotAuthorised.
        """
        if self._server is None:
            from qwebhook.cli.context_access import open_server
            from qwebhook.store.location import RestLocation

            location = self.location()
            if not isinstance(location, RestLocation):
                raise InvalidInput(f"{location} is a database, and this is for a tenant or a server", "name its URL")
            self._server = open_server(self, location.url, self.store_choice().context)
        return self._server

    def open_database(self, *, create: bool = False) -> SqliteStore:
        """The chosen database, the same one each time; closed with the session.

        create: whether the command makes a store that was named and does not exist. The default store is made by
        any command, so that a newcomer's `list` says "no webhooks yet" and not "no store". Raises InvalidInput for a
        store that is no database.
        """
        if self._database is None:
            from qwebhook.store.location import FileLocation, open_database

            choice, location = self.store_choice(), self.location()
            if not choice.explicit and isinstance(location, FileLocation):
                create = True
                _make_folder(location.path.parent)
            try:
                self._database = open_database(location, create=create)
            except StoreMissing as error:
                if choice.origin.startswith("--"):
                    raise
                raise StoreMissing(f"{error.message} (named by {choice.origin})", error.hint) from None
        return self._database

    def allowed_networks(self, options: Sequence[str] = ()) -> list[str]:
        """The networks beyond the public ones that deliveries may go to."""
        return self.settings.allowed_networks(options)

    def close(self) -> None:
        for store in (self._database, self._server):
            if store is not None:
                store.close()
        self._database = self._server = None


def session_of(context: Context) -> Session:
    """The session that a command runs in."""
    session = context.find_root().obj
    assert isinstance(session, Session)
    return session


def discard(stream: TextIO) -> None:
    """Drop what a stream could not write, and what comes. Python tries once more at exit, and failing then would
    change the exit code.
    """
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return


def _closed(mode: str) -> TextIO:
    """A stream that gives nothing and keeps nothing."""
    return cast("TextIO", Path(os.devnull).open(mode, encoding="utf-8"))


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreReadOnly(
            f"the folder {folder} cannot be made: {error.strerror}", "name another store with --store"
        ) from None
