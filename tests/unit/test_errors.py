"""The tree that the module's docstring draws is the tree of the classes."""

from __future__ import annotations

import re

import pytest

from qwebhook.model import errors
from qwebhook.model.errors import InvalidFilter, InvalidWebhook, QwebhookError

_LINE = re.compile(
    r"^(?P<indent>[ │├└─]*)(?P<name>[A-Z]\w+) +(?:(?P<exit_code>\d) +(?P<status>\d{3}) +)?(?P<what>\S.*)$"
)
DOCSTRING = errors.__doc__ or ""


def drawn() -> dict[str, tuple[str | None, int, int]]:
    """{class: (parent, exit code, status)}; a class without numbers has its parent's."""
    tree: dict[str, tuple[str | None, int, int]] = {}
    above: list[tuple[int, str]] = []
    for line in DOCSTRING.splitlines():
        if not line.startswith(("QwebhookError", "├", "│", "└", " ")) or not (match := _LINE.match(line)):
            continue
        depth = len(match["indent"])
        above = [(indent, name) for indent, name in above if indent < depth]
        parent = above[-1][1] if above else None
        if match["exit_code"]:
            numbers = int(match["exit_code"]), int(match["status"])
        else:
            assert parent is not None
            numbers = tree[parent][1:]
        assert match["name"] not in tree
        tree[match["name"]] = (parent, *numbers)
        above.append((depth, match["name"]))
    return tree


def classes() -> dict[str, type[QwebhookError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, QwebhookError)
    }


def test_the_drawn_tree_is_that_of_the_classes() -> None:
    actual = {
        name: (None if one is QwebhookError else one.__bases__[0].__name__, one.exit_code, one.status)
        for name, one in classes().items()
    }
    assert drawn() == actual
    assert len(actual) > 15


def test_the_numbers_are_those_of_the_contract() -> None:
    assert {one.exit_code for one in classes().values()} <= {1, 2, 4, 5, 6}
    assert {one.status for one in classes().values()} <= {400, 401, 403, 404, 409, 413, 415, 500, 503}


@pytest.mark.parametrize("name", classes())
def test_every_error_is_documented_and_has_a_code(name: str) -> None:
    one = classes()[name]
    assert (one.__doc__ or "").splitlines()[0].endswith(".")
    assert re.fullmatch(r"QWH(-[A-Z]+)+", one.code)


def test_codes_tell_statuses_apart() -> None:
    by_code: dict[str, set[int]] = {}
    for one in classes().values():
        by_code.setdefault(one.code, set()).add(one.status)
    assert all(len(statuses) == 1 for statuses in by_code.values())


def test_an_error_says_what_is_wrong_and_what_to_do() -> None:
    error = QwebhookError("the disk is full", "make room")
    assert (error.message, error.hint, str(error)) == ("the disk is full", "make room", "the disk is full; make room")
    assert str(QwebhookError("the disk is full")) == "the disk is full"
    assert error.args == ("the disk is full",)


def test_an_invalid_webhook_names_the_field() -> None:
    error = InvalidWebhook("url", "has no host", "write https://HOST/PATH")
    assert error.field == "url"
    assert str(error) == "url: has no host; write https://HOST/PATH"


def test_an_invalid_filter_knows_the_position_and_counts_from_one_for_people() -> None:
    error = InvalidFilter("a value is expected", "id eq", 5)
    assert (error.expression, error.position) == ("id eq", 5)
    assert str(error) == "filter: a value is expected at position 6 of 'id eq'"
