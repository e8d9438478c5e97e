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
