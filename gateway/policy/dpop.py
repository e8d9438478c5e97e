"""Proof of possession (RFC 9449): a browser shows with each call that it holds the key that its session is bound to.

Leaves remembering used proofs to the caller. The rule: a proof is good for one method, one address, one handle and one
minute, and only with the key that it brings itself; whether that is the right key is what binding decides.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.jws import is_signed_by, open_typed, public_key

TYP: Final = "dpop+jwt"
ALGORITHM: Final = "ES256"
MAX_AGE_S: Final = 60.0
CLOCK_SKEW_S: Final = 10.0
REMEMBER_S: Final = MAX_AGE_S + CLOCK_SKEW_S
MAX_ID_CHARS: Final = 128
# RFC 7638 section 3.2: the required members of an EC key, in this order
_MEMBERS: Final = ("crv", "kty", "x", "y")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds. `thumbprint`: of the key (RFC 7638); `replay_key`: what must not come twice."""

    thumbprint: str
    replay_key: str


def check_proof(proof: str, *, method: str, host: str, path: str, handle: str | None, now: float) -> Proof:
    """Check a DPoP header against the request that it came with. `handle`: the credential that came along, if any.

    `host`: the Host header; the scheme is not compared, because TLS may end in front of us. Raises
    Refusal(DPOP_INVALID) saying which rule of RFC 9449 section 4.3 it breaks.
    """
    try:
        opened = open_typed(proof, TYP, allowed=frozenset({"jwk"}))
    except Refusal as refusal:
        raise _invalid(refusal.detail or "it is not a compact JWS") from refusal
    jwk = opened.header.get("jwk")
    if not isinstance(jwk, dict) or opened.algorithm != ALGORITHM:
        raise _invalid(f"its header needs alg {ALGORITHM} and the public jwk")
    try:
        key = public_key(jwk)
    except ValueError as fault:
        raise _invalid(f"the jwk {fault}") from fault
    if key.algorithm != ALGORITHM or not is_signed_by(opened, key):
        raise _invalid("the signature is not of its jwk")
    claims = opened.claims
    if claims.get("htm") != method:
        raise _invalid("htm is not the method of this call")
    if not _is_here(claims.get("htu"), host, path):
        raise _invalid("htu is not the address of this call")
    _check_time(claims, now)
    if handle is not None and not _is_same(claims.get("ath"), _sha256(handle.encode("utf-8"))):
        raise _invalid("ath is not the SHA-256 of the session_token")
    token_id = claims.get("jti")
    if not isinstance(token_id, str) or not 8 <= len(token_id) <= MAX_ID_CHARS:
        raise _invalid(f"jti is not a string of 8 to {MAX_ID_CHARS} characters")
    thumbprint = key_thumbprint(jwk)
    return Proof(thumbprint, hashlib.sha256(f"{thumbprint}.{token_id}".encode()).hexdigest())


def key_thumbprint(jwk: Mapping[str, object]) -> str:
    """The RFC 7638 thumbprint of an EC public key."""
    members = {name: jwk.get(name) for name in _MEMBERS}
    return _sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode("utf-8"))


def check_binding(bound_to: str | None, shown: str | None, *, required: bool) -> None:
    """May a session that is bound to one key (or to none) be used by who showed another (or none)?

    `required`: the site's sessions are all bound. Raises Refusal: DPOP_MISSING, DPOP_INVALID.
    """
    if shown is None and (required or bound_to is not None):
        raise Refusal(errors.DPOP_MISSING)
    if bound_to is not None and not _is_same(shown, bound_to):
        raise _invalid("it is of another key than the session's")


def _is_same(shown: object, expected: str) -> bool:
    """Compared in constant time, and as bytes: a foreign word may hold anything."""
    found = shown if isinstance(shown, str) else ""
    return hmac.compare_digest(found.encode("utf-8", "surrogatepass"), expected.encode("utf-8"))


def _is_here(htu: object, host: str, path: str) -> bool:
    """RFC 9449 section 4.3, 9: compared without query and fragment."""
    if not isinstance(htu, str):
        return False
    try:
        parts = urlsplit(htu)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and parts.netloc.lower() == host.lower() and parts.path == path


def _check_time(claims: Mapping[str, object], now: float) -> None:
    issued_at = claims.get("iat")
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
        raise _invalid("iat is not a number")
    if not now - MAX_AGE_S <= issued_at <= now + CLOCK_SKEW_S:
        raise _invalid(f"iat is not of the last {MAX_AGE_S:.0f} seconds; is the clock of this device right?")


def _sha256(data: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")


def _invalid(why: str) -> Refusal:
    return Refusal(errors.DPOP_INVALID, f"the DPoP proof does not hold: {why}")
