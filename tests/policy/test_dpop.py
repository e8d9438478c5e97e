"""Proofs of possession: the ones that hold, and each rule of RFC 9449 section 4.3 that they may break."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.errors import Refusal
from gateway.policy.dpop import check_binding, check_proof, key_thumbprint

NOW = 1_790_000_000.0
HANDLE = "gws_" + "A" * 43
KEY = ec.generate_private_key(ec.SECP256R1())
JWK: dict[str, Any] = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
OTHER: dict[str, Any] = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_JWK: dict[str, Any] = RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True)
ATH = base64.urlsafe_b64encode(hashlib.sha256(HANDLE.encode()).digest()).rstrip(b"=").decode()
CLAIMS = {"htm": "POST", "htu": "https://chat.example/sites/shop/ticket", "iat": NOW, "jti": "12345678", "ath": ATH}
GONE = object()


def proof(header: dict[str, Any] | None = None, key: Any = KEY, algorithm: str = "ES256", **claims: Any) -> str:
    """A proof with some claims or header members changed, or left out."""
    headers = {"typ": "dpop+jwt", "jwk": JWK, **(header or {})}
    said = {**CLAIMS, **claims}
    return jwt.encode(
        {name: value for name, value in said.items() if value is not GONE},
        key,
        algorithm=algorithm,
        headers={name: value for name, value in headers.items() if value is not GONE},
    )


def check(text: str, *, handle: str | None = HANDLE, host: str = "chat.example") -> str:
    return check_proof(text, method="POST", host=host, path="/sites/shop/ticket", handle=handle, now=NOW).thumbprint


def test_a_good_proof_names_its_key() -> None:
    assert check(proof()) == key_thumbprint(JWK)
    assert check(proof(ath=GONE), handle=None) == key_thumbprint(JWK)


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    members = json.dumps({name: JWK[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    expected = base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()
    assert key_thumbprint({**JWK, "alg": "ES256", "use": "sig"}) == expected


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": NOW - 60},
        {"iat": NOW + 10},
        {"htu": "https://CHAT.example/sites/shop/ticket"},
        {"htu": "http://chat.example/sites/shop/ticket?a=1#b"},
        {"jti": "x" * 128},
        {"more": "is allowed"},
    ],
)
def test_what_the_rfc_leaves_open_is_taken(claims: dict[str, Any]) -> None:
    assert check(proof(**claims))


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"htm": "GET"}, "htm"),
        ({"htm": GONE}, "htm"),
        ({"htm": "post"}, "htm"),
        ({"htu": "https://other.example/sites/shop/ticket"}, "htu"),
        ({"htu": GONE}, "htu"),
        ({"htu": 7}, "htu"),
        ({"htu": "https://chat.example/sites/shop/session"}, "htu"),
        ({"htu": "https://[chat/"}, "htu"),
        ({"htu": "ftp://chat.example/sites/shop/ticket"}, "htu"),
        ({"htu": "https://chat.example:444/sites/shop/ticket"}, "htu"),
        ({"iat": NOW - 61}, "iat"),
        ({"iat": NOW + 11}, "iat"),
        ({"iat": GONE}, "iat"),
        ({"iat": "1"}, "iat"),
        ({"iat": True}, "iat"),
        ({"ath": GONE}, "ath"),
        ({"ath": "x"}, "ath"),
        ({"ath": None}, "ath"),
        ({"ath": "\u00e9"}, "ath"),
        ({"ath": ATH + "="}, "ath"),
        ({"jti": GONE}, "jti"),
        ({"jti": "short"}, "jti"),
        ({"jti": "x" * 129}, "jti"),
        ({"jti": 12345678}, "jti"),
    ],
)
def test_a_proof_for_anything_else_does_not_hold(claims: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal) as refused:
        check(proof(**claims))
    assert refused.value.code == "dpop.invalid"
    assert words in refused.value.detail


@pytest.mark.parametrize(
    "text",
    [
        proof({"typ": "JWT"}),
        proof({"typ": GONE}),
        proof({"jwk": GONE}),
        proof({"jwk": "x"}),
        proof({"jwk": OTHER}),
        proof({"jwk": {**JWK, "d": "AQAB"}}),
        proof({"jwk": {"kty": "EC"}}),
        proof({"jku": "https://evil.example"}),
        proof({"jwk": RSA_JWK}, RSA_KEY, "RS256"),
        proof({"jwk": RSA_JWK}),
        proof(key="s" * 32, algorithm="HS256"),
        "",
        "a.b.c",
        "x" * 9000,
        proof() + "x",
    ],
)
def test_what_is_no_proof_by_its_own_key_does_not_hold(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        check(text)
    assert refused.value.code == "dpop.invalid"


def test_two_proofs_with_one_id_are_one_and_other_keys_ids_are_their_own() -> None:
    def replay_key(text: str) -> str:
        found = check_proof(text, method="POST", host="chat.example", path="/sites/shop/ticket", handle=None, now=NOW)
        return found.replay_key

    assert replay_key(proof()) == replay_key(proof(iat=NOW - 1))
    assert replay_key(proof()) != replay_key(proof(jti="abcdefgh"))


@pytest.mark.parametrize(
    ("bound", "shown", "required", "code"),
    [
        (None, None, False, None),
        (None, "k", False, None),
        (None, "k", True, None),
        ("k", "k", True, None),
        ("k", "k", False, None),
        (None, None, True, "dpop.missing"),
        ("k", None, False, "dpop.missing"),
        ("k", None, True, "dpop.missing"),
        ("k", "l", True, "dpop.invalid"),
        ("k", "l", False, "dpop.invalid"),
    ],
)
def test_who_may_use_a_session(bound: str | None, shown: str | None, required: bool, code: str | None) -> None:
    if code is None:
        check_binding(bound, shown, required=required)
        return
    with pytest.raises(Refusal) as refused:
        check_binding(bound, shown, required=required)
    assert refused.value.code == code


@given(st.text(max_size=200))
def test_no_text_is_a_proof(text: str) -> None:
    with pytest.raises(Refusal):
        check(text)


@given(st.integers(0, 300), st.characters(codec="ascii"))
def test_no_altered_proof_holds(at: int, char: str) -> None:
    text = proof()
    altered = text[: at % len(text)] + char + text[at % len(text) + 1 :]
    if altered != text:
        with pytest.raises(Refusal):
            check(altered)
