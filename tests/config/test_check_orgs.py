"""Regions, endpoints and the permissions of clients: one change, one finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.config.findings import Finding

Judge = Callable[..., tuple[Finding, ...]]


@pytest.mark.parametrize(
    ("changes", "key", "severity", "words"),
    [
        ({"orgs.acme.region": "eu-west-9"}, "orgs.acme.region", "error", "near: eu-west"),
        ({"orgs.acme.region": "api.cxone.com"}, "orgs.acme.region", "error", "NICE CXone"),
        ({"orgs.acme.region": "eusc-de-east-1"}, "orgs.acme.region", "warning", "not confirmed"),
        ({"orgs.acme.endpoints": {"api": "http://h"}}, "orgs.acme.endpoints.api", "error", "https://"),
        ({"orgs.acme.endpoints": {"webmessaging": "https://h"}}, "orgs.acme.endpoints.webmessaging", "error", "wss://"),
        ({"orgs.acme.organization_id": "x"}, "orgs.acme.organization_id", "error", "not a UUID"),
        ({"orgs.acme.clients.reader.id": "reader"}, "orgs.acme.clients.reader.id", "error", "not a UUID"),
        (
            {"orgs.acme.clients.reader.permissions": []},
            "orgs.acme.clients.reader.permissions",
            "error",
            "lack routing:queue:view",
        ),
        (
            {"orgs.acme.clients.reader.permissions": ["routing:queue:view", "conversation:communication:view"]},
            "orgs.acme.clients.reader.permissions",
            "high",
            "conversation:communication:view",
        ),
        ({"orgs.acme.clients.reader.permissions": ["*"]}, "orgs.acme.clients.reader.permissions", "high", "*"),
        (
            {"orgs.acme.clients.reader.permissions": ["routing:queue:view", "messaging:conversation:close"]},
            "orgs.acme.clients.reader.permissions",
            "warning",
            "asked by no operation",
        ),
        (
            {"orgs.acme.clients.reader.scopes": ["messaging:write", "routing"]},
            "orgs.acme.clients.reader.scopes",
            "warning",
            "messaging:write",
        ),
        (
            {
                "orgs.acme.clients.idle": {
                    "id": "c0ffee00-0000-4000-8000-000000000009",
                    "secret": "env:READER",
                    "permissions": ["a:b:c"],
                }
            },
            "orgs.acme.clients.idle",
            "high",
            "used by no route",
        ),
    ],
)
def test_a_fault_is_found_by_its_key(
    judge: Judge, changes: Mapping[str, Any], key: str, severity: str, words: str
) -> None:
    found = [f for f in judge(changes) if f.key == key and f.severity == severity]
    assert any(words in f.message for f in found), judge(changes)
    assert all(f.remedy for f in found)


def test_a_new_region_works_when_every_endpoint_is_given(judge: Judge) -> None:
    hosts = {name: f"https://{name}.new.example" for name in ("login", "api", "cdn", "apps")}
    found = judge(
        {"orgs.acme.region": "xx-new-1", "orgs.acme.endpoints": hosts | {"webmessaging": "wss://w.new.example"}}
    )
    assert [(f.key, f.severity) for f in found] == [("orgs.acme.region", "warning")]


READER = {"id": "c0ffee00-0000-4000-8000-000000000009", "secret": "env:READER", "permissions": ["routing:queue:view"]}
CLOSE = {
    "name": "close", "match": "DELETE /api/v2/conversations/{conversationId}", "callers": ["backend"],
    "client": "closer", "owner": "conversationId",
}  # fmt: skip


def standby(**clients: object) -> dict[str, Any]:
    """An organisation of another region that stands in for acme's reads, and has no site of its own."""
    return {"orgs.acme.failover": "dr", "orgs.dr": {"region": "eu-central-1", "clients": clients}}


def test_an_organisation_that_only_stands_in_for_reads_is_sound(judge: Judge) -> None:
    assert judge(standby(reader=READER)) == ()


def test_only_clients_of_reads_that_may_move_are_needed_where_they_would_go(judge: Judge) -> None:
    closer = READER | {"permissions": ["conversation:communication:disconnect"]}
    owned = {"orgs.acme.clients.closer": closer, "orgs.acme.ownership_client": "reader", "routes.1": CLOSE}
    assert not [f for f in judge(owned | standby(reader=READER)) if "failover" in f.key or ".dr." in f.key]
    (found,) = [f for f in judge(owned | standby(other=READER)) if f.key == "orgs.acme.failover"]
    assert (found.severity, found.message) == ("error", "dr has no client reader")


def test_permissions_are_proved_where_reads_would_go(judge: Judge) -> None:
    (found,) = judge(standby(reader=READER | {"permissions": []}))
    assert (found.key, found.severity) == ("orgs.dr.clients.reader.permissions", "error")
    assert "lack routing:queue:view" in found.message


def test_a_failover_for_which_nothing_may_move_is_told(judge: Judge) -> None:
    found = judge({"routes.0.match": "GET /api/v2/conversations/{conversationId}", "routes.0.owner": "conversationId"}
                  | standby(reader=READER))  # fmt: skip
    assert "is of no use" in next(f.message for f in found if f.key == "orgs.acme.failover")
