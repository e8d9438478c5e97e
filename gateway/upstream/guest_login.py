"""Gets a signed-in guest's Genesys JWT: a code of our OpenID provider, exchanged at the region's API host.

Leaves making the code to the provider and the frame to `ws_pair.py`. Rules kept: JWT and refresh token stay in this
process, and are revoked when the session ends; one exchange at a time per session; no JWT is used past its expiry.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol
from weakref import WeakValueDictionary

import orjson
import structlog

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import GuestSession
from gateway.store.base import Clock
from gateway.store.expiry import ExpiryMap
from gateway.store.known import SessionEnd
from gateway.upstream.faults import UpstreamFault
from gateway.upstream.http import HttpLeg
from gateway.upstream.ws_types import SocketOpening

log = structlog.get_logger(__name__)
# https://developer.genesys.cloud/commdigital/digital/webmessaging/ : neither call takes an OAuth bearer
EXCHANGE: Final = b"/api/v2/webdeployments/token/oauthcodegrantjwtexchange"
REFRESH: Final = b"/api/v2/webdeployments/token/refresh"
REVOKE: Final = b"/api/v2/webdeployments/token/revoke"
MAX_ANSWER_BYTES: Final = 65_536
MARGIN_S: Final = 30.0
"""A JWT is not given out with less life than this."""
REFRESH_S: Final = 86_400.0
REVOKE_TRIES: Final = 3
CALLS_AT_ONCE: Final = 16
"""Of this node with the sign-in calls of Genesys. When all guests' sign-ins lapse together they take turns, and leave
connections to everything else."""
Leg = Literal["exchange", "refresh", "revoke"]
_JWT: Final = re.compile(r"[A-Za-z0-9_-]{2,8192}\.[A-Za-z0-9_-]{2,16384}\.[A-Za-z0-9_-]{2,8192}")


@dataclass(frozen=True, slots=True)
class LoginCode:
    """An authorization code of our provider, and what it was bound to."""

    code: str = field(repr=False)
    redirect_uri: str
    nonce: str | None = field(default=None, repr=False)


class CodeSource(Protocol):
    """Our OpenID provider, as far as a login needs it."""

    async def code_for(self, session: GuestSession, deployment_id: str) -> LoginCode | None:
        """A fresh code for the visitor of this session; None when the site has no sign-in. May raise Refusal."""


class LoginWatch(Protocol):
    """Hears what became of sign-ins: each leg is on record."""

    async def granted(self, opening: SocketOpening, how: Leg, jwt: str, expires_at: float) -> None:
        """A JWT came. Raises Refusal(AUDIT_UNAVAILABLE): then it is not used."""

    def refused(self, opening: SocketOpening, how: Leg, status: int) -> None:
        """Genesys refused. Must not raise."""

    def revoked(self, opening: SocketOpening, jwt: str) -> None:
        """The sign-in was ended at Genesys. Must not raise."""


class Unwatched:
    """Nobody hears."""

    async def granted(self, opening: SocketOpening, how: Leg, jwt: str, expires_at: float) -> None:
        """Nothing."""

    def refused(self, opening: SocketOpening, how: Leg, status: int) -> None:
        """Nothing."""

    def revoked(self, opening: SocketOpening, jwt: str) -> None:
        """Nothing."""


@dataclass(slots=True)
class _Held:
    """The sign-in of one session. `opening`: of the socket that asked for it, for the calls that end it.

    `given`: the sockets that have the JWT; one that asks again could not use it.
    """

    opening: SocketOpening
    jwt: str = field(repr=False)
    jwt_until: float
    refresher: str | None = field(default=None, repr=False)
    given: set[str] = field(default_factory=set)


class GuestLogins:
    """`GuestLogin` of the relay. `leg_of`: the API leg of a site's region."""

    def __init__(
        self,
        leg_of: Callable[[str], HttpLeg],
        codes: CodeSource,
        clock: Clock,
        *,
        timeout_s: float = 10.0,
        watch: LoginWatch | None = None,
    ) -> None:
        self._leg_of = leg_of
        self._codes = codes
        self._clock = clock
        self._timeout_s = timeout_s
        self._watch: LoginWatch = watch or Unwatched()
        self._held: ExpiryMap[str, _Held] = ExpiryMap(50_000, evict=True)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._revoking: set[asyncio.Task[None]] = set()
        self._turnstile = asyncio.Semaphore(CALLS_AT_ONCE)

    async def jwt_of(self, opening: SocketOpening, *, afresh: bool = False) -> str | None:
        """The guest's JWT; None when Genesys or the site admits no sign-in of this guest.

        A socket that asks again gets another one: Genesys did not take the first. `afresh`: by a whole new exchange.
        Raises Refusal: UPSTREAM_* when Genesys does not answer, AUDIT_UNAVAILABLE, and those of the provider.
        """
        session = opening.session
        if session is None or not session.verified:
            return None
        turn = self._turns.setdefault(session.id, asyncio.Lock())
        async with turn:
            now = self._clock()
            held = self._held.get(session.id, now)
            if held is not None and not afresh and now < held.jwt_until and opening.request_id not in held.given:
                held.given.add(opening.request_id)
                return held.jwt
            jwt = None if afresh or held is None else await self._refreshed(opening, session, held)
            return jwt or await self._exchanged(opening, session)

    def on_end(self, end: SessionEnd) -> None:
        """End the sign-ins of a session or guest that has ended, at Genesys too; for `Guestbook.on_end`."""
        now = self._clock()
        ids = (end.session_id,) if end.session_id is not None else self._held
        for session_id in ids:
            held = self._held.get(session_id, now)
            session = None if held is None else held.opening.session
            if held is not None and session is not None and end.guest_id in (None, session.guest_id):
                self._held.pop(session_id)
                task = asyncio.get_running_loop().create_task(self._revoke(held))
                self._revoking.add(task)
                task.add_done_callback(self._revoking.discard)

    async def close(self) -> None:
        """Wait for the revocations under way; each has its own time limit."""
        await asyncio.gather(*self._revoking, return_exceptions=True)

    async def _revoke(self, held: _Held) -> None:
        """Revoke the JWT; one that has lapsed is refreshed first (the mobile SDK does so, at most three times)."""
        opening = held.opening
        try:
            for _ in range(REVOKE_TRIES):
                bearer = (b"authorization", b"bearer " + held.jwt.encode("ascii"))
                status, _ = await self._call(opening, b"DELETE", REVOKE, None, (bearer,))
                if status in (200, 204):
                    self._watch.revoked(opening, held.jwt)
                    return
                self._watch.refused(opening, "revoke", status)
                jwt = await self._refresh(opening, held) if status == 401 else None
                if jwt is None:
                    return
                held.jwt = jwt
        except Refusal as refusal:
            log.warning("guest.logout_failed", code=refusal.code, site=opening.site, request_id=opening.request_id)

    async def _refreshed(self, opening: SocketOpening, session: GuestSession, held: _Held) -> str | None:
        jwt = await self._refresh(opening, held)
        return None if jwt is None else await self._keep(opening, session, "refresh", jwt, held.refresher)

    async def _refresh(self, opening: SocketOpening, held: _Held) -> str | None:
        """A new JWT for a refresh token that is held; the answer holds no new refresh token."""
        if held.refresher is None:
            return None
        document = {"refreshToken": held.refresher, "deploymentId": opening.deployment_id}
        status, answer = await self._call(opening, b"POST", REFRESH, document)
        jwt = _jwt_in(answer) if status == 200 else None
        if jwt is None:
            held.refresher = None
            self._watch.refused(opening, "refresh", status)
        return jwt

    async def _exchanged(self, opening: SocketOpening, session: GuestSession) -> str | None:
        code = await self._codes.code_for(session, opening.deployment_id)
        if code is None:
            return None
        oauth = {"code": code.code, "redirectUri": code.redirect_uri}
        if code.nonce is not None:  # must be there exactly when the code was made with one
            oauth["nonce"] = code.nonce
        document = {"deploymentId": opening.deployment_id, "oauth": oauth}
        status, answer = await self._call(opening, b"POST", EXCHANGE, document)
        jwt = _jwt_in(answer) if status == 200 else None
        if jwt is None:
            # 401 is what Genesys says to nearly any problem between it and our provider
            log.warning("guest.login_refused", status=status, site=opening.site, request_id=opening.request_id)
            self._watch.refused(opening, "exchange", status)
            return None
        refresher = answer.get("refreshToken")
        return await self._keep(opening, session, "exchange", jwt, refresher if isinstance(refresher, str) else None)

    async def _keep(
        self, opening: SocketOpening, session: GuestSession, how: Leg, jwt: str, refresher: str | None
    ) -> str:
        """Keep the sign-in for as long as it may be used. Raises Refusal(AUDIT_UNAVAILABLE), and then keeps nothing."""
        now = self._clock()
        expires_at = _expiry_of(jwt)
        await self._watch.granted(opening, how, jwt, expires_at or now)
        held = _Held(opening, jwt, expires_at - MARGIN_S, refresher, {opening.request_id})
        until = session.expires_at if refresher is not None else min(expires_at, session.expires_at)
        if until > now:
            self._held.put(session.id, held, min(until, now + REFRESH_S), now)
        return jwt

    async def _call(
        self,
        opening: SocketOpening,
        method: bytes,
        target: bytes,
        document: Mapping[str, object] | None,
        more: tuple[tuple[bytes, bytes], ...] = (),
    ) -> tuple[int, dict[str, object]]:
        """Status and JSON object of one call. Raises Refusal: UPSTREAM_*."""
        origin = (opening.upstream_origin or opening.origin).encode("ascii")
        headers = [(b"accept", b"application/json"), (b"accept-encoding", b"identity"), (b"origin", origin), *more]
        body = b"" if document is None else orjson.dumps(document)
        if document is not None:
            headers.append((b"content-type", b"application/json"))
        try:
            async with self._turnstile:
                deadline = asyncio.get_running_loop().time() + self._timeout_s
                answer = await self._leg_of(opening.site).request(
                    method.decode("ascii"), target, headers, body, deadline=deadline, idempotent=False
                )
                content = await answer.read(MAX_ANSWER_BYTES)
        except UpstreamFault as exc:
            raise exc.refusal() from exc
        if answer.status == 429 or answer.status >= 500:
            raise Refusal(errors.UPSTREAM_BUSY, f"Genesys answered {answer.status} to the sign-in", retry_after_s=5)
        return answer.status, _object_of(content)


def _jwt_in(answer: Mapping[str, object]) -> str | None:
    """The answer's JWT, or None when it holds nothing that could be one."""
    jwt = answer.get("jwt")
    return jwt if isinstance(jwt, str) and _JWT.fullmatch(jwt) is not None else None


def _object_of(content: bytes) -> dict[str, object]:
    """The JSON object of a body; an empty one for anything else."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _expiry_of(jwt: str) -> float:
    """The exp claim, read without verifying: it bounds only how long we keep the JWT. 0.0 when there is none."""
    payload = jwt.split(".")[1]
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):  # orjson's fault is a ValueError
        return 0.0
    expires_at = claims.get("exp") if isinstance(claims, dict) else None
    return float(expires_at) if isinstance(expires_at, int | float) and not isinstance(expires_at, bool) else 0.0
