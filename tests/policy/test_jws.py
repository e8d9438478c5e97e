"""Tests of compact tokens: form before meaning, and one algorithm per key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.jws import (
    MAX_TOKEN_BYTES,
    REFUSED_HEADERS,
    is_signed_by,
    open_token,
    public_key,
    shared_secret,
)

SECRET = "a-shared-secret-of-a-good-forty-characters"
CLAIMS = {"sub": "ada", "name": "Ada"}
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
JWKS: dict[str, dict[str, Any]] = {
    "RS256": RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True),
    "ES256": ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True),
    "EdDSA": OKPAlgorithm.to_jwk(ED_KEY.public_key(), as_dict=True),
}
PRIVATE: dict[str, Any] = {"RS256": RSA_KEY, "ES256": EC_KEY, "EdDSA": ED_KEY}


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: object, claims: object, secret: str = SECRET) -> str:
    """A token signed by hand, whatever its parts hold."""
    signing_input = f"{part(header)}.{part(claims)}"
    digest = hmac.digest(secret.encode(), signing_input.encode(), hashlib.sha256)
    return f"{signing_input}.{part(digest)}"


GOOD = signed({"alg": "HS256", "typ": "JWT", "kid": "k"}, CLAIMS)


def test_a_token_is_taken_apart() -> None:
    opened = open_token(GOOD)
    assert opened.header == {"alg": "HS256", "typ": "JWT", "kid": "k"}
    assert opened.claims == CLAIMS
    assert (opened.algorithm, opened.kid) == ("HS256", "k")
    assert is_signed_by(opened, shared_secret(SECRET))


def test_the_real_library_and_ours_agree() -> None:
    token = jwt.encode(CLAIMS, SECRET, "HS256", {"kid": "k"})
    assert is_signed_by(open_token(token), shared_secret(SECRET))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        GOOD + ".",
        GOOD + "=",
        GOOD + "\n",
        " " + GOOD,
        f"Bearer {GOOD}",
        GOOD.replace(".", ".."),
        GOOD.replace("-", "+").replace("_", "/") + "/",
        "é." + GOOD,
        part({"alg": "HS256"}) + "." + part(CLAIMS) + ".AAAAA",
        part({"alg": "HS256"}) + "." + part(CLAIMS) + ".AB",
        part(b"{") + ".e30.",
        part(b"[]") + ".e30.",
        part(b'"HS256"') + ".e30.",
        part({"alg": "HS256"}) + "." + part(b"[]") + ".",
        part({"alg": "HS256"}) + "." + part(b"x") + ".",
        part({"alg": "HS256"}) + "." + part(json.dumps(CLAIMS).encode("utf-16")) + ".",
        part(json.dumps({"alg": "HS256"}).encode("utf-16")) + ".e30.",
        part({"alg": "HS256"}) + "." + part(b"\xef\xbb\xbf{}") + ".",
        part(b'{"alg":"HS256","alg":"none"}') + ".e30.",
        part({"alg": "HS256"}) + "." + part(b'{"external_id":"a","external_id":"b"}') + ".",
        part({"alg": "HS256"}) + "." + part(b'{"exp":NaN}') + ".",
        part({"alg": "HS256"}) + "." + part(b'{"a":' * 20 + b"1" + b"}" * 20) + ".",
        *[signed({"alg": "HS256", name: ["x"]}, CLAIMS) for name in REFUSED_HEADERS],
        signed({"alg": "HS256", "typ": "at+jwt"}, CLAIMS),
        signed({"alg": "HS256", "typ": ["JWT"]}, CLAIMS),
        signed({"alg": "HS256", "typ": "JWE"}, CLAIMS),
    ],
)
def test_a_malformed_token_is_refused(token: str) -> None:
    with pytest.raises(Refusal) as caught:
        open_token(token)
    assert caught.value.reason is errors.VISITOR_MALFORMED


def test_a_token_is_measured_before_it_is_read() -> None:
    with pytest.raises(Refusal) as caught:
        open_token("{" * (MAX_TOKEN_BYTES + 1))
    assert caught.value.reason is errors.VISITOR_TOO_LARGE


@pytest.mark.parametrize("header", [{"alg": "HS256"}, {"alg": "HS256", "typ": "jwt"}, {"alg": "HS256", "x5t": "x"}])
def test_headers_that_change_nothing_are_left_alone(header: dict[str, str]) -> None:
    assert is_signed_by(open_token(signed(header, CLAIMS)), shared_secret(SECRET))


def test_a_kid_that_is_no_string_is_none() -> None:
    assert open_token(signed({"alg": "HS256", "kid": 7}, CLAIMS)).kid is None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_published_key_verifies_its_own_algorithm_only(algorithm: str) -> None:
    key = public_key({**JWKS[algorithm], "kid": "k", "use": "sig", "alg": algorithm})
    assert (key.algorithm, key.kid, key.label) == (algorithm, "k", "k")
    assert is_signed_by(open_token(jwt.encode(CLAIMS, PRIVATE[algorithm], algorithm)), key)
    for other in {"RS256", "ES256", "EdDSA"} - {algorithm}:
        assert not is_signed_by(open_token(jwt.encode(CLAIMS, PRIVATE[other], other)), key)


@pytest.mark.parametrize("name", ["none", "None", "HS512", "hs256", "RS256", "", None, 7])
def test_an_algorithm_that_the_key_is_not_for_never_verifies(name: object) -> None:
    assert not is_signed_by(open_token(signed({"alg": name}, CLAIMS)), shared_secret(SECRET))


def test_a_public_key_is_never_used_as_a_shared_secret() -> None:
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for confused in (pem, json.dumps(JWKS["RS256"])):
        with pytest.raises(ValueError, match="public key, certificate or JWK"):
            shared_secret(confused)
        forged = open_token(signed({"alg": "HS256"}, CLAIMS, confused))
        assert not is_signed_by(forged, public_key(JWKS["RS256"]))


def test_a_wrong_or_missing_signature_never_verifies() -> None:
    key = shared_secret(SECRET)
    head, claims, _ = GOOD.split(".")
    assert not is_signed_by(open_token(f"{head}.{claims}."), key)
    assert not is_signed_by(open_token(signed({"alg": "HS256"}, CLAIMS, SECRET + "x")), key)
    other = part({**CLAIMS, "sub": "bob"})
    assert not is_signed_by(open_token(f"{head}.{other}.{GOOD.split('.')[2]}"), key)


@pytest.mark.parametrize("size", [0, 1, 63, 65, 128])
def test_an_elliptic_signature_of_the_wrong_size_never_verifies(size: int) -> None:
    token = f"{part({'alg': 'ES256'})}.{part(CLAIMS)}.{part(bytes(size))}"
    assert not is_signed_by(open_token(token), public_key(JWKS["ES256"]))


@given(st.sampled_from(["RS256", "ES256", "EdDSA"]), st.binary(max_size=300))
def test_no_bytes_whatever_are_a_signature(algorithm: str, signature: bytes) -> None:
    token = f"{part({'alg': algorithm})}.{part(CLAIMS)}.{part(signature)}"
    assert not is_signed_by(open_token(token), public_key(JWKS[algorithm]))


def test_a_blank_elliptic_signature_never_verifies() -> None:
    token = f"{part({'alg': 'ES256'})}.{part(CLAIMS)}.{part(bytes(64))}"
    assert not is_signed_by(open_token(token), public_key(JWKS["ES256"]))


def test_a_secret_is_used_as_its_own_bytes_and_never_decoded() -> None:
    secret = base64.b64encode(b"sixteen bytes or more").decode()
    decoded = base64.b64decode(secret).decode()
    assert is_signed_by(open_token(signed({"alg": "HS256"}, CLAIMS, secret)), shared_secret(secret))
    assert not is_signed_by(open_token(signed({"alg": "HS256"}, CLAIMS, decoded)), shared_secret(secret))


def test_a_secret_of_few_bytes_is_a_fault() -> None:
    with pytest.raises(ValueError, match="shorter than 16 bytes"):
        shared_secret("short")


WEAK_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()


@pytest.mark.parametrize(
    ("jwk", "message"),
    [
        ({}, "not a key for"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "not a key for"),
        ({"kty": "EC", "crv": "P-384"}, "not a key for"),
        ({"kty": "OKP", "crv": "X25519"}, "not a key for"),
        ({**JWKS["RS256"], "alg": "RS512"}, "not a key for"),
        ({**JWKS["RS256"], "alg": "HS256"}, "not a key for"),
        (RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True), "private key"),
        ({**JWKS["RS256"], "use": "enc"}, "not for signatures"),
        ({**JWKS["RS256"], "kid": 7}, "kid that is not a string"),
        ({"kty": "RSA", "n": "AQAB"}, "not a valid key"),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "not a valid key"),
        ({"kty": "OKP", "crv": "Ed25519", "x": 7}, "not a valid key"),
        (RSAAlgorithm.to_jwk(WEAK_RSA, as_dict=True), "less than 2048 bits"),
    ],
)
def test_a_published_key_that_must_not_be_used_is_refused(jwk: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        public_key(jwk)


def test_the_replay_key_does_not_depend_on_the_signature() -> None:
    one, other = (open_token(jwt.encode(CLAIMS, EC_KEY, "ES256")) for _ in range(2))
    assert one.signature != other.signature
    assert one.replay_key() == other.replay_key()
    assert one.replay_key() != open_token(GOOD).replay_key()


def test_nothing_of_a_token_or_key_stands_in_a_repr() -> None:
    shown = repr(open_token(GOOD)) + repr(shared_secret(SECRET))
    assert "ada" not in shown
    assert SECRET not in shown
