"""The guest socket's way in: ticket or anonymous rule, leave from the gate, then the relay; and its records.

What frames may say is the policy's, carrying them `upstream/websocket.py`'s. The rule: a refusal is an HTTP status
before the 101, because 403 is the one answer that clients understand and do not retry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from aiohttp import web

from gateway.admission import Admissions
from gateway.errors import Reason, Refusal
from gateway.gate import Gate, Trail
from gateway.guestbook import Guestbook
from gateway.observe.audit import records
from gateway.observe.metrics import Metrics
from gateway.observe.tracing import Tracing
from gateway.policy import handles
from gateway.policy.decision import Caller, Guest, Nobody
from gateway.policy.guests import GuestSession
from gateway.policy.handles import HandleKind
from gateway.policy.origins import check_origin
from gateway.upstream.websocket import SocketRelay
from gateway.upstream.ws_types import Initiator, SocketEnding, SocketOpening
from gateway.web.exchange import Exchange

SUBPROTOCOL: Final = "gateway.v1"
TICKET_PREFIX: Final = "ticket."

UPGRADE_RESULTS: Final = {
    "upstream.socket_refused": "upstream_refused",
    "upstream.unreachable": "upstream_refused",
    "upstream.bad_answer": "upstream_refused",
    "upstream.timeout": "upstream_timeout",
    "upstream.busy": "limit",
    "socket.too_many": "limit",
    "limit.rate": "limit",
    "socket.upgrade_required": "bad_request",
    "request.malformed": "bad_request",
    "server.draining": "draining",
}
INITIATORS: Final[dict[Initiator, Literal["client", "gateway", "upstream"]]] = {
    Initiator.CLIENT: "client",
    Initiator.GATEWAY: "gateway",
    Initiator.UPSTREAM: "upstream",
}
CLOSE_CLASSES: Final = {
    1000: "normal", 1005: "normal", 1001: "going_away", 1012: "going_away", 1008: "policy", 1009: "too_big",
    1006: "abnormal", 1011: "abnormal",
}  # fmt: skip


class GuestSocket:
    """The handler of `websocket`."""

    def __init__(self, relay: SocketRelay, guestbook: Guestbook, gate: Gate, metrics: Metrics) -> None:
        self._relay = relay
        self._guestbook = guestbook
        self._gate = gate
        self._metrics = metrics

    async def handle(self, exchange: Exchange) -> web.StreamResponse:
        """Open a socket; the answer is the switched connection, which goes on by itself. Raises Refusal."""
        try:
            answer = await self._open(exchange)
        except Refusal as refusal:
            result = UPGRADE_RESULTS.get(refusal.code, "denied" if refusal.status < 500 else "error")
            self._metrics.websocket_upgrades.child(result).inc()
            raise
        self._metrics.websocket_upgrades.child("ok").inc()
        return answer

    async def _open(self, exchange: Exchange) -> web.StreamResponse:
        check_origin(exchange.origin, exchange.rules.origins)  # before a ticket is spent
        offered = _offered(exchange.request)
        exchange.caller = await self._caller(exchange, offered)
        permit = await self._gate.permit_socket(
            exchange.facts(), exchange.rules, exchange.target.parameter("deploymentId"), exchange.trail
        )
        exchange.trail.responder = "upstream"
        return await self._relay.run(
            permit,
            exchange.request,
            SUBPROTOCOL if SUBPROTOCOL in offered else None,
            request_id=exchange.trail.request_id,
            client_ip=exchange.trail.client_ip,
            trace_id=exchange.trail.trace_id,
            trace=exchange.trail.trace,
            headers={"Server": "gateway", "X-Request-Id": exchange.trail.request_id, **exchange.cors},
        )

    async def _caller(self, exchange: Exchange, offered: tuple[str, ...]) -> Caller:
        """The guest of the ticket that the client offers as a sub-protocol; nobody when it offers none."""
        tickets = [word.removeprefix(TICKET_PREFIX) for word in offered if word.startswith(TICKET_PREFIX)]
        if not tickets:
            return Nobody()
        session = await self._guestbook.redeem_ticket(tickets[0], exchange.rules.name)
        return Guest(session, HandleKind.TICKET, ticket=handles.digest(tickets[0]))


def _offered(request: web.BaseRequest) -> tuple[str, ...]:
    """The sub-protocols that the client offers."""
    lines = request.headers.getall("Sec-WebSocket-Protocol", ())
    return tuple(word.strip() for line in lines for word in line.split(",") if word.strip())


class SocketSessions:
    """Opens a session for a guest whose socket came without one, as `POST /session` would, on the same record."""

    def __init__(self, admissions: Admissions, region_of: Callable[[str], str]) -> None:
        """`region_of`: the region of a site."""
        self._admissions = admissions
        self._region_of = region_of

    async def open_session(self, opening: SocketOpening) -> GuestSession:
        """A new anonymous session. Raises Refusal: VISITOR_MISSING, STORE_UNAVAILABLE, AUDIT_UNAVAILABLE."""
        trail = trail_of(opening, self._region_of(opening.site))
        return (await self._admissions.come(opening.site, None, None, None, trail)).session


class SocketWatch:
    """Counts and records what happens on sockets; the relay tells it."""

    def __init__(
        self, gate: Gate, metrics: Metrics, region_of: Callable[[str], str], clock: Callable[[], float],
        tracing: Tracing | None = None,
    ) -> None:  # fmt: skip
        """`region_of`: the region of a site."""
        self._gate = gate
        self._tracing = tracing if tracing is not None else Tracing()
        self._metrics = metrics
        self._region_of = region_of
        self._clock = clock
        self._open = metrics.websocket_connections.child()

    async def opened(self, opening: SocketOpening) -> None:
        """Record the opening before the client is told. Raises Refusal(AUDIT_UNAVAILABLE)."""
        session = opening.session
        await self._gate.used(
            records.ws_opened(
                at=self._clock(),
                who=self._gate.subject(self._trail(opening)),
                site=opening.site,
                region=self._region_of(opening.site),
                token_ref=None if session is None else self._gate.reference("token", session.upstream_token),
                request_id=opening.request_id,
                trace_id=opening.trace_id,
            )
        )
        self._open.inc()

    def closed(self, ending: SocketEnding) -> None:
        """Record and count the end."""
        opening = ending.opening
        self._open.dec()
        close_class = CLOSE_CLASSES.get(ending.code, "other")
        self._metrics.websocket_closes.child(str(ending.initiator), close_class).inc()
        self._metrics.websocket_duration.child().observe(ending.duration_s)
        if opening.trace is not None:
            self._tracing.socket_ended(opening.trace, ending.duration_s, code=ending.code, site=opening.site)
        self._gate.note_use(
            records.ws_closed(
                at=self._clock(),
                who=self._gate.subject(self._trail(opening)),
                code=ending.code,
                initiator=INITIATORS[ending.initiator],
                messages=ending.messages_up + ending.messages_down,
                bytes_=ending.bytes_up + ending.bytes_down,
                region=self._region_of(opening.site),
                duration_s=ending.duration_s,
                reason=ending.reason or None,
                token_ref=None if ending.guest_token is None else self._gate.reference("token", ending.guest_token),
                request_id=opening.request_id,
                trace_id=opening.trace_id,
            )
        )

    def frame_refused(self, opening: SocketOpening, reason: Reason) -> None:
        """Record and count a frame that did not pass."""
        self._gate.refused(Refusal(reason), self._trail(opening))

    def _trail(self, opening: SocketOpening) -> Trail:
        return trail_of(opening, self._region_of(opening.site))


def trail_of(opening: SocketOpening, region: str) -> Trail:
    """What is known of a socket, for its records."""
    caller = Guest(opening.session, HandleKind.TICKET) if opening.session is not None else Nobody()
    return Trail(
        request_id=opening.request_id, surface="websocket", method="GET", client_ip=opening.client_ip, started=0.0,
        site=opening.site, region=region, origin=opening.origin, caller=caller, trace_id=opening.trace_id,
    )  # fmt: skip
