"""Subject rules and sign-in at Genesys: each contradiction is found, each price is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.config.conftest import ENVIRON, Judge

ISSUER = {"kind": "zendesk-messaging", "kid": "app_5f2b7c1e9a4d3f6b8c0e1a2d", "secret": "env:ISSUER"}
CHAT = {"kind": "zendesk-chat", "secret": "env:ISSUER"}
OIDC = {"oidc.clients": {"genesys": {"id": "g", "secret": "env:OIDC", "redirect_uris": ["https://shop.example/"]}}}
RANDOM = "9c0d9a52-31a4-4a0b-8a26-4cf86ab9b5d1"


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        ({"kind": "uuid5"}, "namespace"),
        ({"namespace": "env:NAMESPACE"}, "namespace"),
        ({"kind": "passthrough", "form": "base32"}, "form"),
        ({"allow_at": True}, "allow_at"),
        ({"kind": "uuid5", "namespace": "env:WRONG"}, "namespace"),
        ({"kind": "uuid5", "namespace": "env:PUBLIC"}, "namespace"),
    ],
)
def test_a_subject_rule_without_sense_is_an_error(judge: Judge, subject: dict[str, Any], key: str) -> None:
    environ = {
        **ENVIRON,
        "NAMESPACE": RANDOM,
        "WRONG": "no uuid, but long enough",
        "PUBLIC": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    }
    found = judge({"sites.shop.visitors.subject": subject}, environ)
    assert ("error", f"sites.shop.visitors.subject.{key}") in {(f.severity, f.key) for f in found}


@pytest.mark.parametrize("kind", ["uuid5", "passthrough"])
def test_equal_identifiers_of_two_issuers_are_never_one_person(judge: Judge, kind: str) -> None:
    subject = {"kind": kind} | ({"namespace": "env:NAMESPACE"} if kind == "uuid5" else {})
    changes = {"sites.shop.visitors.subject": subject, "sites.shop.visitors.issuers": [ISSUER, CHAT]}
    found = judge(changes, {**ENVIRON, "NAMESPACE": RANDOM})
    assert ("error", "sites.shop.visitors.subject.kind") in {(f.severity, f.key) for f in found}


@pytest.mark.parametrize("kind", ["uuid5", "passthrough"])
def test_the_price_of_other_kinds_is_told(judge: Judge, kind: str) -> None:
    subject = {"kind": kind} | ({"namespace": "env:NAMESPACE"} if kind == "uuid5" else {})
    found = judge({"sites.shop.visitors.subject": subject}, {**ENVIRON, "NAMESPACE": RANDOM})
    assert [f.severity for f in found if f.key == "sites.shop.visitors.subject.kind"] == ["warning"]


def test_a_namespace_that_cannot_be_read_is_told_once(judge: Judge) -> None:
    found = judge({"sites.shop.visitors.subject": {"kind": "uuid5", "namespace": "env:NOWHERE"}}, ENVIRON)
    assert [f.severity for f in found if f.key == "sites.shop.visitors.subject.namespace"] == ["error"]


def test_signing_in_at_genesys_needs_a_client_and_the_proxied_mode(judge: Judge) -> None:
    here = "sites.shop.visitors.genesys_login"
    assert [f.severity for f in judge({here: True}, ENVIRON) if f.key == here] == ["error"]
    environ = {**ENVIRON, "OIDC": "a-secret-of-the-relying-party-1234"}
    assert [f.severity for f in judge({here: True, **OIDC}, environ) if f.key == here] == []
    changes = {here: True, "sites.shop.mode": "messenger", **OIDC}
    assert [f.severity for f in judge(changes, environ) if f.key == here] == ["error"]


def test_signing_in_at_genesys_without_an_issuer_signs_nobody_in(judge: Judge) -> None:
    here = "sites.shop.visitors.genesys_login"
    changes = {here: True, "sites.shop.visitors.issuers": [], "sites.shop.visitors.anonymous": True, **OIDC}
    found = judge(changes, {**ENVIRON, "OIDC": "a-secret-of-the-relying-party-1234"})
    assert [f.severity for f in found if f.key == here] == ["warning"]
