"""Authorization requests: read strictly, answered by a redirect or, where a redirect would be unsafe, by a refusal.

Leaves who is signed in to `gateway.provider`. Rule kept: nothing is sent to a redirect URI that is not, byte for byte,
one of the client's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from gateway import errors
from gateway.errors import GatewayError, Refusal
from gateway.policy.oauth_forms import Form
from gateway.policy.openid import SCOPES, checked_challenge, checked_nonce

MAX_STATE_CHARS: Final = 2048
_MAX_AGE: Final = re.compile(r"[0-9]{1,9}")
# OpenID Connect Core sections 6.1, 6.2 and 7.2.1
_NOT_SUPPORTED: Final = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
_PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that may be granted if the right visitor is signed in."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    nonce: str | None
    challenge: str | None
    max_age_s: int | None
    prompts: frozenset[str]
    hint: str | None = field(default=None, repr=False)
    """An id_token of the visitor whom the client expects; nothing in it is believed before it is verified."""


class SentBack(GatewayError):
    """A request that is answered by redirecting an error to the client (RFC 6749 section 4.1.2.1)."""

    def __init__(self, error: str, description: str, redirect_uri: str, state: str | None) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.redirect_uri = redirect_uri
        self.state = state


def read_request(form: Form, redirect_uris_of: Callable[[str], Collection[str] | None]) -> AuthorizationRequest:
    """Read an authorization request. `redirect_uris_of`: a client's registered URIs; None for an unknown client.

    Raises Refusal (never redirected): OAUTH_REQUEST without client_id, CLIENT_INVALID, REDIRECT_UNKNOWN. Raises
    `SentBack` for every other fault.
    """
    client_id = form.require("client_id")
    registered = redirect_uris_of(client_id)
    if registered is None:
        raise Refusal(errors.CLIENT_INVALID, "client_id is not one of ours.")
    redirect_uri = form.get("redirect_uri")
    if redirect_uri is None or redirect_uri not in registered:
        raise Refusal(errors.REDIRECT_UNKNOWN)
    state = form.get("state")

    def back(error: str, description: str) -> SentBack:
        return SentBack(error, description, redirect_uri, state if state and len(state) <= MAX_STATE_CHARS else None)

    if state is not None and len(state) > MAX_STATE_CHARS:
        raise back("invalid_request", f"state is longer than {MAX_STATE_CHARS} characters")
    for name, error in _NOT_SUPPORTED.items():
        if form.get(name) is not None:
            raise back(error, f"{name} is not supported")
    if form.get("response_type") != "code":
        raise back("unsupported_response_type", "response_type must be code")
    if form.get("response_mode") not in {None, "query"}:
        raise back("invalid_request", "response_mode must be query")
    asked = (form.get("scope") or "").split(" ")
    if "openid" not in asked:
        raise back("invalid_scope", "scope must hold openid")
    prompts = frozenset((form.get("prompt") or "").split())
    if not prompts <= _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise back("invalid_request", "prompt is unknown, or none beside another")
    max_age = form.get("max_age")
    if max_age is not None and not _MAX_AGE.fullmatch(max_age):
        raise back("invalid_request", "max_age is not a number of seconds")
    try:
        challenge = checked_challenge(form.get("code_challenge"), form.get("code_challenge_method"))
        nonce = checked_nonce(form.get("nonce"))
    except Refusal as exc:
        raise back("invalid_request", exc.detail) from exc
    return AuthorizationRequest(
        client_id=client_id,
        redirect_uri=redirect_uri,
        # OpenID Connect Core section 3.1.2.1: scopes that are not understood are ignored.
        scopes=tuple(scope for scope in SCOPES if scope in asked),
        state=state,
        nonce=nonce,
        challenge=challenge,
        max_age_s=None if max_age is None else int(max_age),
        prompts=prompts,
        hint=form.get("id_token_hint"),
    )


def login_required(request: AuthorizationRequest, why: str) -> SentBack:
    """The answer where nobody suitable is signed in: there is no page of ours to sign in on."""
    return SentBack("login_required", why, request.redirect_uri, request.state)


def check_login(request: AuthorizationRequest, auth_time: float, now: float) -> None:
    """Does a visitor who signed in at `auth_time` satisfy the request? Raises `SentBack`."""
    why = None
    if request.prompts - {"none", "consent"}:
        why = "the visitor cannot be asked to sign in here"
    elif request.max_age_s is not None and now - auth_time > request.max_age_s:
        why = "the visitor signed in longer ago than max_age"
    if why is not None:
        raise login_required(request, why)


def code_redirect(request: AuthorizationRequest, code: str, issuer: str | None) -> str:
    """Where a granted request goes. `issuer`: for RFC 9207, or None."""
    return _with_query(request.redirect_uri, {"code": code, "state": request.state, "iss": issuer})


def error_redirect(fault: SentBack, issuer: str | None) -> str:
    """Where a request that was sent back goes. `issuer`: for RFC 9207, or None."""
    members = {"error": fault.error, "error_description": fault.description, "state": fault.state, "iss": issuer}
    return _with_query(fault.redirect_uri, members)


def _with_query(uri: str, members: dict[str, str | None]) -> str:
    """The URI with members added; a query of its own is kept as it is (RFC 6749 section 3.1.2)."""
    query = urlencode({name: value for name, value in members.items() if value is not None})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"
