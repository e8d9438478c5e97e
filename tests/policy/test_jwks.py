"""An issuer's documents: which addresses follow from them, which keys are taken, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.policy.jwks import MAX_KEYS, Address, discovery_address, jwks_address, read_key_set

ISSUER = "https://idp.example/tenant"
RSA: dict[str, Any] = {
    **RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(), as_dict=True),
    "kid": "r",
}
EC: dict[str, Any] = {
    **ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True),
    "kid": "e",
}


def document(**members: object) -> bytes:
    return json.dumps({"issuer": ISSUER, "jwks_uri": "https://keys.example/set?v=1", **members}).encode()


def test_the_discovery_document_stands_below_the_issuer() -> None:
    expected = Address("https://idp.example", "/tenant/.well-known/openid-configuration")
    assert discovery_address(ISSUER) == discovery_address(f"{ISSUER}/") == expected


def test_the_keys_may_stand_at_another_host_and_port() -> None:
    assert jwks_address(document(), ISSUER) == Address("https://keys.example", "/set?v=1")
    elsewhere = document(jwks_uri="https://keys.example:8443")
    assert jwks_address(elsewhere, ISSUER) == Address("https://keys.example:8443", "/")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"issuer": "https://idp.example"}, "another issuer"),
        ({"issuer": ISSUER + "/"}, "another issuer"),
        ({"issuer": None}, "another issuer"),
        ({"jwks_uri": None}, "no jwks_uri"),
        ({"jwks_uri": ["https://a"]}, "no jwks_uri"),
        ({"jwks_uri": "http://keys.example/"}, "https"),
        ({"jwks_uri": "file:///etc/passwd"}, "https"),
        ({"jwks_uri": "/relative"}, "https"),
        ({"jwks_uri": "https://user:pw@keys.example/"}, "user"),
        ({"jwks_uri": "https://keys.example/#x"}, "fragment"),
        ({"jwks_uri": "https://keys.example/a b"}, "blanks"),
        ({"jwks_uri": "https://k\u00e9ys.example/"}, "characters"),
    ],
)
def test_a_document_that_is_not_the_issuers_own_is_nothing(members: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        jwks_address(document(**members), ISSUER)


def test_plain_http_is_for_development() -> None:
    assert jwks_address(document(jwks_uri="http://127.0.0.1:1/k"), ISSUER, http_too=True).target == "/k"
    with pytest.raises(ValueError, match="https"):
        discovery_address("http://127.0.0.1")


def test_keys_for_other_purposes_are_passed_over() -> None:
    rows = [RSA, {**RSA, "use": "enc"}, {"kty": "oct", "k": "c2VjcmV0"}, EC, "x", {**RSA, "d": "AQAB"}, {}]
    assert [(key.kid, key.algorithm) for key in read_key_set(json.dumps({"keys": rows}).encode())] == [
        ("r", "RS256"),
        ("e", "ES256"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [{"kty": "oct"}]}',
        b"\xff",
        b'{"keys":[],"keys":[]}',
    ],
)
def test_what_holds_no_usable_key_is_no_key_set(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|holds|names)"):
        read_key_set(body)


def test_a_set_without_end_is_none() -> None:
    with pytest.raises(ValueError, match="at most"):
        read_key_set(json.dumps({"keys": [RSA] * (MAX_KEYS + 1)}).encode())
