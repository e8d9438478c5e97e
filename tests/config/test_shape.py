"""Paths of a file lead to keys of the model, and secrets are known by their type."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import shape


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (("server", "listen"), True),
        (("sites", "shop", "visitors", "issuers", 0, "kid"), True),
        (("sites", "shop", "context", "attributes", "x"), True),
        (("server", "listen", "x"), False),
        (("sites", "shop", "kid"), False),
    ],
)
def test_a_path_leads_to_a_key_or_to_none(path: shape.Path, known: bool) -> None:
    assert (shape.field_at(path) is not None) is known


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ((), "Config"),
        (("sites", "shop"), "Site"),
        (("routes", 3), "Route"),
        (("routes",), "Route"),
        (("server", "listen"), None),
        (("no",), None),
    ],
)
def test_a_path_leads_to_a_section_or_to_none(path: shape.Path, name: str | None) -> None:
    model = shape.model_at(path)
    assert (model.__name__ if model is not None else None) == name


def test_the_keys_that_hold_secrets_are_these() -> None:
    found = {key.dotted for key in shape.every_key() if key.is_secret}
    assert {
        "admin.token", "store.url", "audit.key", "keys.guest", "orgs.X.clients.X.secret", "backends.X.key",
        "sites.X.visitors.issuers[].secret", "oidc.clients.X.secret",
    } <= found  # fmt: skip
    assert not {"server.tls.key", "sites.X.visitors.issuers[].kid"} & found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": {"b": 1}, "c": [1, 2]}, [("a.b", 1), ("c", [1, 2])]),
        ({"a": [{"b": 1}, {"b": 2}]}, [("a[0].b", 1), ("a[1].b", 2)]),
        ({"a": {}, "b": []}, [("a", {}), ("b", [])]),
    ],
)
def test_leaves_are_values_arrays_and_empty_tables(value: Any, expected: list[tuple[str, Any]]) -> None:
    assert [(shape.written(path), leaf) for path, leaf in shape.leaves(value)] == expected
