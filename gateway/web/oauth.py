"""The OAuth and OpenID endpoints as HTTP: bytes in, the provider's answer out. What is granted is the provider's.

Rule kept: each call is on record with what it asked and what was answered, so that "did Genesys call, and what did we
say" has its answer in the audit log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from gateway.admission import Admissions
from gateway.errors import NOT_FOUND, SESSION_EXPIRED, SESSION_INVALID, Refusal
from gateway.gate import Gate
from gateway.guestbook import Guestbook
from gateway.policy.decision import Guest
from gateway.provider.answers import Asked, OAuthAnswer
from gateway.provider.pages import MEMBERS, read_page_ask
from gateway.provider.people import SignedIn, person_of
from gateway.provider.provider import Provider
from gateway.web.callers import Callers
from gateway.web.exchange import Exchange, refuse_unknown, text_member
from gateway.web.throttle import Throttle

MAX_FORM_BYTES: Final = 16_384
MAX_TOKEN_CHARS: Final = 12_288
CODE_MEMBERS: Final = frozenset({*MEMBERS, "visitor_token", "issuer"})
SESSION_COOKIE: Final = "__Host-gateway-session"
"""Set by POST /session where [oidc] session_cookie says so; read at the authorization endpoint only."""


class OAuth:
    """The handlers of `oauth_token`, `oidc` and `auth_code`."""

    def __init__(
        self,
        provider: Callable[[], Provider],
        deployment_of: Callable[[str], str],
        admissions: Admissions,
        guestbook: Guestbook,
        callers: Callers,
        gate: Gate,
        throttle: Throttle,
        clock: Callable[[], float],
    ) -> None:
        """`provider`: that of the configuration in force; `deployment_of`: the deployment id of a site."""
        self._provider = provider
        self._deployment_of = deployment_of
        self._admissions = admissions
        self._guestbook = guestbook
        self._callers = callers
        self._gate = gate
        self._throttle = throttle
        self._clock = clock
        self._oidc: Mapping[str, Callable[[Exchange, Asked], Awaitable[OAuthAnswer]]] = {
            "openid-configuration": self._discovery,
            "jwks.json": self._jwks,
            "authorize": self._authorize,
            "userinfo": self._userinfo,
            "revoke": self._revoke,
        }

    async def token(self, exchange: Exchange) -> web.StreamResponse:
        """POST /oauth/token and /login/oauth/token."""
        return await self._answered(exchange, self._token)

    async def oidc(self, exchange: Exchange) -> web.StreamResponse:
        """Discovery, key set, authorization, userinfo and revocation: by the last segment of the path."""
        if not self._provider().issuer:
            raise Refusal(NOT_FOUND, "[server] public_url is not set, so there is no OpenID issuer")
        return await self._answered(exchange, self._oidc[exchange.segments[-1]])

    async def auth_code(self, exchange: Exchange) -> web.StreamResponse:
        """POST /sites/{site}/auth-code: what AuthProvider.getAuthCode resolves, for the handle or token that came.

        With a session handle alone the session's visitor is meant; with a visitor_token the session is opened, renewed
        or upgraded first, as POST /session does.
        """
        asked = self._asked(exchange)
        site, trail = exchange.rules, exchange.trail
        members = await exchange.json_object(MAX_FORM_BYTES)
        refuse_unknown(members, CODE_MEMBERS)
        ask = read_page_ask(members)
        handle = self._callers.session_handle(exchange)
        token = text_member(members, "visitor_token", MAX_TOKEN_CHARS)
        session_id = ""
        if token is not None:
            issuer = text_member(members, "issuer", 64)
            session_id = (
                await self._admissions.come(
                    site.name, handle, token, issuer, trail, await self._callers.proof_key(exchange, handle)
                )
            ).session.id
        elif handle is not None:
            session = await self._callers.session_of(exchange, handle)
            trail.caller = Guest(session)
            session_id = session.id
        try:
            given = await self._provider().page_code(session_id, site.deployment_id, ask, asked)
        finally:
            trail.client, trail.grant = asked.client, asked.grant
        return exchange.json_answer(200, given)

    async def _answered(
        self, exchange: Exchange, endpoint: Callable[[Exchange, Asked], Awaitable[OAuthAnswer]]
    ) -> web.StreamResponse:
        """Ask an endpoint of the provider, and record the call with its outcome."""
        asked = self._asked(exchange)
        trail = exchange.trail
        trail.template = exchange.target.path
        try:
            answer = await endpoint(exchange, asked)
        except Refusal as refusal:
            if refusal.status == web.HTTPUnauthorized.status_code:
                self._throttle.failed(exchange)
            raise
        finally:
            trail.client, trail.grant = asked.client, asked.grant
        self._gate.answered(trail, status=answer.status)
        return oauth_answer(exchange, answer)

    async def _token(self, exchange: Exchange, asked: Asked) -> OAuthAnswer:
        body = await exchange.body(MAX_FORM_BYTES)
        headers = exchange.request.headers
        return await self._provider().token(headers.get("Content-Type"), body, headers.get("Authorization"), asked)

    async def _discovery(self, exchange: Exchange, asked: Asked) -> OAuthAnswer:
        return self._provider().discovery()

    async def _jwks(self, exchange: Exchange, asked: Asked) -> OAuthAnswer:
        return self._provider().jwks(asked)

    async def _userinfo(self, exchange: Exchange, asked: Asked) -> OAuthAnswer:
        await exchange.body(MAX_FORM_BYTES)
        return await self._provider().userinfo(exchange.request.headers.get("Authorization"), asked)

    async def _revoke(self, exchange: Exchange, asked: Asked) -> OAuthAnswer:
        body = await exchange.body(MAX_FORM_BYTES)
        headers = exchange.request.headers
        return await self._provider().revoke(headers.get("Content-Type"), body, headers.get("Authorization"), asked)

    async def _authorize(self, exchange: Exchange, asked: Asked) -> OAuthAnswer:
        posted = exchange.request.method == "POST"
        parameters = (await exchange.form(MAX_FORM_BYTES)) if posted else exchange.target.query
        person = await self._signed_in(exchange, asked.now)
        deployment = self._deployment_of(person.site) if person is not None else ""
        return await self._provider().authorize(parameters, person, deployment, asked)

    async def _signed_in(self, exchange: Exchange, now: float) -> SignedIn | None:
        """The visitor of the browser's session cookie, of whichever site; None without a live, verified session."""
        handle = exchange.request.cookies.get(SESSION_COOKIE)
        if handle is None:
            return None
        try:
            session = await self._guestbook.session_of(handle, None)
        except Refusal as refusal:
            if refusal.reason in (SESSION_INVALID, SESSION_EXPIRED) or refusal.code.startswith("handle."):
                return None
            raise
        exchange.trail.caller = Guest(session)
        return person_of(session, now)

    def _asked(self, exchange: Exchange) -> Asked:
        trail = exchange.trail
        return Asked(self._clock(), trail.request_id, trail.client_ip)


def oauth_answer(exchange: Exchange, answer: OAuthAnswer) -> web.StreamResponse:
    """The provider's answer as an HTTP answer."""
    if answer.body is None:
        return exchange.answer(answer.status, headers=answer.headers)
    return exchange.json_answer(answer.status, answer.body, answer.headers)
