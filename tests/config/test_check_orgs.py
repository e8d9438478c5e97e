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
