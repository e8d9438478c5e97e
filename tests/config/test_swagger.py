"""The catalogue made afresh from a swagger file: what is new, gone, changed, and what only the old one knew."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.swagger import refresh
from gateway.policy.operations import parse_catalogue

BEFORE: dict[str, Any] = {
    "meta": {"version": "old", "what": "w"},
    "operations": {
        "GET /api/v2/users/me": {"id": "me", "auth": "oauth", "perm": "NONE", "client_credentials": "no", "tag": "U"},
        "GET /api/v2/gone": {"id": "getGone", "auth": "oauth", "perm": "NONE", "tag": "G"},
        "GET /api/v2/webmessaging/messages": {"id": "m", "auth": "webmessaging-jwt", "perm": "NONE", "tag": "W"},
    },
    "removed": {"GET /api/v2/long/gone": {"id": "x", "auth": "oauth", "perm": "NONE", "tag": "X"}},
}  # fmt: skip
SWAGGER: dict[str, Any] = {
    "info": {"version": "v2 11000"},
    "paths": {
        "/api/v2/users/me": {
            "get": {"operationId": "me", "tags": ["Users"], "security": [{"PureCloud OAuth": ["users:readonly"]}],
                    "x-inin-requires-permissions": {"type": "ANY", "permissions": ["directory:user:view"]}},
        },
        "/api/v2/new/{id}": {
            "post": {"operationId": "postNew", "tags": ["New Things"], "deprecated": True,
                     "security": [{"PureCloud OAuth": ["new", "new:readonly"]}],
                     "x-inin-requires-permissions": {"type": "ALL", "permissions": ["a:b:c", "d:e:f"]}},
            "parameters": [],
        },
        "/api/v2/webmessaging/messages": {"get": {"operationId": "m"}},
        "/api/v2/open": {"get": {"operationId": "o", "tags": []}},
    },
}  # fmt: skip


def test_what_changed_is_told() -> None:
    found = refresh(SWAGGER, BEFORE)
    assert found.added == ("POST /api/v2/new/{id}", "GET /api/v2/open")
    assert found.removed == ("GET /api/v2/gone",)
    assert found.changed == ("GET /api/v2/users/me",)


def test_the_new_catalogue_is_one_that_the_gateway_reads() -> None:
    table = parse_catalogue(refresh(SWAGGER, BEFORE).data)
    new, me = table.find("POST", "/api/v2/new/{x}"), table.find("GET", "/api/v2/users/me")
    assert new is not None
    assert me is not None
    assert (new.perm, new.permissions, new.scopes_any, new.deprecated, new.tag) == (
        "ALL", ("a:b:c", "d:e:f"), ("new", "new:readonly"), True, "NewThings",
    )  # fmt: skip
    assert (me.client_credentials, me.perm) == ("no", "ANY")
    assert table.version == "swagger v2 11000"
    assert table.find_removed("GET", "/api/v2/gone") is not None
    assert table.find_removed("GET", "/api/v2/long/gone") is not None


def test_an_operation_without_security_keeps_the_kind_that_was_known() -> None:
    operations = refresh(SWAGGER, BEFORE).data["operations"]
    assert operations["GET /api/v2/webmessaging/messages"]["auth"] == "webmessaging-jwt"
    assert operations["GET /api/v2/open"]["auth"] == "not-oauth"


@pytest.mark.parametrize("other", [{}, {"paths": {"/pets": {}}, "info": {}}, {"paths": [], "info": {}}])
def test_another_file_is_none(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no swagger"):
        refresh(other, BEFORE)
