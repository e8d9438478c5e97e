"""The check of a provider's id_token: signature by the given key, then every claim against the world's clock.

Stricter than the libraries: RS256 only, `aud` a plain string, a nonce exactly when one was asked for, auth_time
whenever max_age was.
"""

from __future__ import annotations

from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options

from gateway.mock.model import Json

_SKEW_S = 60
# The library reads the machine's clock; check_claims reads the world's.
_SIGNATURE_ONLY: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class IdTokenRefused(Exception):
    """The id_token breaks a rule; the text names it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the claims are held against."""

    issuer: str
    audience: str
    nonce: str | None = None
    max_age_s: int | None = None


def key_id(id_token: str) -> str:
    """Return the `kid` of an RS256 token; raises IdTokenRefused when there is none."""
    try:
        header = jwt.get_unverified_header(id_token)
    except jwt.PyJWTError as exc:
        raise IdTokenRefused("the id_token is not a JWT") from exc
    if header.get("alg") != "RS256":
        raise IdTokenRefused("the id_token is not signed with RS256")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise IdTokenRefused("the id_token names no key")
    return kid


def verify(id_token: str, key: RSAPublicKey) -> Json:
    """Return the claims of a rightly signed token; raises IdTokenRefused. Says nothing about the claims."""
    try:
        claims: Json = jwt.decode(id_token, key, algorithms=["RS256"], options=_SIGNATURE_ONLY)
    except jwt.PyJWTError as exc:
        raise IdTokenRefused("the signature of the id_token is wrong") from exc
    return claims


def check_claims(claims: Json, rules: Rules, now: float) -> None:
    """Raise IdTokenRefused with the first rule that the claims break."""
    subject = claims.get("sub")
    checks = (
        (claims.get("iss") == rules.issuer, "iss is not the issuer"),
        (claims.get("aud") == rules.audience, "aud is not the client id as a plain string"),
        (isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isascii(), "sub is not a usable string"),
        (isinstance(claims.get("exp"), int) and now < claims["exp"], "the id_token is expired"),
        (isinstance(claims.get("iat"), int) and claims["iat"] <= now + _SKEW_S, "iat lies in the future"),
        (claims.get("nonce") == rules.nonce, "nonce of request and id_token differ"),
    )
    for holds, fault in checks:
        if not holds:
            raise IdTokenRefused(fault)
    if rules.max_age_s is None:
        return
    auth_time = claims.get("auth_time")
    if not isinstance(auth_time, int):
        raise IdTokenRefused("auth_time is missing though maxAge was given")
    if now - auth_time > rules.max_age_s + _SKEW_S:
        raise IdTokenRefused("the sign-in is older than maxAge")
