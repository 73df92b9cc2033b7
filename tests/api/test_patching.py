"""PATCH: the paths that each prefix takes, the three operations, and one validation of the whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.processes import Server
from tests.api.client import CORE, V1, Client, Json, empty, error, names
from tests.builders import APP_CREATED, RELOAD_FINISHED, SECRET

ON_BOTH: Json = {
    "/name": "changed",
    "/description": "changed",
    "/url": "https://elsewhere.example.com/",
    "/eventTypes": [APP_CREATED],
    "/headers": {"X-Changed": "1"},
    "/enabled": True,
    "/secret": SECRET,
    "/encryptedHeaders": {"X-Changed": "kept-apart"},
    "/enableCloudEventDelivery": True,
}
ON_CORE: Json = {
    "/filter": 'id eq "a1"',
    "/level": "tenant",
    "/ownerId": "bob",
    "/encryptedHeaders/X-New": "kept-apart",
    "/headers/X-New": "1",
    "/qwebhook/concurrency": 4,
}
NOWHERE: Json = {
    "/id": "1",
    "/origin": "api",
    "/checkCertificateRevocation": True,
    "/secretKeyAdded": True,
    "/name/first": "a",
    "/eventTypes/0": APP_CREATED,
    "/eventTypes/-": APP_CREATED,
    "/headers/a/b": "1",
    "/qwebhook/nothing": 1,
    "/qwebhook/sheet/key": "Id",
    "/unknown": "1",
    "name": "changed",
    "": {},
    "/": "1",
    "//name": "changed",
}


@pytest.fixture
def v1(server: Server) -> Client:
    return Client(server, server.token("admin"), V1)


def shown(webhook: Json, path: str) -> Any:
    """What is read at a path: of a secret, that there is one, and of encrypted headers their names."""
    if path == "/secret":
        return webhook["secretKeyAdded"]
    _, field, *member = path.split("/")
    if field == "encryptedHeaders":
        return webhook[field]
    return webhook[field][member[0]] if member else webhook[field]


SHOWN = (
    ON_BOTH
    | ON_CORE
    | {
        "/secret": True,
        "/encryptedHeaders": ["X-Changed"],
        "/encryptedHeaders/X-New": ["X-New"],
    }
)


@pytest.mark.parametrize("op", ["add", "replace"])
@pytest.mark.parametrize("path", ON_BOTH)
def test_paths_of_both(either: Client, path: str, op: str) -> None:
    made = either.made()
    assert shown(either.patched(made["id"], (op, path, ON_BOTH[path])), path) == SHOWN[path]


@pytest.mark.parametrize("path", ON_CORE)
def test_paths_that_core_adds(admin: Client, path: str) -> None:
    assert admin.prefix == CORE
    made = admin.made()
    assert shown(admin.patched(made["id"], ("add", path, ON_CORE[path])), path) == SHOWN[path]


@pytest.mark.parametrize("path", ON_CORE)
def test_v1_has_not_what_core_adds(v1: Client, path: str) -> None:
    made = v1.made(headers={"X-Old": "1"})
    for op in ("add", "replace"):
        assert names(error(v1.patch(made["id"], (op, path, ON_CORE[path])), 400), path)
    assert v1.now(made["id"]) == made


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("op", ["add", "replace", "remove"])
def test_paths_that_are_nowhere(either: Client, path: str, op: str) -> None:
    made = either.made()
    operation = {"op": op, "path": path} | ({} if op == "remove" else {"value": NOWHERE[path]})
    assert names(error(either.patch(made["id"], operation), 400), path)
    assert either.now(made["id"]) == made


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/name", "value": "a"},
        {"op": "move", "path": "/name", "from": "/description"},
        {"op": "copy", "path": "/name", "from": "/description"},
        {"op": "REPLACE", "path": "/name", "value": "a"},
        {"op": "replace", "path": "/name"},
        {"op": "add", "path": "/name"},
        {"path": "/name", "value": "a"},
        {"op": "replace", "value": "a"},
        {"op": "replace", "path": 1, "value": "a"},
        {"op": "replace", "path": "/name", "value": "a", "extra": 1},
        {"op": 1, "path": "/name", "value": "a"},
        "replace",
        None,
    ],
    ids=str,
)
def test_what_is_no_operation_of_the_subset(either: Client, operation: Any) -> None:
    made = either.made()
    error(either.patch(made["id"], operation), 400)
    error(either.patch(made["id"], ("replace", "/description", "changed"), operation), 400)
    assert either.now(made["id"]) == made


def test_a_patch_is_a_list(either: Client) -> None:
    made = either.made()
    operation = {"op": "replace", "path": "/name", "value": "changed"}
    error(either.request("PATCH", f"/webhooks/{made['id']}", operation), 400)
    assert either.now(made["id"]) == made


def test_an_empty_patch_changes_nothing(either: Client) -> None:
    made = either.made()
    empty(either.patch(made["id"]))
    now = either.now(made["id"])
    assert {name for name in made if made[name] != now[name]} <= {"updatedAt", "updatedByUserId"}


@pytest.mark.parametrize(
    ("path", "emptied"), [("/description", ""), ("/headers", {}), ("/encryptedHeaders", []), ("/filter", "")]
)
def test_what_can_be_removed(admin: Client, path: str, emptied: Any) -> None:
    field = path[1:]
    made = admin.made(
        description="a", filter='id eq "a1"', headers={"X-A": "1"}, encryptedHeaders={"X-B": "kept-apart"}
    )
    assert admin.patched(made["id"], ("remove", path))[field] == emptied


def test_a_single_setting_of_qwebhook_s_own_is_removed(admin: Client) -> None:
    made = admin.made(qwebhook={"retries": [5], "preset": "slack", "concurrency": 4})
    patched = admin.patched(made["id"], ("remove", "/qwebhook/retries"), ("replace", "/qwebhook/preset", None))
    assert patched["qwebhook"] == {"concurrency": 4}


def test_operations_apply_in_order(either: Client) -> None:
    made = either.made()
    assert either.patched(made["id"], *(("replace", "/name", name) for name in ("a", "b", "c")))["name"] == "c"


@pytest.mark.parametrize(
    "wrong", [("replace", "/url", "no url"), ("replace", "/id", "1"), ("replace", "/enabled", "on")]
)
def test_one_wrong_operation_and_nothing_is_changed(either: Client, wrong: tuple[str, str, Any]) -> None:
    made = either.made()
    right = ("replace", "/description", "changed")
    for operations in ((right, wrong), (wrong, right)):
        error(either.patch(made["id"], *operations), 400)
    assert either.now(made["id"]) == made


def test_the_result_is_what_counts(admin: Client) -> None:
    """What would be wrong halfway is right in the end: the types and the filter that they allow."""
    made = admin.made(eventTypes=[APP_CREATED])
    patched = admin.patched(
        made["id"],
        ("add", "/filter", 'data.status eq "error"'),
        ("replace", "/eventTypes", [RELOAD_FINISHED]),
    )
    assert patched["eventTypes"] == [RELOAD_FINISHED]


# Members


@pytest.mark.parametrize("field", ["headers", "encryptedHeaders"])
def test_members_are_added_replaced_and_removed(admin: Client, field: str) -> None:
    made = admin.made(**{field: {"X-A": "1", "X-B": "2"}})
    patched = admin.patched(
        made["id"],
        ("add", f"/{field}/X-C", "3"),
        ("replace", f"/{field}/X-B", "changed"),
        ("remove", f"/{field}/X-A"),
    )
    assert sorted(patched[field]) == ["X-B", "X-C"]
    if field == "headers":
        assert patched[field] == {"X-B": "changed", "X-C": "3"}


@pytest.mark.parametrize("field", ["headers", "encryptedHeaders"])
def test_members_are_found_without_regard_to_case(admin: Client, field: str) -> None:
    made = admin.made(**{field: {"X-A": "1"}})
    assert [one.lower() for one in admin.patched(made["id"], ("add", f"/{field}/x-a", "2"))[field]] == ["x-a"]
    assert len(admin.patched(made["id"], ("remove", f"/{field}/X-a"))[field]) == 0


@pytest.mark.parametrize("op", ["replace", "remove"])
@pytest.mark.parametrize("field", ["headers", "encryptedHeaders"])
def test_a_member_that_is_not_there(admin: Client, field: str, op: str) -> None:
    made = admin.made()
    operation = (op, f"/{field}/X-A", "1") if op == "replace" else (op, f"/{field}/X-A")
    assert names(error(admin.patch(made["id"], operation), 400), f"/{field}/X-A")


def test_a_name_is_written_as_a_json_pointer(admin: Client) -> None:
    """RFC 6901: `~0` is a tilde. (`/` cannot be in the name of a header.)"""
    made = admin.made(headers={"X~A": "1"})
    assert admin.patched(made["id"], ("replace", "/headers/X~0A", "2"))["headers"] == {"X~A": "2"}
    error(admin.patch(made["id"], ("add", "/headers/X~1A", "2")), 400)
