"""The JWTs that the mock gives to guests: signed by the world's own key, dated by the world's clock.

Two kinds: `history` (from the socket's getJwt, about a minute) and `authenticated` (from the OpenID exchange).
Neither is a platform bearer, and neither passes for the other.
"""

from __future__ import annotations

import jwt

from gateway.mock.model import Json

HISTORY = "history"
AUTHENTICATED = "authenticated"


class JwtRefused(Exception):
    """The token is not one of ours, of another kind, or over; `reason` is unknown, kind, expired or revoked."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def sign(key: bytes, kind: str, claims: Json, now: float, life_s: int) -> tuple[str, int]:
    """Return a new token and its end in epoch seconds."""
    expires_at = int(now + life_s)
    payload = {**claims, "kind": kind, "iss": "urn:mock-genesys:guest", "iat": int(now), "exp": expires_at}
    return jwt.encode(payload, key, algorithm="HS256"), expires_at


def read(key: bytes, kind: str | None, token: str, now: float) -> Json:
    """Return the claims of a token of this kind (any kind for None) that has not ended; raises JwtRefused."""
    try:
        # The world's clock decides about time, not the machine's, so the library's own time checks are off.
        claims: Json = jwt.decode(token, key, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})
    except jwt.PyJWTError as exc:
        raise JwtRefused("unknown") from exc
    if kind is not None and claims.get("kind") != kind:
        raise JwtRefused("kind")
    if now >= claims["exp"]:
        raise JwtRefused("expired")
    return claims
