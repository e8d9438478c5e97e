"""Says what a token is without trusting it: a handle of ours, a JWT and whose, or an opaque token of the platform.

Pure; signatures are not checked and nothing is sent anywhere. The rule: the token itself is never part of what is said.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.policy.handles import HandleKind, kind_of

HANDLES: Final = {
    HandleKind.SESSION: "a guest session of this gateway; identifies a guest here and nowhere else",
    HandleKind.TICKET: "a WebSocket ticket of this gateway; works once, for 30 seconds",
    HandleKind.HISTORY: "a history handle of this gateway; stands for the guest's short Genesys JWT",
    HandleKind.BACKEND: "a backend's handle of this gateway, from the token endpoint",
    HandleKind.CODE: "an authorization code of this gateway's OpenID provider",
    HandleKind.ACCESS: "an access token of this gateway's OpenID provider",
    HandleKind.REFRESH: "a refresh token of this gateway's OpenID provider",
}
SHOWN_CLAIMS: Final = ("iss", "aud", "scope", "iat", "nbf", "exp", "auth_time")
"""Claims whose values are shown; of the others only the names, for they are about a person."""
MAX_TOKEN_CHARS: Final = 16_384


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a token is. `kind`: handle, jwt, opaque or unreadable."""

    kind: str
    says: str
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def inspect(token: str, now: float) -> Inspection:
    """Say what a token is."""
    token = token.strip()
    if token.lower().startswith("bearer "):
        token = token[7:].strip()
    if not token or len(token) > MAX_TOKEN_CHARS or not token.isascii():
        return Inspection("unreadable", "nothing that could be a token")
    if (handle := kind_of(token)) is not None:
        return Inspection("handle", HANDLES[handle])
    if token.count(".") == 2:
        header, claims = (_part(part) for part in token.split(".")[:2])
        if header is not None and claims is not None:
            return _jwt(header, claims, now)
    return Inspection(
        "opaque", "no JWT and no handle of this gateway: perhaps a Genesys access token, or a backend's key",
        notes=(
            "A Genesys access token is opaque: no scope or permission can be read out of it; --online asks tokens/me.",
            "It never identifies a guest, and must not be in a page.",
        ),
    )  # fmt: skip


def _jwt(header: dict[str, Any], claims: dict[str, Any], now: float) -> Inspection:
    shown: dict[str, Any] = {name: claims[name] for name in SHOWN_CLAIMS if name in claims}
    hidden = tuple(sorted(name for name in claims if name not in shown))
    return Inspection(
        "jwt",
        _whose(header, claims),
        {name: header[name] for name in ("alg", "kid", "typ") if isinstance(header.get(name), str)},
        shown,
        hidden,
        (*_times(claims, now), "The signature was not checked; a sign-in does that."),
    )


def _whose(header: dict[str, Any], claims: dict[str, Any]) -> str:
    kid = header.get("kid")
    if isinstance(kid, str) and kid.startswith("app_") and "external_id" in claims:
        return (
            "a visitor's Zendesk messaging JWT (kid names the Zendesk key); proves who the visitor is to this gateway"
        )
    if "external_id" in claims or ("email" in claims and header.get("alg") == "HS256"):
        return "a visitor's Zendesk JWT of an older kind (chat or Sunshine)"
    if "nonce" in claims or "auth_time" in claims:
        return "an OpenID id_token; proves a sign-in to whoever it names in aud"
    if header.get("alg") == "none":
        return "an unsigned JWT: it proves nothing to anybody"
    if isinstance(claims.get("sub"), str) and claims.get("iss") == claims["sub"]:
        return "a client's signed assertion (private_key_jwt); proves a backend to whoever it names in aud"
    return "a JWT of another kind; perhaps the Genesys JWT of a web messaging guest, which stays behind the gateway"


def _times(claims: dict[str, Any], now: float) -> tuple[str, ...]:
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        return ("It has no exp, so it never ends; this gateway refuses such tokens unless told otherwise.",)
    left = int(expires - now)
    said = f"It ended {-left} s ago." if left <= 0 else f"It is good for {left} s more."
    start = claims.get("nbf", claims.get("iat"))
    ahead = isinstance(start, int | float) and start - now > 1
    return (said, "It begins in the future: the clocks of issuer and gateway differ.") if ahead else (said,)


def _part(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
