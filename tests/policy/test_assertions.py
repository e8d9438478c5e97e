"""Signed client assertions (RFC 7523): what is taken, and each way in which one is refused."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.assertions import MAX_ASSERTION_BYTES, claimed_client, read_public_key, verify_assertion

NOW = 1_763_600_000.0
AUDIENCE = "https://chat.shop.example/oauth/token"
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS: dict[str, Private] = {
    "RS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def claims(**changes: object) -> dict[str, object]:
    base = {"iss": "crm", "sub": "crm", "aud": AUDIENCE, "exp": NOW + 60, "jti": "one"}
    return {name: value for name, value in (base | changes).items() if value is not None}


def signed(algorithm: str = "RS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), KEYS[algorithm], algorithm=algorithm)


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_each_kind_of_key_has_its_one_algorithm(algorithm: str) -> None:
    key = read_public_key(pem(KEYS[algorithm]))
    assert key.algorithm == algorithm
    verified = verify_assertion(signed(algorithm), key, {AUDIENCE}, NOW)
    assert (verified.remember_s, verified.audiences, verified.issued_at) == (90.0, frozenset({AUDIENCE}), NOW - 240)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"aud": "https://other.example"}, "aud"),
        ({"aud": ["https://other.example", 7]}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": 1e300}, "exp"),
        ({"exp": NOW - 31}, "expired"),
        ({"nbf": NOW + 31}, "not yet"),
        ({"exp": NOW + 400}, "longer than"),
        ({"iat": "now"}, "iat"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": "x" * 256}, "jti"),
        ({"jti": 5}, "jti"),
    ],
)
def test_wrong_claims_are_refused_by_name(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(Refusal, match=says) as caught:
        verify_assertion(signed(**changes), read_public_key(pem(RSA)), {AUDIENCE}, NOW)
    assert caught.value.reason is errors.CLIENT_INVALID


def test_one_of_several_audiences_suffices() -> None:
    verified = verify_assertion(signed(aud=["x", AUDIENCE, 5]), read_public_key(pem(RSA)), {AUDIENCE}, NOW)
    assert verified.audiences == {"x", AUDIENCE}


def test_the_mark_tells_ids_of_one_client_and_clients_with_one_id_apart() -> None:
    def mark(**changes: Any) -> str | None:
        return verify_assertion(signed(**changes), read_public_key(pem(RSA)), {AUDIENCE}, NOW).mark

    others = [mark(jti="two"), mark(sub="crmo", jti="ne"), mark(sub="shop"), mark(jti="\ud800")]
    assert len({mark(), *others}) == 5
    assert mark() == mark(exp=NOW + 50)


def test_what_may_be_used_again_needs_no_id_and_a_wrong_one_is_refused_even_so() -> None:
    key = read_public_key(pem(RSA))
    assert verify_assertion(signed(jti=None), key, {AUDIENCE}, NOW, one_use=False).mark is None
    again, once = (verify_assertion(signed(), key, {AUDIENCE}, NOW, one_use=one) for one in (False, True))
    assert again == once
    with pytest.raises(Refusal, match="jti"):
        verify_assertion(signed(jti=""), key, {AUDIENCE}, NOW, one_use=False)


@pytest.mark.parametrize(("iat", "issued_at"), [(None, NOW - 240), (NOW - 5, NOW - 5), (NOW + 900, NOW)])
def test_an_assertion_is_as_old_as_it_says_but_was_not_made_later_than_now(iat: float | None, issued_at: float) -> None:
    assert verify_assertion(signed(iat=iat), read_public_key(pem(RSA)), {AUDIENCE}, NOW).issued_at == issued_at


def test_public_key_is_no_hmac_secret() -> None:
    header = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT"}').decode()
    _, payload, _ = signed().split(".")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    mac = jwt.utils.base64url_encode(signature.sign(f"{header}.{payload}".encode(), pem(RSA).encode())).decode()
    with pytest.raises(Refusal):
        verify_assertion(f"{header}.{payload}.{mac}", read_public_key(pem(RSA)), {AUDIENCE}, NOW)


@pytest.mark.parametrize("text", ["", "a.b.c", "a.b", "x" * (MAX_ASSERTION_BYTES + 1), "...."])
def test_what_is_no_assertion_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        claimed_client(text)
    assert caught.value.reason is errors.CLIENT_INVALID


def test_unsigned_assertion_and_one_of_another_key_are_refused() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for token in (jwt.encode(claims(), "", algorithm="none"), jwt.encode(claims(), other, algorithm="RS256")):
        with pytest.raises(Refusal):
            verify_assertion(token, read_public_key(pem(RSA)), {AUDIENCE}, NOW)


def test_claimed_client_is_issuer_and_subject_alike() -> None:
    assert claimed_client(signed()) == "crm"
    for changes in ({"iss": "other"}, {"sub": None}, {"sub": "", "iss": ""}):
        with pytest.raises(Refusal):
            claimed_client(signed(**changes))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no pem", "PEM"),
        (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "2048"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "neither"),
    ],
)
def test_unusable_public_keys_are_configuration_faults(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_public_key(text)
