"""The tree of operations."""

import json
from pathlib import Path

import pytest

from gateway.mock.catalogue import DATA_FILE, Catalogue, load_catalogue


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_every_operation_finds_itself(catalogue: Catalogue) -> None:
    for key in catalogue.operations:
        method, _, template = key.partition(" ")
        path = template.replace("{", "x-").replace("}", "")
        found = catalogue.find(method, path)
        assert found is not None, key
        # A fixed segment elsewhere cannot win, because every parameter was given a value of its own.
        assert found[0].key == key


def test_fixed_segments_win_over_parameters(catalogue: Catalogue) -> None:
    found = catalogue.find("GET", "/api/v2/tokens/me")
    assert found is not None
    assert found[0].key == "GET /api/v2/tokens/me"


def test_parameters_are_named_and_decoded(catalogue: Catalogue) -> None:
    found = catalogue.find("PATCH", "/api/v2/conversations/messages/a%2Fb")
    assert found is not None
    assert found[1] == {"conversationId": "a/b"}
    assert found[0].permissions[0] == "conversation:communication:disconnect"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v2/conversations/messaging/x/close"),
        ("POST", "/api/v2/webchat/guest/conversations"),
        ("POST", "/api/v2/oauth/token"),
        ("PUT", "/api/v2/tokens/me"),
        ("GET", "/api/v2/routing/queues/"),
        ("GET", "api/v2/date"),
    ],
)
def test_what_the_definition_lacks_is_not_found(catalogue: Catalogue, method: str, path: str) -> None:
    assert catalogue.find(method, path) is None


def test_removed_operations_are_in_the_file_but_not_in_the_tree(catalogue: Catalogue) -> None:
    removed = json.loads(DATA_FILE.read_text())["removed"]
    assert removed
    assert not removed.keys() & catalogue.operations.keys()


def test_a_file_without_operations_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match="operations"):
        load_catalogue(tmp_path / "x.json")
