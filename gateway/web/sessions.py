"""POST and DELETE /session, POST /ticket: the calls of a page about its own session.

Who is let in is `admission.py`'s. The rule: the answer holds handles only, and nothing of Genesys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from gateway import errors
from gateway.admission import Admissions
from gateway.errors import Refusal
from gateway.gate import Gate
from gateway.guestbook import TICKET_S, Guestbook
from gateway.observe.audit import records
from gateway.policy.decision import Guest
from gateway.policy.guests import Act
from gateway.web.callers import Callers
from gateway.web.exchange import Exchange, refuse_unknown, text_member
from gateway.web.oauth import SESSION_COOKIE

MAX_BODY_BYTES: Final = 16_384
MAX_TOKEN_CHARS: Final = 12_288
SESSION_MEMBERS: Final = frozenset({"visitor_token", "issuer"})


class Sessions:
    """The handlers of `session` and `ticket`."""

    def __init__(
        self,
        admissions: Admissions,
        guestbook: Guestbook,
        callers: Callers,
        gate: Gate,
        clock: Callable[[], float],
        *,
        sets_cookie: Callable[[], bool] = lambda: False,
    ) -> None:
        """`sets_cookie`: whether the handle also goes into a cookie, for the authorization endpoint alone."""
        self._admissions = admissions
        self._guestbook = guestbook
        self._callers = callers
        self._gate = gate
        self._clock = clock
        self._sets_cookie = sets_cookie

    async def session(self, exchange: Exchange) -> web.StreamResponse:
        """POST opens, renews or upgrades; DELETE ends."""
        if exchange.request.method == "DELETE":
            return await self._end(exchange)
        asked = await exchange.json_object(MAX_BODY_BYTES)
        refuse_unknown(asked, SESSION_MEMBERS)
        site = exchange.rules
        handle = self._callers.session_handle(exchange)
        admission = await self._admissions.come(
            site.name,
            handle,
            text_member(asked, "visitor_token", MAX_TOKEN_CHARS),
            text_member(asked, "issuer", 64),
            exchange.trail,
            await self._callers.proof_key(exchange, handle),
        )
        answer: dict[str, object] = {
            "session_token": admission.handle,
            "token_type": "Bearer",
            "expires_in": round(admission.handle_expires_at - self._clock()),
            "guest": {"id": admission.session.guest_id, "verified": admission.session.verified},
            "site": site.name,
            "mode": site.mode,
            "deployment_id": site.deployment_id,
        }
        if admission.session.proof_key is not None:
            answer["token_type"] = "DPoP"
        headers = None
        if self._sets_cookie() and admission.session.verified:
            headers = {"Set-Cookie": _cookie(admission.handle, round(admission.handle_expires_at - self._clock()))}
        return exchange.json_answer(201 if admission.act in (Act.OPEN, Act.REPLACE) else 200, answer, headers)

    async def _end(self, exchange: Exchange) -> web.StreamResponse:
        handle = self._callers.session_handle(exchange)
        if handle is None:
            raise Refusal(errors.SESSION_MISSING)
        try:
            await self._callers.session_of(exchange, handle)  # who has not the key of a bound session may not end it
        except Refusal as refusal:
            if refusal.reason not in (errors.SESSION_INVALID, errors.SESSION_EXPIRED):
                raise
        await self._admissions.leave(exchange.rules.name, handle, exchange.trail)
        return exchange.answer(204, headers={"Set-Cookie": _cookie("", 0)} if self._sets_cookie() else None)

    async def ticket(self, exchange: Exchange) -> web.StreamResponse:
        """POST: a one-use ticket for one socket of the caller's session.

        None where no socket is: a browser does not let a page read why a socket was refused, and this it may read.
        """
        if exchange.rules.mode != "proxied":
            raise Refusal(errors.NOT_FOUND, "the site uses the stock Messenger, which talks to Genesys itself")
        handle = self._callers.session_handle(exchange)
        if handle is None:
            raise Refusal(errors.SESSION_MISSING)
        refuse_unknown(await exchange.json_object(MAX_BODY_BYTES), frozenset())
        session = await self._callers.session_of(exchange, handle)
        trail = exchange.trail
        trail.caller = Guest(session)
        ticket = await self._guestbook.issue_ticket(session)
        await self._gate.granted(
            records.token_minted(
                at=self._clock(),
                who=self._gate.subject(trail),
                token_ref=self._gate.reference("token", ticket.handle),
                client="guest",
                token_kind="ticket",
                expires_at=ticket.expires_at,
                request_id=trail.request_id,
                trace_id=trail.trace_id,
            )
        )
        return exchange.json_answer(200, {"ticket": ticket.handle, "expires_in": int(TICKET_S)})


def _cookie(handle: str, life_s: int) -> str:
    """Lax: it comes along when the browser is sent to the authorization endpoint, and with no call of another site."""
    return f"{SESSION_COOKIE}={handle}; Path=/; Max-Age={life_s}; Secure; HttpOnly; SameSite=Lax"
