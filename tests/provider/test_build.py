"""Compiled configuration into the provider's entries: digests instead of secrets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.config.compile import CompiledBackend, CompiledParty
from gateway.config.model import Oidc
from gateway.config.secrets import Secret
from gateway.policy import decision
from gateway.policy.oauth_forms import secret_digest
from gateway.provider.build import (
    assertion_audiences,
    backend_rules,
    bearer_audiences,
    key_ring,
    lives_of,
    relying_parties,
)
from gateway.provider.tokens import Lives
from tests.provider.parts import NOW

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


def test_lives_are_those_of_the_configuration() -> None:
    assert lives_of(Oidc()) == Lives()
    oidc = Oidc(code_s=30, access_token_s=1200, id_token_s=60, refresh_s=0, refresh_grace_s=0)
    assert lives_of(oidc) == Lives(30, 1200, 60, 0, 0)


def test_the_key_ring_stands_beside_the_configuration(tmp_path: Path) -> None:
    oidc = Oidc(keys_dir="keys", publish_ahead_s=100, id_token_s=60)
    ring = key_ring(oidc, tmp_path)
    ring.ensure(NOW)
    assert (tmp_path / "keys" / "ring.json").is_file()
    old = ring.overview(NOW)[0][0].kid
    ring.rotate(NOW, oidc.publish_ahead_s)
    assert old in str(ring.jwks(NOW + 100 + 159))
    assert old not in str(ring.jwks(NOW + 100 + 160))


def test_an_assertion_is_for_us_or_one_of_our_endpoints() -> None:
    audiences = assertion_audiences("https://x.example")
    assert {"https://x.example", "https://x.example/oauth/token", "https://x.example/oauth/revoke"} < audiences
    assert all(audience.startswith("https://x.example") for audience in audiences)


def test_a_bearer_names_the_issuer_for_all_sites_or_the_url_of_one() -> None:
    hosts = {"shop": ("chat.shop.example",), "outlet": ()}
    assert bearer_audiences("https://gw.example", hosts) == {
        "https://gw.example": frozenset({"shop", "outlet"}),
        "https://gw.example/sites/shop": frozenset({"shop"}),
        "https://gw.example/sites/outlet": frozenset({"outlet"}),
        "https://chat.shop.example": frozenset({"shop"}),
    }
    assert bearer_audiences("https://chat.shop.example", hosts)["https://chat.shop.example"] == {"shop", "outlet"}


def test_without_an_issuer_nothing_is_an_audience_but_the_hosts_of_sites() -> None:
    assert assertion_audiences("") == frozenset()
    assert bearer_audiences("", {"shop": ("Chat.Shop.example",), "outlet": ()}) == {
        "https://chat.shop.example": frozenset({"shop"})
    }
