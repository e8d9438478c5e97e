"""Listeners, proxies, TLS and the store: one change to a sound configuration, one finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.config.findings import Finding

Judge = Callable[..., tuple[Finding, ...]]


@pytest.mark.parametrize(
    ("changes", "key", "severity", "words"),
    [
        ({"server.listen": "8080"}, "server.listen", "error", "not address:port"),
        ({"server.listen": "[::1]:99999"}, "server.listen", "error", "above 65535"),
        ({"admin.listen": "127.0.0.1:8080"}, "admin.listen", "error", "public listener's own"),
        ({"admin.listen": "0.0.0.0:9090"}, "admin.token", "error", "reachable at 0.0.0.0:9090"),
        ({"server.workers": 0}, "server.workers", "error", "at least 1"),
        ({"server.workers": 129}, "server.workers", "error", "at most 128"),
        ({"server.public_url": "http://chat.shop.example"}, "server.public_url", "error", "plain http"),
        ({"server.public_url": "https://chat.shop.example/x"}, "server.public_url", "error", "has a path"),
        ({"server.public_url": "https://chat.shop.example/"}, "server.public_url", "error", "ends with a slash"),
        ({"server.public_url": "https://a@chat.shop.example"}, "server.public_url", "error", "user information"),
        ({"server.public_url": ""}, "server.public_url", "warning", "is missing"),
        ({"server.trusted_proxies": ["10.0.0.1/8"]}, "server.trusted_proxies[0]", "error", "not a network"),
        ({"server.trusted_proxies": ["0.0.0.0/0"]}, "server.trusted_proxies[0]", "high", "believes every"),
        (
            {"server.tls": {"certificate": "no.pem", "key": "no.pem"}},
            "server.tls.certificate",
            "error",
            "cannot be read",
        ),
        ({"store.url": "mysql://x"}, "store.url", "error", "no kind of store"),
        ({"store.url": "memory://", "server.workers": 2}, "store.url", "error", "several workers cannot share"),
        ({"store.url": "memory://"}, "store.url", "info", "sessions end"),
        ({"store.url": "rediss://:pw@h"}, "store.url", "error", "password in plain text"),
        ({"store.url": "redis://h.example"}, "store.url", "warning", "without TLS"),
        ({"dev": True, "server.listen": "0.0.0.0:8080"}, "dev", "high", "reachable"),
    ],
)
def test_a_fault_is_found_by_its_key(
    judge: Judge, changes: Mapping[str, Any], key: str, severity: str, words: str
) -> None:
    found = [f for f in judge(changes) if f.key == key and f.severity == severity]
    assert any(words in f.message for f in found), judge(changes)
    assert all(f.remedy for f in found)
