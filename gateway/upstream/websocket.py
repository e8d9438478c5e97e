"""The relay of guest sockets: from an upgrade request with a permit to a pair of ends, and the registry of all pairs.

What passes on a socket is `ws_pair.py`. Rules kept: the client gets its 101 only after Genesys has accepted and the
opening is on record; a socket belongs to a session and ends with it on every node; every task has its owner here.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import structlog
from aiohttp import web

from gateway import errors
from gateway.errors import Refusal
from gateway.observe.tracing import Trace
from gateway.policy.decision import SocketPermit
from gateway.policy.frames import SessionPace, SocketGuest, SocketRules, SocketState
from gateway.policy.injection import GuestContext, context_attributes
from gateway.store.base import LimitAsk, Store
from gateway.store.expiry import ExpiryMap
from gateway.store.known import SessionEnd
from gateway.upstream.ws_agenda import Agenda
from gateway.upstream.ws_caps import Seats, SocketCaps
from gateway.upstream.ws_dial import DialledSocket, SocketDialer
from gateway.upstream.ws_endpoint import Endpoint
from gateway.upstream.ws_handshake import check_upgrade, switching_answer
from gateway.upstream.ws_pair import SocketPair
from gateway.upstream.ws_takeover import SwitchedResponse, is_gone, take_over
from gateway.upstream.ws_types import (
    GuestLogin,
    GuestSessions,
    Pair,
    SessionOpener,
    SocketBounds,
    SocketObserver,
    SocketOpening,
    SocketTraffic,
)
from gateway.upstream.ws_wire import GOING_AWAY, POLICY, FrameReader, MaskSource

log = structlog.get_logger(__name__)
TICK_S = 1.0
_PACE_S = 60.0
_PACES = 10_000


@dataclass(frozen=True, slots=True)
class SocketSite:
    """What the relay must know of a site. `url`: base of the Guest-API host (ws, wss); `application`: as sent to it."""

    url: str
    rules: SocketRules
    application: str = "gateway"
    connects_per_min: int = 900


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """Settings of the relay; `sites` by name."""

    sites: Mapping[str, SocketSite]
    caps: SocketCaps = field(default_factory=SocketCaps)
    bounds: SocketBounds = field(default_factory=SocketBounds)


class SocketRelay:
    """Carries guest sockets. `run` per upgrade request; `start` before, `drain` or `close` at the end."""

    def __init__(
        self,
        settings: SocketSettings,
        guestbook: GuestSessions,
        store: Store,
        dialer: SocketDialer,
        observer: SocketObserver,
        clock: Callable[[], float],
        *,
        entropy: Callable[[int], bytes],
        login: GuestLogin | None = None,
        sessions: SessionOpener | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`clock`: seconds since the epoch, for the pace of frames; `jitter`: spreads retries, 0 to 1.

        `sessions`: opens one for a socket without ticket that asks for its history; None: such sockets have none.
        """
        self.guestbook = guestbook
        self.observer = observer
        self.login = login
        self.sessions = sessions
        self.clock = clock
        self.traffic = SocketTraffic()
        self.now = asyncio.get_running_loop().time()
        self._settings = settings
        self.bounds = settings.bounds
        self._store = store
        self._dialer = dialer
        self._jitter = jitter
        self._masks = MaskSource(entropy)
        self._seats = Seats(settings.caps)
        self._pairs: dict[Pair, str | None] = {}
        self._of_session: dict[str, set[Pair]] = {}
        self._agenda: Agenda[Pair] = Agenda()
        self._paces: ExpiryMap[str, SessionPace] = ExpiryMap(_PACES, evict=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._draining = False
        self._emptied = asyncio.Event()
        guestbook.on_end(self._on_session_end)
        guestbook.on_replay(self._on_replay)

    # --- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to watch the clock."""
        self._ticker = asyncio.create_task(self._run_clock(), name="socket-relay-clock")

    def reload(self, settings: SocketSettings) -> None:
        """Use these settings for sockets opened from now on; open ones go on as they are."""
        self._settings = settings
        self._seats.caps = settings.caps

    @property
    def open_sockets(self) -> int:
        """Sockets that are open, or being opened."""
        return self._seats.taken

    def open_by_site(self) -> dict[str, int]:
        """Sockets that are open, by the name of their site."""
        return dict(Counter(pair.opening.site for pair in self._pairs))

    async def drain(self, within_s: float) -> None:
        """Take no new sockets, close the open ones with 1001 spread over the time, and drop what is left after it."""
        self._draining = True
        pairs = tuple(self._pairs)
        loop = asyncio.get_running_loop()
        spread_s = max(within_s - self.bounds.close_wait_s, within_s / 2)
        end = loop.time() + within_s
        for done, pair in enumerate(pairs, 1):
            pair.close(GOING_AWAY, errors.SOCKET_CLOSED_BY_POLICY.code, GOING_AWAY)
            left_s = end - within_s + spread_s * done / len(pairs) - loop.time()
            if left_s > 0 and done < len(pairs):
                await asyncio.sleep(left_s)
        try:
            async with asyncio.timeout_at(end):
                await self._wait_until_empty()
        except TimeoutError:
            log.info("sockets.dropped", count=len(self._pairs))
        await self.close()

    async def close(self) -> None:
        """Drop every socket at once and end every task."""
        self._draining = True
        for pair in tuple(self._pairs):
            pair.abort()
        await self._wait_until_empty()
        tasks = [*self._tasks, *([self._ticker] if self._ticker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._ticker = None

    # --- opening --------------------------------------------------------------------------------------------------

    async def run(
        self,
        permit: SocketPermit,
        request: web.BaseRequest,
        subprotocol: str | None,
        *,
        request_id: str = "",
        client_ip: str = "",
        headers: Mapping[str, str] | None = None,
        trace_id: str | None = None,
        trace: Trace | None = None,
    ) -> SwitchedResponse:
        """Open the socket that the permit allows; returns when it is open, and it goes on by itself.

        `subprotocol`: the one of the client's offer to confirm; `headers`: further headers of the 101.
        Raises Refusal: DRAINING, SOCKET_UPGRADE, REQUEST_MALFORMED, SOCKET_TOO_MANY, SESSION_*, CLIENT_GONE,
        UPSTREAM_*, STORE_UNAVAILABLE, and what the observer's `opened` raises.
        """
        if self._draining:
            raise Refusal(errors.DRAINING, retry_after_s=1)
        key = check_upgrade(request.method, request.version, tuple(request.headers.items()))
        answer = switching_answer(key, subprotocol, headers or {})
        site = self._settings.sites[permit.site]
        session = None if permit.guest is None else permit.guest.session
        opening = SocketOpening(
            request_id=request_id,
            site=permit.site,
            deployment_id=permit.deployment_id,
            origin=permit.origin,
            session=session,
            client_ip=client_ip,
            upstream_origin=permit.upstream_origin,
            trace_id=trace_id,
            trace=trace,
            ticket=None if permit.guest is None else permit.guest.ticket,
        )
        guest_id = None if session is None else session.guest_id
        self._seats.take(permit.site, guest_id)
        upstream: DialledSocket | None = None
        try:
            upstream = await self._dial(site, permit)
            if session is not None:
                await self.guestbook.touch(session.id)
            await self.observer.opened(opening)
        except BaseException:
            self._seats.give_back(permit.site, guest_id)
            if upstream is not None:
                upstream.transport.abort()
            raise
        return self._join(site.rules, opening, request, answer, upstream)

    async def _dial(self, site: SocketSite, permit: SocketPermit) -> DialledSocket:
        ask = LimitAsk(f"dial:{permit.deployment_id}", site.connects_per_min / 60.0, site.connects_per_min)
        (taken,) = await self._store.take_limits([ask])
        if not taken.allowed:
            wait_s = int(taken.retry_after_s + 1 + 10 * self._jitter())
            raise Refusal(
                errors.UPSTREAM_BUSY, "the deployment's connections per minute are used up", retry_after_s=wait_s
            )
        target = f"/v1?deploymentId={quote(permit.deployment_id, safe='')}"
        target += f"&application={quote(site.application, safe='')}"
        return await self._dialer.dial(site.url, target, permit.upstream_origin)

    def _join(
        self,
        rules: SocketRules,
        opening: SocketOpening,
        request: web.BaseRequest,
        answer: bytes,
        upstream: DialledSocket,
    ) -> SwitchedResponse:
        """Make the pair and let both ends go. Nothing is awaited here: no revocation can come in between."""
        session = opening.session
        guest_id = None if session is None else session.guest_id
        pair = SocketPair(opening, rules, self._first_state(opening, rules), self)
        reader = FrameReader(masked=False, max_bytes=self.bounds.max_upstream_frame_bytes)
        pair.upstream = self._end(upstream.transport, pair, reader, self._masks)
        gone = is_gone(request)
        replayed = opening.ticket is not None and self.guestbook.was_replayed(opening.ticket)
        if gone or replayed or (session is not None and not self.guestbook.is_live(session)):
            self._seats.give_back(opening.site, guest_id)
            upstream.transport.abort()
            self.observer.closed(pair.ending())
            raise Refusal(errors.CLIENT_GONE if gone else errors.TICKET_INVALID if replayed else errors.SESSION_INVALID)

        def client_end(transport: asyncio.Transport) -> Endpoint:
            pair.client = self._end(transport, pair, FrameReader(masked=True, max_bytes=rules.max_frame_bytes), None)
            return pair.client

        response, early = take_over(request, answer, client_end)
        upstream.transport.set_protocol(pair.upstream)
        self._pairs[pair] = guest_id
        if session is not None:
            self._of_session.setdefault(session.id, set()).add(pair)
        self.look_at(pair, self.now + self.bounds.ping_s)
        pair.begin(early, upstream.early)
        return response

    def _end(
        self, transport: asyncio.Transport, pair: SocketPair, reader: FrameReader, masks: MaskSource | None
    ) -> Endpoint:
        transport.set_write_buffer_limits(high=self.bounds.high_water_bytes)
        return Endpoint(transport, pair, reader, masks)

    def _first_state(self, opening: SocketOpening, rules: SocketRules) -> SocketState:
        """Who speaks on the socket, and the pace that the session's other sockets have left."""
        session = opening.session
        if session is None:
            return SocketState()
        context = GuestContext(session.guest_id, session.verified, session.site, session.external_ref, opening.origin)
        attributes = tuple(context_attributes(rules.context, context).items())
        guest = SocketGuest(session.upstream_token, attributes, session.verified)
        return SocketState(guest=guest, session=self._pace_of(session.id))

    def _pace_of(self, session_id: str) -> SessionPace:
        """How fast the session has spoken: one count for all its sockets, which outlives them for a while."""
        for pair in self._of_session.get(session_id, ()):
            return pair.state.session
        return self._paces.get(session_id, self.now) or SessionPace()

    # --- what pairs ask (SocketServices) --------------------------------------------------------------------------

    def look_at(self, pair: Pair, at: float) -> None:
        """Have `pair.check` called at the time `at`."""
        self._agenda.add(pair, at)

    def spawn(self, step: Coroutine[None, None, None]) -> None:
        """Run a step of a pair in a task of ours; a failure is logged."""
        task = asyncio.create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._stepped)

    def ended(self, pair: Pair) -> None:
        """Take a pair out of the books: nothing of ours holds it any more."""
        self._agenda.forget(pair)
        opening = pair.opening
        self._seats.give_back(opening.site, self._pairs.pop(pair))
        session = opening.session
        if session is not None:
            pairs = self._of_session[session.id]
            self._paces.put(session.id, pair.state.session, self.now + _PACE_S, self.now)
            pairs.discard(pair)
            if not pairs:
                del self._of_session[session.id]
        self.observer.closed(pair.ending())
        if not self._pairs:
            self._emptied.set()

    # --- clock and revocation -------------------------------------------------------------------------------------

    async def tick(self, now: float) -> None:
        """Do what is due at `now` (monotonic seconds): pings, time-outs, and keeping sessions alive."""
        self.now = now
        touched: set[str] = set()
        for pair in self._agenda.due(now):
            again = pair.check(now)
            if again is not None:
                self._agenda.add(pair, again)
            session = pair.opening.session
            if session is not None and again is not None and now >= pair.next_touch:
                pair.next_touch = now + self.bounds.touch_s
                touched.add(session.id)
        for session_id in touched:
            await self._touch(session_id)

    async def _touch(self, session_id: str) -> None:
        """An open socket is use of its session; one that has ended closes its sockets, even if the news was missed."""
        try:
            await self.guestbook.touch(session_id)
        except Refusal as refusal:
            if refusal.reason is not errors.STORE_UNAVAILABLE:
                self._close_session(session_id, refusal.code)

    def _on_session_end(self, end: SessionEnd) -> None:
        if end.session_id is not None:
            self._close_session(end.session_id, errors.SESSION_INVALID.code)
            return
        for pair in tuple(self._pairs):
            session = pair.opening.session
            if session is not None and session.guest_id == end.guest_id:
                pair.close(POLICY, errors.SESSION_INVALID.code)

    def _on_replay(self, session_id: str, ticket: str) -> None:
        for pair in tuple(self._of_session.get(session_id, ())):
            if pair.opening.ticket == ticket:
                pair.close(POLICY, errors.TICKET_INVALID.code)

    def _close_session(self, session_id: str, code: str) -> None:
        for pair in tuple(self._of_session.get(session_id, ())):
            pair.close(POLICY, code)

    async def _run_clock(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.tick(loop.time())
            except Exception as exc:  # the clock must go on for all other sockets
                log.error("sockets.clock_failed", exc_info=exc)

    async def _wait_until_empty(self) -> None:
        while self._pairs:
            self._emptied.clear()
            await self._emptied.wait()

    def _stepped(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("sockets.step_failed", exc_info=task.exception())
