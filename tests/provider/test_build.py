"""Compiled configuration into the provider's entries: digests instead of secrets."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.config.compile import CompiledBackend, CompiledParty
from gateway.config.secrets import Secret
from gateway.policy import decision
from gateway.policy.oauth_forms import secret_digest
from gateway.provider.build import backend_rules, relying_parties

CALLER = decision.Backend("crm", frozenset({"shop"}), frozenset({"close"}))
PEM = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def compiled(*keys: str, pem: str | None = None) -> CompiledBackend:
    return CompiledBackend("crm", "crm-id", tuple(Secret(key) for key in keys), pem, CALLER, 600)


def test_a_backend_keeps_everything_but_its_keys() -> None:
    hashed = "sha256:" + hashlib.sha256(b"old").hexdigest()
    (rules,) = backend_rules([compiled("new", hashed, pem=PEM)])
    assert rules.key_digests == (secret_digest("new"), secret_digest("old"))
    assert (rules.name, rules.client_id, rules.handle_s, rules.caller) == ("crm", "crm-id", 600, CALLER)
    assert rules.public_key is not None
    assert rules.public_key.algorithm == "EdDSA"


def test_bad_hashes_and_public_keys_are_named() -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        backend_rules([compiled("sha256:12")])
    with pytest.raises(ValueError, match="PEM"):
        backend_rules([compiled("key", pem="nonsense")])


def test_a_relying_party_keeps_everything_but_its_secrets() -> None:
    party = CompiledParty("genesys", "id", (Secret("new"), Secret("old")), ("https://x/cb",), frozenset({"shop"}))
    (built,) = relying_parties([party])
    assert built.secret_digests == (secret_digest("new"), secret_digest("old"))
    assert (built.name, built.client_id, built.redirect_uris, built.sites) == (
        "genesys",
        "id",
        ("https://x/cb",),
        frozenset({"shop"}),
    )
