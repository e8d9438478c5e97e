"""Secrets of a production configuration are present, unknown to others, and long enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.config.findings import Finding

Judge = Callable[..., tuple[Finding, ...]]
GOOD = "kJ8sQ2vN5xW1zR7tB4mC9pL3fH6dG0aY"


@pytest.mark.parametrize(
    ("changes", "environ", "key", "severity", "words"),
    [
        ({}, {"CRM": ""}, "backends.crm.key", "error", "is empty"),
        ({}, {"CRM": "changeme"}, "backends.crm.key", "error", "anybody knows"),
        ({}, {"CRM": "demo-backend-key-never-use-it-elsewhere"}, "backends.crm.key", "error", "anybody knows"),
        ({}, {"CRM": "x" * 23}, "backends.crm.key", "error", "23 bytes, of 24"),
        ({}, {"READER": "mock-secret-reader"}, "orgs.acme.clients.reader.secret", "error", "anybody knows"),
        ({}, {"GUEST": "x" * 31}, "keys.guest", "error", "31 bytes, of 32"),
        ({}, {"ISSUER": "x" * 31}, "sites.shop.visitors.issuers[0].secret", "warning", "31 bytes, of 32"),
        ({}, {"ISSUER": "x" * 7}, "sites.shop.visitors.issuers[0].secret", "error", "is shorter than"),
        (
            {},
            {"ISSUER": "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n"},
            "sites.shop.visitors.issuers[0].secret",
            "error",
            "not a shared secret",
        ),
        ({"backends.crm.key": "canary-plain-value-of-a-key"}, {}, "backends.crm.key", "error", "plain value"),
        ({"keys.guest": None}, {}, "keys.guest", "error", "is missing"),
        ({"audit.key": None}, {}, "audit.key", "error", "is missing"),
    ],
)
def test_a_bad_secret_is_found_without_being_repeated(
    judge: Judge, changes: Mapping[str, Any], environ: Mapping[str, str], key: str, severity: str, words: str
) -> None:
    names = ("GUEST", "AUDIT", "READER", "ISSUER", "CRM")
    found = judge(changes, {name: f"{GOOD}{name}" for name in names} | dict(environ))
    assert [(f.key, f.severity) for f in found] == [(key, severity)]
    assert words in found[0].message
    assert "canary" not in str(found)
    assert not any(value and value in str(found) for value in environ.values())


def test_a_hashed_backend_key_may_stand_in_the_file(judge: Judge) -> None:
    assert judge({"backends.crm.key": "sha256:" + "0" * 64}) == ()


def test_development_takes_what_production_refuses(judge: Judge) -> None:
    assert judge({"dev": True, "backends.crm.key": "x", "keys.guest": None, "audit.key": None}) == ()


@pytest.mark.parametrize(("key", "how"), [("keys.guest", "32 random bytes"), ("audit.key", "gateway audit keygen")])
def test_a_missing_key_is_told_with_how_to_make_it(judge: Judge, key: str, how: str) -> None:
    (found,) = judge({key: None}, {name: f"{GOOD}{name}" for name in ("GUEST", "AUDIT", "READER", "ISSUER", "CRM")})
    assert how in found.remedy
