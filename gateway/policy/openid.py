"""What our OpenID provider promises and what its codes and tokens are bound to; claims, PKCE, refresh rules.

Leaves where codes are kept, who signs and who is alive to `gateway.provider`. Rule kept: a code or token is good only
for the client, redirect URI, verifier, visitor and session that it was made for.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gateway import errors
from gateway.errors import Refusal

SCOPES: Final = ("openid", "profile", "email", "offline_access")
GRANT_TYPES: Final = (
    "authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange",
)  # fmt: skip
# OpenID Connect Core section 2: sub has at most 255 ASCII characters.
MAX_SUBJECT_CHARS: Final = 255
MAX_NONCE_CHARS: Final = 255
# RFC 7636 sections 4.1 and 4.2: 43 to 128 unreserved characters; an S256 challenge has 43.
_VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def discovery(issuer: str, *, response_iss: bool) -> dict[str, object]:
    """The discovery document (OpenID Discovery 1.0 section 3). `issuer` has no trailing slash.

    `id_token` is not among the response types although pages may get one: no authorization request returns it.
    """
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "jwks_uri": f"{issuer}/oauth/jwks.json",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": list(SCOPES),
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "name", "email", "email_verified",
        ],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        # openid-client 5.7 refuses a code that came without iss once this is true; so it is a decision of the operator.
        "authorization_response_iss_parameter_supported": response_iss,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Binding:
    """What a code, and every token that grows from it, belongs to.

    `grant_id` names the whole family, so that it can be revoked at once. `auth_time` is in whole seconds.
    """

    grant_id: str
    client_id: str
    session_id: str
    site: str
    deployment_id: str
    sub: str
    auth_time: int
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeBinding:
    """What a code belongs to: its redirect URI, nonce and PKCE challenge beside the rest."""

    binding: Binding
    redirect_uri: str
    nonce: str | None
    challenge: str | None


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """An access or refresh token as the store keeps it. `used_at`: first use of a refresh token, None before."""

    binding: Binding
    expires_at: float
    used_at: float | None = None


class RefreshUse(Enum):
    """Which use of a refresh token this is."""

    FIRST = "first"
    AGAIN = "again"
    """Within the grace after the first: a repeated call whose answer was lost."""


def check_redemption(code: CodeBinding, client_id: str, redirect_uri: str | None, verifier: str | None) -> None:
    """May this client redeem the code with these values?

    Raises Refusal: GRANT_INVALID for another client, REDIRECT_MISMATCH, PKCE_FAILED.
    """
    if code.binding.client_id != client_id:
        raise Refusal(errors.GRANT_INVALID)
    if redirect_uri != code.redirect_uri:
        raise Refusal(errors.REDIRECT_MISMATCH)
    if code.challenge is None:
        if verifier is not None:
            # RFC 9700 section 4.8.2: a verifier without challenge is refused, or PKCE could be downgraded.
            raise Refusal(errors.PKCE_FAILED, "A code_verifier came, but the code was made without code_challenge.")
        return
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        raise Refusal(errors.PKCE_FAILED, "code_verifier is missing, or not 43 to 128 unreserved characters.")
    if not hmac.compare_digest(s256(verifier), code.challenge):
        raise Refusal(errors.PKCE_FAILED)


def check_refresh(token: TokenRecord, client_id: str, now: float, grace_s: float) -> RefreshUse:
    """May this client use the refresh token now, and for the how-many-eth time?

    Raises Refusal: GRANT_INVALID for another client or past its end, REFRESH_REPLAYED when it was replaced and its
    grace has passed; then the caller revokes the whole grant.
    """
    if token.binding.client_id != client_id or now >= token.expires_at:
        raise Refusal(errors.GRANT_INVALID)
    if token.used_at is None:
        return RefreshUse.FIRST
    if now > token.used_at + grace_s:
        raise Refusal(errors.REFRESH_REPLAYED)
    return RefreshUse.AGAIN


def narrowed(granted: tuple[str, ...], asked: str | None) -> tuple[str, ...]:
    """The scopes of a refreshed token: all that were granted, or the part asked for. Raises Refusal(SCOPE_INVALID).

    RFC 6749 section 6.
    """
    if asked is None:
        return granted
    wanted = set(asked.split(" "))
    if not wanted <= set(granted) or "openid" not in wanted:
        raise Refusal(errors.SCOPE_INVALID)
    return tuple(scope for scope in granted if scope in wanted)


def id_token_claims(
    binding: Binding,
    *,
    issuer: str,
    now: float,
    life_s: float,
    nonce: str | None = None,
    access_token: str | None = None,
    name: str | None = None,
    email: str | None = None,
) -> dict[str, object]:
    """The claims of an id_token. `name` and `email` must be verified; `nonce` stands there exactly when one was asked.

    Raises ValueError for a subject that OpenID does not allow.
    """
    if not binding.sub.isascii() or not 0 < len(binding.sub) <= MAX_SUBJECT_CHARS:
        raise ValueError("a subject is 1 to 255 ASCII characters")
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": binding.sub,
        "aud": binding.client_id,  # a string, not an array: relying parties are known that refuse an array
        "exp": int(now + life_s),
        "iat": int(now),
        "auth_time": binding.auth_time,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if access_token is not None:
        claims["at_hash"] = at_hash(access_token)
    return claims | person_claims(binding.scopes, name, email)


def person_claims(scopes: tuple[str, ...], name: str | None, email: str | None) -> dict[str, object]:
    """The claims about the person that the scopes cover; an e-mail given here is a verified one."""
    claims: dict[str, object] = {}
    if name is not None and "profile" in scopes:
        claims["name"] = name
    if email is not None and "email" in scopes:
        claims |= {"email": email, "email_verified": True}
    return claims


def s256(verifier: str) -> str:
    """The PKCE challenge of a verifier (RFC 7636 section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def at_hash(access_token: str) -> str:
    """The left half of the token's SHA-256, as RS256 asks (OpenID Connect Core section 3.1.3.6)."""
    return _base64url(hashlib.sha256(access_token.encode("ascii")).digest()[:16])


def checked_challenge(challenge: str | None, method: str | None) -> str | None:
    """A PKCE challenge as it was asked for; S256 only. Raises Refusal(OAUTH_REQUEST)."""
    if challenge is None:
        if method is not None:
            raise Refusal(errors.OAUTH_REQUEST, "code_challenge_method came without code_challenge.")
        return None
    if method != "S256":
        # RFC 7636 section 4.3: without a method `plain` is meant, which protects nothing.
        raise Refusal(errors.OAUTH_REQUEST, "code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise Refusal(errors.OAUTH_REQUEST, "code_challenge is not the base64url of a SHA-256, without padding.")
    return challenge


def checked_nonce(nonce: str | None) -> str | None:
    """A nonce as it was asked for. Raises Refusal(OAUTH_REQUEST) for one that is too long or not printable ASCII."""
    if nonce is not None and not (0 < len(nonce) <= MAX_NONCE_CHARS and nonce.isascii() and nonce.isprintable()):
        raise Refusal(errors.OAUTH_REQUEST, f"nonce is not 1 to {MAX_NONCE_CHARS} printable ASCII characters.")
    return nonce


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
