"""Routes and backends against the catalogue and each other: one change, one finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.config.findings import Finding

Judge = Callable[..., tuple[Finding, ...]]
ROUTE = {"name": "more", "match": "GET /api/v2/conversations/{conversationId}", "callers": ["backend"]}
CLOSE = {
    "name": "close", "match": "POST /close/{conversationId}", "callers": ["backend"], "owner": "conversationId",
    "upstream": "PATCH /api/v2/conversations/messages/{conversationId}", "client": "reader",
}  # fmt: skip
CLUB = {
    "org": "acme", "deployment_id": "2f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10", "origins": ["https://club.example"],
    "visitors": {"anonymous": True},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "key", "severity", "words"),
    [
        ({"routes.0.client": "writer"}, "routes[0].client", "error", "no client writer"),
        ({"routes.0.client": None}, "routes[0].client", "error", "needs a bearer"),
        ({"routes.0.sites": ["shup"]}, "routes[0].sites[0]", "error", "names no site"),
        (
            {"routes.0.match": "GET /api/v2/routing/queue/{queueId}/estimatedwaittime"},
            "routes[0].match",
            "error",
            "no operation",
        ),
        ({"routes.0.match": "GET routing"}, "routes[0].match", "error", "no path"),
        (
            {"routes.0.match": "POST /api/v2/conversations/messaging/{conversationId}/close"},
            "routes[0].match",
            "error",
            "never existed",
        ),
        (
            {"routes.0.match": "POST /api/v2/webchat/guest/conversations"},
            "routes[0].match",
            "error",
            "removed by Genesys",
        ),
        (
            {"routes.0.match": "GET /api/v2/users/me"},
            "routes[0].client",
            "error",
            "not valid with a client-credentials",
        ),
        ({"routes.0.owner": "conversationId"}, "routes[0]", "error", "owner"),
        (
            {"routes.0.cache_s": 5, "routes.0.match": "DELETE /api/v2/conversations/{conversationId}"},
            "routes[0]",
            "error",
            "cache_s",
        ),
        ({"routes.0.body": {"a": 1}}, "routes[0].body", "error", "GET sends none"),
        (
            {"routes.0.upstream": "PATCH /api/v2/conversations/messages/{queueId}"},
            "routes[0].body",
            "error",
            "needs one",
        ),
        (
            {"routes.1": CLOSE | {"body": {"state": "disconnected", "x": ["{conversation}"]}}},
            "routes[1].body",
            "error",
            "unknown placeholder {conversation}; known are conversationId, external_id, guest_id, site, verified",
        ),
        ({"routes.1": CLOSE | {"body": {"a": "{verified}"}}}, "routes[1].body", "error", "stands for a guest"),
        ({"routes.1": CLOSE | {"body": {"a": "{"}}}, "routes[1].body", "error", "stands alone"),
        ({"routes.0.callers": []}, "routes[0].callers", "warning", "nobody may call"),
        (
            {"routes.0.callers": ["guest"], "routes.0.match": "GET /api/v2/conversations/{conversationId}"},
            "routes[0].owner",
            "high",
            "any guest",
        ),
        (
            {"routes.1": ROUTE | {"client": "reader", "name": "queue-wait"}},
            "routes[1].name",
            "error",
            "is that of routes[0]",
        ),
        (
            {"routes.1": ROUTE | {"client": "reader", "match": "GET /api/v2/routing/queues/{other}/estimatedwaittime"}},
            "routes[1].match",
            "error",
            "match the same requests",
        ),
        (
            {"routes.1": ROUTE | {"match": "GET /api/v2/webmessaging/messages", "name": "guest-history"}},
            "routes[1].name",
            "error",
            "built-in",
        ),
        ({"backends.crm.routes": ["queue-weight"]}, "backends.crm.routes[0]", "error", "names no route"),
        ({"backends.crm.sites": ["shup"]}, "backends.crm.sites[0]", "error", "names no site"),
        ({"routes.0.callers": ["guest"]}, "backends.crm.routes[0]", "error", "does not list"),
        ({"backends.crm.sites": []}, "backends.crm", "warning", "may call nothing"),
        (
            {"sites.club": CLUB, "routes.0.sites": ["club"]},
            "backends.crm.routes[0]",
            "warning",
            "exists on none of its sites",
        ),
        ({"backends.two": {"id": "crm", "key": "env:READER"}}, "backends.two.id", "error", "is that of"),
        ({"backends.crm.public_key": "no.pem"}, "backends.crm.public_key", "error", "cannot be read"),
        ({"backends.crm.key": None}, "backends.crm.key", "error", "nothing could prove"),
        (
            {"backends.crm.key": None, "backends.crm.previous_key": "env:CRM", "backends.crm.public_key": "no.pem"},
            "backends.crm.key",
            "error",
            "nothing could prove",
        ),
    ],
)
def test_a_fault_is_found_by_its_key(
    judge: Judge, changes: Mapping[str, Any], key: str, severity: str, words: str
) -> None:
    found = [f for f in judge(changes) if f.key == key and f.severity == severity]
    assert any(words in f.message for f in found), judge(changes)
    assert all(f.remedy for f in found)


def test_the_remedy_for_a_believed_route_is_the_real_operation(judge: Judge) -> None:
    found = judge({"routes.0.match": "POST /api/v2/conversations/messaging/{conversationId}/close"})
    assert "PATCH /api/v2/conversations/messages/{conversationId}" in found[0].remedy
