"""Whose a conversation is can be found out, or the check says why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.config.findings import Finding

Judge = Callable[..., tuple[Finding, ...]]
OWNED = {
    "routes.0.match": "GET /api/v2/conversations/{conversationId}",
    "routes.0.owner": "conversationId",
    "orgs.acme.clients.reader.permissions": ["conversation:communication:view"],
}
MARKED = {"sites.shop.context": {"attributes": {"gateway.guest": "{guest_id}", "gateway.site": "{site}"}}}
ASKING = {"orgs.acme.ownership_client": "reader"}


@pytest.mark.parametrize(
    ("changes", "key", "severity", "words"),
    [
        (OWNED | MARKED, "orgs.acme.ownership_client", "error", "is missing"),
        (
            OWNED | MARKED | {"orgs.acme.ownership_client": "x"},
            "orgs.acme.ownership_client",
            "error",
            "names no client",
        ),
        (ASKING, "orgs.acme.ownership_client", "warning", "of no use"),
        (OWNED | ASKING, "sites.shop.context.attributes", "warning", "gateway.site"),
        (
            OWNED | MARKED | ASKING | {"orgs.acme.clients.reader.permissions": []},
            "orgs.acme.clients.reader.permissions",
            "error",
            "conversation:communication:view",
        ),
    ],
)
def test_an_owner_that_cannot_be_found_out_is_a_finding(
    judge: Judge, changes: Mapping[str, Any], key: str, severity: str, words: str
) -> None:
    found = [f for f in judge(changes) if f.key == key and f.severity == severity]
    assert any(words in f.message for f in found), judge(changes)


def test_a_sound_owner_has_no_findings(judge: Judge) -> None:
    assert [f for f in judge(OWNED | MARKED | ASKING) if f.severity in ("error", "high")] == []


def test_asking_for_owners_is_a_use_of_the_clients_permission(judge: Judge) -> None:
    """A client that only finds out owners holds what that needs, and nothing of it is too much."""
    second = {"id": "c0ffee00-0000-4000-8000-000000000009", "secret": "env:READER", "permissions": []}
    second["permissions"] = ["conversation:communication:view"]
    changes = OWNED | MARKED | {"orgs.acme.clients.asker": second, "orgs.acme.ownership_client": "asker"}
    assert [f for f in judge(changes) if f.key.startswith("orgs.acme.clients.asker") and f.severity != "warning"] == []
