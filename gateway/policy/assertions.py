"""A client's signed assertion of who it is (private_key_jwt, RFC 7523), checked without I/O.

Leaves the one use of its jti to the store. Rule kept: the algorithm comes from the key, never from the assertion, and
an assertion lives minutes, not hours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.types import Options

from gateway import errors
from gateway.errors import Refusal

MAX_ASSERTION_BYTES: Final = 4096
MAX_LIFE_S: Final = 300
LEEWAY_S: Final = 30
MAX_JTI_CHARS: Final = 255
_MIN_RSA_BITS: Final = 2048
_MAX_TIME: Final = 1e12
_NO_CLOCK: Final[Options] = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_iss": False,
    "verify_sub": False, "verify_jti": False,
}  # fmt: skip
"""PyJWT reads the wall clock itself; here times and names are compared below."""
_UNVERIFIED: Final[Options] = {**_NO_CLOCK, "verify_signature": False}


@dataclass(frozen=True, slots=True)
class AssertionKey:
    """A client's public key and the one algorithm that belongs to it."""

    key: RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey = field(repr=False)
    algorithm: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified assertion, and for how many seconds it is one.

    `mark`: what tells it from any other of any client, None without a jti. `audiences`: all that it names.
    `issued_at`: by its iat, else the earliest time at which it can have been made.
    """

    mark: str | None = field(repr=False)
    remember_s: float
    audiences: frozenset[str]
    issued_at: float


def read_public_key(pem: str) -> AssertionKey:
    """The key of a PEM text. Raises ValueError(message): a configuration fault."""
    try:
        key = load_pem_public_key(pem.encode("utf-8"))
    except ValueError as exc:
        raise ValueError("is not a PEM public key") from exc
    if isinstance(key, RSAPublicKey):
        if key.key_size < _MIN_RSA_BITS:
            raise ValueError(f"RSA keys need {_MIN_RSA_BITS} bits or more")
        return AssertionKey(key, "RS256")
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return AssertionKey(key, "ES256")
    if isinstance(key, Ed25519PublicKey):
        return AssertionKey(key, "EdDSA")
    raise ValueError("is neither RSA, P-256 nor Ed25519")


def claimed_client(assertion: str) -> str:
    """The client that an assertion claims to be from, not yet verified. Raises Refusal(CLIENT_INVALID)."""
    claims = _decoded(assertion, None)
    subject = claims.get("sub")
    # RFC 7523 section 3: iss and sub are both the client_id.
    if not isinstance(subject, str) or not subject or claims.get("iss") != subject:
        raise Refusal(errors.CLIENT_INVALID, "The assertion's iss and sub are not one client id.")
    return subject


def verify_assertion(
    assertion: str, key: AssertionKey, audiences: Collection[str], now: float, *, one_use: bool = True
) -> Assertion:
    """Check signature, audience and times. Raises Refusal(CLIENT_INVALID) that says what is wrong.

    `one_use`: the caller takes it once only, so that it needs a jti.
    """
    claims = _decoded(assertion, key)
    named = _audiences(claims.get("aud"))
    if not any(name in audiences for name in named):
        raise Refusal(errors.CLIENT_INVALID, "The assertion's aud names neither the issuer nor what is called.")
    expires_at, not_before = _time(claims.get("exp")), _time(claims.get("nbf", 0))
    if now >= expires_at + LEEWAY_S or now < not_before - LEEWAY_S:
        raise Refusal(errors.CLIENT_INVALID, "The assertion is expired or not yet valid.")
    if expires_at - now > MAX_LIFE_S + LEEWAY_S:
        raise Refusal(errors.CLIENT_INVALID, f"The assertion lives longer than {MAX_LIFE_S} seconds.")
    issued_at = min(_time(claims.get("iat", expires_at - MAX_LIFE_S)), now)
    return Assertion(_mark(claims, one_use=one_use), expires_at + LEEWAY_S - now, named, issued_at)


def _mark(claims: Mapping[str, Any], *, one_use: bool) -> str | None:
    token_id = claims.get("jti")
    if token_id is None and not one_use:
        return None
    if not isinstance(token_id, str) or not 0 < len(token_id) <= MAX_JTI_CHARS:
        raise Refusal(errors.CLIENT_INVALID, "The assertion has no usable jti, and may be used once only.")
    client_id = claims["sub"]
    return hashlib.sha256(f"{len(client_id)}:{client_id}{token_id}".encode("utf-8", "surrogatepass")).hexdigest()


def _audiences(claimed: object) -> frozenset[str]:
    named = claimed if isinstance(claimed, list) else [claimed]
    return frozenset(name for name in named if isinstance(name, str))


def _decoded(assertion: str, key: AssertionKey | None) -> Mapping[str, Any]:
    if len(assertion) > MAX_ASSERTION_BYTES:
        raise Refusal(errors.CLIENT_INVALID, f"The assertion is longer than {MAX_ASSERTION_BYTES} characters.")
    try:
        if key is None:
            claims = jwt.decode(assertion, options=_UNVERIFIED)
        else:
            claims = jwt.decode(assertion, key.key, algorithms=[key.algorithm], options=_NO_CLOCK)
    except (jwt.PyJWTError, ValueError) as exc:
        raise Refusal(errors.CLIENT_INVALID, "The assertion is malformed or not signed with the client's key.") from exc
    return claims


def _time(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _MAX_TIME:
        raise Refusal(errors.CLIENT_INVALID, "The assertion's exp is missing, or exp, nbf or iat is not a time.")
    return value
