"""Settings: what the environment and the configuration files say, and where each setting came from.

    current = "staging"                     # the context that is used when none is named

    [contexts.staging]                      # see `contexts`
    store = "https://hooks.example.com"
    token = "env:STAGING_TOKEN"

    [mail]                                  # for mailto: webhooks
    server = "smtp.example.com"
    from = "qwebhook@example.com"
    user = "qwebhook"
    password = "env:SMTP_PASSWORD"

    [sheets]                                # for gsheet: webhooks
    credentials = "/etc/qwebhook/google.json"

    [notify]                                # for notify: webhooks, by name
    team = "env:TEAM_URL"

    [network]
    allow = ["loopback", "10.1.0.0/16"]     # addresses beyond the public ones that deliveries may go to

The user's file lies in the user's config directory, or where `QWEBHOOK_CONFIG` says. Before it goes what `qwebhook
context` has written into `contexts.toml` beside it; on Unix `/etc/qwebhook/config.toml` lies beneath both: what they do
not set is taken from there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qwebhook.cli.contexts import Context, read_context, table_of
from qwebhook.cli.contexts_file import CONFIG_NAME, contexts_path, read_toml
from qwebhook.model.errors import InvalidInput, NotFound
from qwebhook.store.home import expanded

CONFIG_VARIABLE = "QWEBHOOK_CONFIG"
STORE_VARIABLE = "QWEBHOOK_STORE"
CONTEXT_VARIABLE = "QWEBHOOK_CONTEXT"
TOKEN_VARIABLE = "QWEBHOOK_TOKEN"  # noqa: S105 the name of a variable
NETWORK_VARIABLE = "QWEBHOOK_ALLOW_NETWORK"
SYSTEM_CONFIG = Path("/etc/qwebhook/config.toml")
DEFAULT_STORE = "qwebhook.db"


class StoreChoice(NamedTuple):
    """The store to use and who chose it: an option, a variable, a context, or nobody (`explicit` is False)."""

    text: str
    origin: str
    explicit: bool
    context: Context | None = None


class Settings:
    """The settings of one run. Files are read when something from them is asked for first."""

    def __init__(self, environ: Mapping[str, str], system_config: Path | None = None) -> None:
        self._environ = environ
        self._system_config = system_config
        self._files: list[tuple[Path, dict[str, Any]]] | None = None

    @property
    def user_config(self) -> Path:
        """Where the user's file is, whether it exists or not."""
        named = self._environ.get(CONFIG_VARIABLE)
        return expanded(named) if named else _user_folder("config", self._environ) / CONFIG_NAME

    @property
    def contexts_file(self) -> Path:
        """Where the file is that `qwebhook context` writes, whether it exists or not."""
        return contexts_path(self.user_config)

    def forget(self) -> None:
        """Read the files again when something from them is asked for next: one has been written."""
        self._files = None

    def store_choice(self, store_option: str | None, context_option: str | None) -> StoreChoice:
        """Which store is meant. Raises NotFound for an unknown context, InvalidInput for a malformed file."""
        if store_option is not None:
            return StoreChoice(store_option, "--store", True)
        store = self._environ.get(STORE_VARIABLE)
        # A context named on the command line is nearer to the user than a variable, but the order is a promise.
        if store:
            return StoreChoice(store, STORE_VARIABLE, True)
        context = self.context(context_option)
        if context is not None:
            return StoreChoice(context.store, f"context {context.name!r}", True, context)
        path = _user_folder("data", self._environ) / DEFAULT_STORE
        return StoreChoice(str(path), "default", False)

    def context(self, option: str | None = None) -> Context | None:
        """The context named by the option, `QWEBHOOK_CONTEXT` or `current`; None if there is none.

        Raises NotFound for an unknown one; InvalidInput for an option that is empty, as a shell's variable that is not
        set makes it, and for a malformed file.
        """
        if option == "":
            raise InvalidInput("the name of the context is empty", "`qwebhook context list` shows them")
        name, _ = self.chosen_name(option)
        if not name:
            return None
        for file, content in self._loaded():
            fields = table_of(content, "contexts", file).get(name)
            if fields is not None:
                return read_context(name, fields, file)
        found = self.context_files()
        known = f"known are {', '.join(sorted(found))}" if found else f"{self.user_config} defines none"
        raise NotFound(f"there is no context {name!r}", known)

    def chosen_name(self, option: str | None = None) -> tuple[str, str]:
        """The name of the context that `context` gives, "" for none, and what named it."""
        variable = self._environ.get(CONTEXT_VARIABLE)
        if option or variable:
            return option or variable or "", "--context" if option else CONTEXT_VARIABLE
        return self.current()

    def contexts(self) -> dict[str, Context]:
        """Every context by name; one hides those of its name in the files beneath. Raises InvalidInput."""
        return {
            name: read_context(name, table_of(content, "contexts", file)[name], file)
            for file, content in reversed(self._loaded())
            for name in table_of(content, "contexts", file)
        }

    def context_files(self) -> dict[str, Path]:
        """The file of every context, by name."""
        return {
            name: file for file, content in reversed(self._loaded()) for name in table_of(content, "contexts", file)
        }

    def allowed_networks(self, options: Sequence[str] = ()) -> list[str]:
        """The networks that deliveries may go to: of the options, else the variable, else the files.

        The nearest one counts alone, so that a run can be narrower than the configuration.
        """
        if options:
            return [word for option in options for word in _words(option)]
        variable = self._environ.get(NETWORK_VARIABLE)
        if variable is not None:
            return _words(variable)
        for file, content in self._loaded():
            allow = table_of(content, "network", file).get("allow")
            if allow is None:
                continue
            if not isinstance(allow, list) or not all(isinstance(word, str) for word in allow):
                raise InvalidInput(f"{file}: network.allow is not a list of strings")
            return list(allow)
        return []

    def table(self, name: str) -> tuple[dict[str, Any], Path]:
        """A table as the nearest file that has it says, and the file; empty if none has it. Raises InvalidInput."""
        for file, content in self._loaded():
            table = table_of(content, name, file)
            if table:
                return table, file
        return {}, self.user_config

    def current(self) -> tuple[str, str]:
        """The name of the current context, "" for none, and what says so. Raises InvalidInput."""
        for file, content in self._loaded():
            current = content.get("current")
            if current is None:
                continue
            if not isinstance(current, str):
                raise InvalidInput(f"{file}: current is not a string")
            return current, f"current in {file}"
        return "", ""

    def _loaded(self) -> list[tuple[Path, dict[str, Any]]]:
        """The files that exist, the one that goes before the others first."""
        if self._files is None:
            paths = [self.contexts_file, self.user_config]
            if self._system_config is not None:
                paths.append(self._system_config)
            self._files = [(path, content) for path in paths if (content := read_toml(path)) is not None]
        return self._files


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _home() -> Path:
    """The user's home by the system's list of users. Raises InvalidInput for one that it does not have."""
    try:
        return Path.home()
    except RuntimeError:  # a container's user without an entry in passwd
        raise InvalidInput("your home folder is not known", "set HOME") from None


def _user_folder(kind: str, environ: Mapping[str, str]) -> Path:
    """qwebhook's folder of that kind ("config" or "data") in the user's home.

    On Linux this is two lines of the XDG specification, and importing platformdirs for the same answer would cost
    every command 8 ms; it is asked on the systems where the answer is harder.
    """
    if sys.platform.startswith("linux"):
        variable, fallback = {
            "config": ("XDG_CONFIG_HOME", ".config"),
            "data": ("XDG_DATA_HOME", ".local/share"),
        }[kind]
        base = environ.get(variable, "").strip()
        # The specification says to ignore relative paths.
        if base and os.path.isabs(base):  # noqa: PTH117 a string test
            return Path(base) / "qwebhook"
        home = environ.get("HOME")
        return (Path(home) if home else _home()) / fallback / "qwebhook"
    import platformdirs

    folders = {"config": platformdirs.user_config_path, "data": platformdirs.user_data_path}
    return folders[kind]("qwebhook", appauthor=False)
