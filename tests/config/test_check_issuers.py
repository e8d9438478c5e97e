"""Issuer profiles: one change, one finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.config.findings import Finding

Judge = Callable[..., tuple[Finding, ...]]
ISSUER = "sites.shop.visitors.issuers"


@pytest.mark.parametrize(
    ("changes", "key", "severity", "words"),
    [
        ({f"{ISSUER}.0.kid": "key1"}, f"{ISSUER}[0].kid", "error", "24 hex digits"),
        ({f"{ISSUER}.0.kind": "zendesk-chat"}, f"{ISSUER}[0].kid", "error", "means nothing"),
        ({f"{ISSUER}.0.kind": "oidc"}, f"{ISSUER}[0].audience", "error", "oidc needs it"),
        (
            {f"{ISSUER}.1": {"kind": "oidc", "issuer": "http://x", "audience": "a"}},
            f"{ISSUER}[1].issuer",
            "error",
            "https",
        ),
        (
            {
                f"{ISSUER}.1": {
                    "kind": "zendesk-messaging",
                    "name": "b",
                    "kid": "app_5f2b7c1e9a4d3f6b8c0e1a2d",
                    "secret": "env:CRM",
                }
            },
            f"{ISSUER}[1].kid",
            "error",
            "is that of",
        ),
        ({f"{ISSUER}.0.max_lifetime_s": 31536000}, f"{ISSUER}[0].max_lifetime_s", "warning", "more than a day"),
    ],
)
def test_a_fault_is_found_by_its_key(
    judge: Judge, changes: Mapping[str, Any], key: str, severity: str, words: str
) -> None:
    found = [f for f in judge(changes) if f.key == key and f.severity == severity]
    assert any(words in f.message for f in found), judge(changes)
    assert all(f.remedy for f in found)


def test_the_keys_of_a_ring_share_the_name_that_makes_a_visitor_the_same_person(judge: Judge) -> None:
    new = {"kind": "zendesk-messaging", "kid": "app_aaaaaaaaaaaaaaaaaaaaaaaa", "secret": "env:CRM"}
    assert [f for f in judge({f"{ISSUER}.1": new}) if f.severity == "error"] == []


def test_two_profiles_never_share_a_name(judge: Judge) -> None:
    chat = {"kind": "zendesk-chat", "name": "zendesk-messaging", "secret": "env:CRM"}
    assert [f.key for f in judge({f"{ISSUER}.1": chat}) if f.severity == "error"] == [f"{ISSUER}[1].name"]
