"""Builds configurations for the tests of this room: a sound one, changed by dotted keys."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.config.checks import check, sources_of
from gateway.config.findings import Finding
from gateway.config.load import Loaded
from gateway.config.model import Config

STRONG = "kJ8sQ2vN5xW1zR7tB4mC9pL3fH6dG0aY"
PRODUCTION: dict[str, Any] = {
    "version": 1,
    "server": {"public_url": "https://chat.shop.example"},
    "keys": {"guest": "env:GUEST"},
    "audit": {"key": "env:AUDIT"},
    "orgs": {
        "acme": {
            "region": "eu-west-1",
            "clients": {
                "reader": {
                    "id": "c0ffee00-0000-4000-8000-000000000001",
                    "secret": "env:READER",
                    "permissions": ["routing:queue:view"],
                }
            },
        }
    },
    "sites": {
        "shop": {
            "org": "acme",
            "deployment_id": "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10",
            "origins": ["https://shop.example"],
            "visitors": {
                "issuers": [
                    {"kind": "zendesk-messaging", "kid": "app_5f2b7c1e9a4d3f6b8c0e1a2d", "secret": "env:ISSUER"}
                ]
            },
        }
    },
    "routes": [
        {
            "name": "queue-wait",
            "match": "GET /api/v2/routing/queues/{queueId}/estimatedwaittime",
            "callers": ["backend"],
            "client": "reader",
        }
    ],
    "backends": {"crm": {"key": "env:CRM", "sites": ["shop"], "routes": ["queue-wait"]}},
    "store": {"url": "rediss://store.shop.example:6379/0"},
}
ENVIRON = {name: f"{STRONG}{name}" for name in ("GUEST", "AUDIT", "READER", "ISSUER", "CRM")}

Change = Mapping[str, Any]
Judge = Callable[..., tuple[Finding, ...]]
REMOVE = object()


def changed(changes: Change, base: Mapping[str, Any] = PRODUCTION) -> dict[str, Any]:
    """Return a copy of a configuration with dotted keys set, or taken away where the value is REMOVE."""
    data = copy.deepcopy(dict(base))
    for dotted, value in changes.items():
        *way, last = (int(part) if part.isdigit() else part for part in dotted.split("."))
        node: Any = data
        for part in way:
            node = node[part] if isinstance(part, int) else node.setdefault(part, {})
        if value is REMOVE:
            del node[last]
        elif isinstance(last, int) and last == len(node):
            node.append(value)
        else:
            node[last] = value
    return data


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Judge a changed configuration: `judge({"sites.shop.org": "x"}, environ={...})`."""

    def judged(changes: Change, environ: Mapping[str, str] = ENVIRON) -> tuple[Finding, ...]:
        loaded = Loaded(Config.model_validate(changed(changes)), {}, (), None, tmp_path)
        return check(loaded, sources_of(loaded, environ))

    return judged


@pytest.fixture
def repository() -> Path:
    """The root of the source tree."""
    return Path(__file__).resolve().parents[2]
