"""Settings: what the environment and the configuration files say, and where each setting came from.

    current = "staging"                     # the context that is used when none is named

    [contexts.staging]
    store = "https://hooks.example.com"     # a path or URL
    token = "env:STAGING_TOKEN"             # for a server; VALUE, @FILE or env:NAME

    [network]
    allow = ["loopback", "10.1.0.0/16"]     # addresses beyond the public ones that deliveries may go to

The user's file lies in the user's config directory, or where `QWEBHOOK_CONFIG` says; on Unix
`/etc/qwebhook/config.toml` lies beneath it: what the user's file does not set is taken from there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qwebhook.model.errors import InvalidInput, NotFound

CONFIG_VARIABLE = "QWEBHOOK_CONFIG"
STORE_VARIABLE = "QWEBHOOK_STORE"
CONTEXT_VARIABLE = "QWEBHOOK_CONTEXT"
TOKEN_VARIABLE = "QWEBHOOK_TOKEN"  # noqa: S105 the name of a variable
NETWORK_VARIABLE = "QWEBHOOK_ALLOW_NETWORK"
SYSTEM_CONFIG = Path("/etc/qwebhook/config.toml")
FILE_NAME = "config.toml"
DEFAULT_STORE = "qwebhook.db"


class Context(NamedTuple):
    """A named store. token: as it is written, VALUE, @FILE or env:NAME; "" if there is none."""

    name: str
    store: str
    token: str
    file: Path


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
        return Path(named).expanduser() if named else _user_folder("config", self._environ) / FILE_NAME

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
        """The context named by the option, `QWEBHOOK_CONTEXT` or `current`; None if there is none."""
        name = option or self._environ.get(CONTEXT_VARIABLE) or self._current()
        if not name:
            return None
        found = self.contexts()
        if name not in found:
            known = f"known are {', '.join(sorted(found))}" if found else f"{self.user_config} defines none"
            raise NotFound(f"there is no context {name!r}", known)
        return found[name]

    def contexts(self) -> dict[str, Context]:
        """Every context by name; the user's hide the system's of the same name."""
        found: dict[str, Context] = {}
        for file, content in reversed(self._loaded()):
            for name, fields in _table(content, "contexts", file).items():
                if not isinstance(fields, dict) or not isinstance(fields.get("store"), str):
                    raise InvalidInput(f"{file}: contexts.{name} has no store", 'write store = "PATH or URL"')
                token = fields.get("token", "")
                if not isinstance(token, str):
                    raise InvalidInput(f"{file}: contexts.{name}.token is not a string")
                found[name] = Context(name, fields["store"], token, file)
        return found

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
            allow = _table(content, "network", file).get("allow")
            if allow is None:
                continue
            if not isinstance(allow, list) or not all(isinstance(word, str) for word in allow):
                raise InvalidInput(f"{file}: network.allow is not a list of strings")
            return list(allow)
        return []

    def _current(self) -> str | None:
        for file, content in self._loaded():
            current = content.get("current")
            if current is None:
                continue
            if not isinstance(current, str):
                raise InvalidInput(f"{file}: current is not a string")
            return current
        return None

    def _loaded(self) -> list[tuple[Path, dict[str, Any]]]:
        """The files that exist, the user's first."""
        if self._files is None:
            paths = [self.user_config]
            if self._system_config is not None:
                paths.append(self._system_config)
            self._files = [(path, content) for path in paths if (content := _read(path)) is not None]
        return self._files


def _read(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidInput(f"the configuration {path} cannot be read: {error.strerror}") from None
    # Most runs have no file, and then this costs nothing.
    import tomllib

    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The decoder's message ends with the line and column.
        raise InvalidInput(f"the configuration {path} is not valid TOML: {error}") from None


def _table(content: Mapping[str, Any], name: str, file: Path) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise InvalidInput(f"{file}: {name} is not a table", f"write [{name}]")
    return table


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


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
        return (Path(home) if home else Path.home()) / fallback / "qwebhook"
    import platformdirs

    folders = {"config": platformdirs.user_config_path, "data": platformdirs.user_data_path}
    return folders[kind]("qwebhook", appauthor=False)
