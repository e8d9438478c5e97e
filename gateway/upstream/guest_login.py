"""Gets a signed-in guest's Genesys JWT: a code of our OpenID provider, exchanged at the region's API host.

Leaves making the code to the provider and the frame to `ws_pair.py`. Rules kept: JWT and refresh token stay in this
process and end with the session; one exchange at a time per session; a JWT is never used past its expiry.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
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


class GuestLogins:
    """`GuestLogin` of the relay. `leg_of`: the API leg of a site's region."""

    def __init__(
        self, leg_of: Callable[[str], HttpLeg], codes: CodeSource, clock: Clock, *, timeout_s: float = 10.0
    ) -> None:
        self._leg_of = leg_of
        self._codes = codes
        self._clock = clock
        self._timeout_s = timeout_s
        self._jwts: ExpiryMap[str, str] = ExpiryMap(50_000, evict=True)
        self._refreshers: ExpiryMap[str, str] = ExpiryMap(50_000, evict=True)
        self._given: ExpiryMap[str, str] = ExpiryMap(50_000, evict=True)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def jwt_of(self, opening: SocketOpening) -> str | None:
        """The guest's JWT; None when Genesys or the site admits no sign-in of this guest.

        Raises Refusal: UPSTREAM_* when Genesys does not answer, and those of the provider.
        """
        session = opening.session
        if session is None or not session.verified:
            return None
        turn = self._turns.setdefault(session.id, asyncio.Lock())
        async with turn:
            known = self._jwts.get(session.id, self._clock())
            if known is not None and self._given.get(session.id, self._clock()) == opening.request_id:
                # the same socket asks again: Genesys did not take the JWT that it was given
                self._jwts.pop(session.id)
                known = None
            jwt = known or await self._refreshed(opening, session) or await self._exchanged(opening, session)
            now = self._clock()
            self._given.put(session.id, opening.request_id, now + REFRESH_S, now)
            return jwt

    def on_end(self, end: SessionEnd) -> None:
        """Forget what belongs to a session that has ended; to be given to `Guestbook.on_end`."""
        if end.session_id is not None:
            self._jwts.pop(end.session_id)
            self._refreshers.pop(end.session_id)

    async def log_out(self, opening: SocketOpening) -> bool:
        """End the guest's sign-in at Genesys, if a living JWT of it is here; call it before the session is ended."""
        session = opening.session
        jwt = None if session is None else self._jwts.pop(session.id)
        if session is None or jwt is None:
            return False
        self._refreshers.pop(session.id)
        bearer = (b"authorization", b"bearer " + jwt.encode("ascii"))
        return (await self._call(opening, b"DELETE", REVOKE, None, (bearer,)))[0] in (200, 204)

    async def _refreshed(self, opening: SocketOpening, session: GuestSession) -> str | None:
        """A new JWT for a refresh token that is held; the answer holds no new refresh token."""
        token = self._refreshers.get(session.id, self._clock())
        if token is None:
            return None
        document = {"refreshToken": token, "deploymentId": opening.deployment_id}
        status, answer = await self._call(opening, b"POST", REFRESH, document)
        jwt = self._kept(session, answer) if status == 200 else None
        if jwt is None:
            self._refreshers.pop(session.id)
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
        if status != 200:
            # 401 is what Genesys says to nearly any problem between it and our provider
            log.warning("guest.login_refused", status=status, site=opening.site, request_id=opening.request_id)
            return None
        refresher = answer.get("refreshToken")
        if isinstance(refresher, str):
            now = self._clock()
            self._refreshers.put(session.id, refresher, min(now + REFRESH_S, session.expires_at), now)
        return self._kept(session, answer)

    def _kept(self, session: GuestSession, answer: dict[str, object]) -> str | None:
        """The answer's JWT, kept for as long as it may be used."""
        jwt, now = answer.get("jwt"), self._clock()
        if not isinstance(jwt, str) or _JWT.fullmatch(jwt) is None:
            return None
        until = min(_expiry_of(jwt) - MARGIN_S, session.expires_at)
        if until > now:
            self._jwts.put(session.id, jwt, until, now)
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
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            answer = await self._leg_of(opening.site).request(
                method.decode("ascii"), target, headers, body, deadline=deadline, idempotent=False
            )
            content = await answer.read(MAX_ANSWER_BYTES)
        except UpstreamFault as exc:
            raise exc.refusal() from exc
        if answer.status == 429 or answer.status >= 500:
            raise Refusal(errors.UPSTREAM_BUSY, f"Genesys answered {answer.status} to the sign-in", retry_after_s=5)
        return answer.status, _object_of(content)


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
