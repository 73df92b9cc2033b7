"""Imports run downward only: the command line knows the server, the server the delivery, and the model nobody."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "qwebhook"
# Who may import whom: a layer imports itself and those with a lower number. Those with the same number stand side by
# side and may know each other, which is only so at the top.
LAYERS = {
    "model": 0,
    "render": 1,
    "store": 2,
    "deliver": 3,
    "source": 3,
    "server": 4,
    "cli": 5,
    "demo": 5,
    "__main__": 6,
}
# What belongs to no layer: the package itself, which holds the version.
ROOT = "__init__"
LIBRARIES_OF_THE_MODEL = {"msgspec"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def named(path: Path) -> tuple[str, ...]:
    """The module's name, in its parts: `("qwebhook", "store", "sqlite", "__init__")`."""
    return (PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts)


def imports(module: tuple[str, ...], source: str) -> Iterator[str]:
    """The dotted names that a module imports, wherever in it: within functions and for type checking, too.

    `from a import b` gives `a.b`, which may name a module or something in one.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # The last part of the name is the module's own; each further dot leaves a package.
            package = module[: len(module) - node.level] if node.level else ()
            start = ".".join((*package, *([node.module] if node.module else [])))
            yield from (f"{start}.{alias.name}" for alias in node.names)


def layer(name: str) -> str:
    """The layer of a dotted name within the package; what is no module at the top is the package's own."""
    parts = name.split(".")
    if len(parts) < 2:
        return ROOT
    top = parts[1]
    return top if (PACKAGE / top).is_dir() or (PACKAGE / f"{top}.py").is_file() else ROOT


def offences(module: tuple[str, ...], source: str) -> list[str]:
    """What the module imports and must not."""
    own = layer(".".join(module))
    found = []
    for name in imports(module, source):
        top = name.partition(".")[0]
        if top == PACKAGE.name:
            other = layer(name)
            if other == ROOT or own == other:
                continue
            if own == ROOT or LAYERS[other] > LAYERS[own]:
                found.append(name)
        elif own == "model" and top not in sys.stdlib_module_names | LIBRARIES_OF_THE_MODEL:
            found.append(name)
    return found


def test_every_part_of_the_package_has_a_layer() -> None:
    assert {layer(".".join(named(path))) for path in modules()} <= {ROOT, *LAYERS}


def test_the_package_is_looked_at() -> None:
    found = {layer(".".join(named(path))) for path in modules()}
    assert {"model", "store"} <= found
    assert len(modules()) > 20


@pytest.mark.parametrize("path", modules(), ids=lambda path: ".".join(named(path)[1:]))
def test_a_module_imports_downward_only(path: Path) -> None:
    assert offences(named(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source", "forbidden"),
    [
        ("store.contract", "from qwebhook.model.event import Event", None),
        ("store.contract", "import qwebhook.cli", "qwebhook.cli"),
        ("store.contract", "def f():\n    from qwebhook import server", "qwebhook.server"),
        ("model.event", "if TYPE_CHECKING:\n    from qwebhook.store import contract", "qwebhook.store.contract"),
        ("model.event", "from ..store import contract", "qwebhook.store.contract"),
        ("model.event", "from . import errors", None),
        ("model.catalogue.__init__", "from ...store import contract", "qwebhook.store.contract"),
        ("model.catalogue.__init__", "from ..errors import NotFound", None),
        ("model.event", "import msgspec, re, os.path", None),
        ("model.event", "import cryptography.x509", "cryptography.x509"),
        ("store.vault", "from cryptography import x509", None),
        ("model.event", "from qwebhook import __version__", None),
        ("deliver.worker", "from qwebhook.server.app import app", "qwebhook.server.app.app"),
        ("server.app", "from qwebhook.deliver import worker", None),
        ("server.app", "from qwebhook.cli import entry", "qwebhook.cli.entry"),
        ("cli.entry", "from qwebhook.server import app", None),
        ("__init__", "from qwebhook.cli import entry", "qwebhook.cli.entry"),
    ],
)
def test_what_is_forbidden_is_found(module: str, source: str, forbidden: str | None) -> None:
    assert offences((PACKAGE.name, *module.split(".")), source) == ([forbidden] if forbidden else [])
