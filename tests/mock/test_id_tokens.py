"""The check of id_tokens."""

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.mock.id_tokens import IdTokenRefused, Rules, check_claims, key_id, verify

KEY = rsa.generate_private_key(65537, 2048)
RULES = Rules("https://issuer", "genesys", nonce="n", max_age_s=300)
GOOD: dict[str, Any] = {
    "iss": "https://issuer",
    "aud": "genesys",
    "sub": "ana",
    "iat": 1000,
    "exp": 2000,
    "nonce": "n",
    "auth_time": 900,
}


def test_good_claims_pass() -> None:
    check_claims(GOOD, RULES, 1000.0)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"iss": "https://issuer/"}, "iss is not"),
        ({"aud": ["genesys"]}, "aud is not"),
        ({"aud": "other"}, "aud is not"),
        ({"sub": ""}, "sub is not"),
        ({"sub": "ä"}, "sub is not"),
        ({"sub": "x" * 256}, "sub is not"),
        ({"exp": 1000}, "expired"),
        ({"exp": None}, "expired"),
        ({"iat": 1061}, "future"),
        ({"nonce": "other"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"auth_time": None}, "auth_time"),
        ({"auth_time": 600}, "older than maxAge"),
    ],
)
def test_each_broken_rule_is_named(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(IdTokenRefused, match=fault):
        check_claims({**GOOD, **change}, RULES, 1000.0)


def test_a_nonce_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(IdTokenRefused, match="nonce"):
        check_claims(GOOD, Rules("https://issuer", "genesys"), 1000.0)


def test_the_signature_must_be_of_the_key() -> None:
    token = jwt.encode(GOOD, KEY, algorithm="RS256", headers={"kid": "k1"})
    assert key_id(token) == "k1"
    assert verify(token, KEY.public_key()) == GOOD
    with pytest.raises(IdTokenRefused, match="signature"):
        verify(token, rsa.generate_private_key(65537, 2048).public_key())


@pytest.mark.parametrize(
    "token",
    [
        "junk",
        jwt.encode(GOOD, "s" * 32, algorithm="HS256", headers={"kid": "k1"}),
        jwt.encode(GOOD, KEY, algorithm="RS256"),
        "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.e30.",
    ],
)
def test_tokens_without_rs256_and_key_id_are_refused(token: str) -> None:
    with pytest.raises(IdTokenRefused):
        key_id(token)
