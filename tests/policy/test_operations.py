"""The catalogue finds operations by shape and path, and says what a role needs, lacks, and holds too much."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from gateway.policy.operations import (
    Operation,
    client_credentials_fault,
    covers,
    missing_permissions,
    parse_catalogue,
    shape_of,
    unneeded_permissions,
)

CATALOGUE = parse_catalogue(
    orjson.loads((Path(__file__).resolve().parents[2] / "gateway" / "data" / "genesys-operations.json").read_bytes())
)
CLOSE = "/api/v2/conversations/messages/{conversationId}"


def operation(perm: str, *permissions: str) -> Operation:
    assert perm in ("ANY", "ALL", "NONE", "UNKNOWN")
    return Operation("GET", "/x", "getX", "oauth", perm, permissions, (), "", False, "")  # type: ignore[arg-type]  # asserted above


def test_the_catalogue_is_whole() -> None:
    assert len(CATALOGUE) == len(list(CATALOGUE)) == 3315
    assert CATALOGUE.version


def test_the_names_of_parameters_do_not_matter() -> None:
    found = CATALOGUE.find("patch", "/api/v2/conversations/messages/{x}")
    assert found is not None
    assert found.key == f"PATCH {CLOSE}"
    assert CATALOGUE.find("POST", CLOSE) is None


def test_every_operation_is_found_by_a_path_of_its_own() -> None:
    for op in CATALOGUE:
        path = op.template.replace("{", "1-").replace("}", "")
        assert CATALOGUE.match_path(op.method, path) is not None, op.key


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v2/users/me", ("GET /api/v2/users/me", {})),
        ("GET", "/api/v2/users/abc", ("GET /api/v2/users/{userId}", {"userId": "abc"})),
        ("get", "/api/v2/routing/queues/q/estimatedwaittime",
         ("GET /api/v2/routing/queues/{queueId}/estimatedwaittime", {"queueId": "q"})),
        ("GET", "/api/v2/users/me/nothing/here", None),
        ("GET", "/api/v2/users//", None),
        ("POST", "/api/v2/users/me", None),
        ("GET", "/elsewhere", None),
        ("GET", "", None),
    ],
)  # fmt: skip
def test_a_path_leads_to_its_operation(method: str, path: str, expected: tuple[str, dict[str, str]] | None) -> None:
    found = CATALOGUE.match_path(method, path)
    assert (None if found is None else (found[0].key, found[1])) == expected


def test_near_operations_begin_with_the_one_meant() -> None:
    near = CATALOGUE.nearest("GET", "/api/v2/routing/queue/{id}/estimatedwaittime")
    assert near[0].key == "GET /api/v2/routing/queues/{queueId}/estimatedwaittime"
    assert len(near) == 3
    assert CATALOGUE.nearest("GET", "zzzz") == ()


def test_every_removed_operation_names_its_replacement() -> None:
    removed = CATALOGUE.find_removed("POST", "/api/v2/webchat/guest/conversations")
    assert removed is not None
    assert "Guest API socket" in removed[1]
    assert CATALOGUE.find_removed("GET", "/api/v2/users/me") is None
    data = orjson.loads((Path(__file__).resolve().parents[2] / "gateway/data/genesys-operations.json").read_bytes())
    for key in data["removed"]:
        method, _, template = key.partition(" ")
        found = CATALOGUE.find_removed(method, template)
        assert found is not None
        assert found[1] != "nothing", key


def test_all_removed_operations_are_listed_as_they_are_found_singly() -> None:
    assert len(CATALOGUE.removed) == 41
    for operation, instead in CATALOGUE.removed:
        method, _, template = operation.key.partition(" ")
        assert CATALOGUE.find_removed(method, template) == (operation, instead)


def test_a_removed_operation_is_found_by_the_path_that_is_called() -> None:
    path = ("api", "v2", "widgets", "deployments", "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10")
    found = CATALOGUE.removed_at("PUT", path)
    assert found is not None
    assert found[0].key == "PUT /api/v2/widgets/deployments/{deploymentId}"
    other = CATALOGUE.removed_at("POST", path)
    assert other is not None
    assert other[0].template == found[0].template
    assert CATALOGUE.removed_at("GET", ("api", "v2", "users", "me")) is None


@pytest.mark.parametrize(
    ("needs", "held", "missing"),
    [
        (operation("ALL", "a:b:c", "d:e:f"), ["a:b:c"], ("d:e:f",)),
        (operation("ALL", "a:b:c"), ["a:b:c", "x:y:z"], ()),
        (operation("ANY", "a:b:c", "d:e:f"), ["d:e:f"], ()),
        (operation("ANY", "a:b:c", "d:e:f"), [], ("a:b:c", "d:e:f")),
        (operation("NONE"), [], ()),
        (operation("UNKNOWN"), [], ()),
        (operation("ALL", "a:b:c"), ["a:*:c"], ()),
    ],
)
def test_a_role_suffices_for_any_or_all(needs: Operation, held: list[str], missing: tuple[str, ...]) -> None:
    assert missing_permissions(needs, held) == missing


@pytest.mark.parametrize(
    ("held", "needed", "covered"),
    [("*", "a:b:c", True), ("a:*:*", "a:b:c", True), ("a:b", "a:b:c", False), ("a:b:d", "a:b:c", False)],
)
def test_a_wildcard_covers_part_by_part(held: str, needed: str, covered: bool) -> None:
    assert covers(held, needed) is covered


@pytest.mark.parametrize(
    ("operations", "held", "unneeded"),
    [
        ([operation("ALL", "a:b:c")], ["a:b:c"], ()),
        ([operation("ALL", "a:b:c")], ["a:b:c", "x:y:z"], ("x:y:z",)),
        ([operation("ANY", "a:b:c", "d:e:f")], ["a:b:c", "d:e:f"], ("a:b:c",)),
        ([operation("ALL", "a:b:c")], ["a:b:*"], ("a:b:*",)),
        ([operation("ALL", "a:b:c")], ["*", "a:b:c"], ("*",)),
        ([operation("UNKNOWN"), operation("ALL", "a:b:c")], ["a:b:c", "x:y:z"], ()),
    ],
)
def test_what_could_be_taken_away_is_over_privilege(
    operations: list[Operation], held: list[str], unneeded: tuple[str, ...]
) -> None:
    assert unneeded_permissions(operations, held) == unneeded


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("GET /api/v2/users/me", "not valid with a client-credentials token"),
        ("GET /api/v2/webmessaging/messages", "guest's web messaging JWT"),
        ("POST /api/v2/webdeployments/token/refresh", "no token"),
        (f"PATCH {CLOSE}", None),
    ],
)
def test_a_client_credentials_token_cannot_call_everything(key: str, words: str | None) -> None:
    method, _, template = key.partition(" ")
    found = CATALOGUE.find(method, template)
    assert found is not None
    fault = client_credentials_fault(found)
    assert fault is None if words is None else fault is not None and words in fault


def test_a_shape_has_no_names() -> None:
    assert shape_of("/a/{b}/c/{d}") == "/a/{}/c/{}"
