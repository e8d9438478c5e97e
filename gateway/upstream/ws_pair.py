"""One guest socket: the client's end and Genesys' end, and what passes between them.

What a frame may say is `policy/frames.py` and `policy/server_frames.py`; this carries out their verdicts, answers
pings, and closes both ends in order. Rules kept: messages stay in order, a frame that needs to wait (for a handle, for
a sign-in) holds its own direction only, and the codes 1005 and 1006 are never sent.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Coroutine
from enum import Enum
from typing import Final

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy import frames
from gateway.policy.frame_answers import refusal_frame
from gateway.policy.frames import Answer, Close, NeedsJwt, SocketRules, SocketState, client_frame
from gateway.policy.guests import GuestSession
from gateway.policy.server_frames import SwapJwt, server_frame, with_handle
from gateway.upstream import ws_wire
from gateway.upstream.ws_endpoint import HELD_BY_OTHER_WRITING, HELD_BY_WAIT, Endpoint
from gateway.upstream.ws_renewal import LoginKeeper
from gateway.upstream.ws_types import Initiator, SocketEnding, SocketOpening, SocketServices
from gateway.upstream.ws_wire import CLOSE, PING, PONG, TEXT, WireFault

MAX_SECRETS: Final = 4
MAX_PINGS_PER_S: Final = 10


class Phase(Enum):
    """The life of a pair."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


_OPEN: Final = Phase.OPEN


class SocketPair:
    """Owner of two ends. Made by the relay once Genesys has accepted; `begin` starts the talk."""

    __slots__ = (
        "_code",
        "_deadline",
        "_initiator",
        "_login",
        "_opened_session",
        "_pings",
        "_reason",
        "_rules",
        "_secrets",
        "_services",
        "_started",
        "bytes_down",
        "bytes_up",
        "client",
        "messages_down",
        "messages_up",
        "next_touch",
        "opening",
        "phase",
        "state",
        "upstream",
    )

    client: Endpoint
    upstream: Endpoint

    def __init__(
        self, opening: SocketOpening, rules: SocketRules, state: SocketState, services: SocketServices
    ) -> None:
        self.opening = opening
        self.state = state
        self.phase = Phase.OPEN
        self.next_touch = services.now
        self.messages_up = self.messages_down = self.bytes_up = self.bytes_down = 0
        self._rules = rules
        self._services = services
        self._started = services.now
        self._secrets: tuple[str, ...] = ()
        self._opened_session: GuestSession | None = None
        self._login: LoginKeeper | None = None
        self._pings = 0
        self._deadline = 0.0
        self._code = ws_wire.NO_STATUS
        self._reason = ""
        self._initiator = Initiator.GATEWAY

    @property
    def watch(self) -> SocketServices:
        """Who looks at the clock."""
        return self._services

    def begin(self, from_client: bytes, from_upstream: bytes) -> None:
        """Start both ends with what each peer sent ahead."""
        self.client.begin(from_client)
        self.upstream.begin(from_upstream)

    # --- what the ends tell ---------------------------------------------------------------------------------------

    def message(self, end: Endpoint, opcode: int, payload: bytes) -> None:
        """Carry out the verdict on one message."""
        if end.parked is not None:
            end.parked.append((opcode, payload))
        elif self.phase is not _OPEN:
            if opcode == CLOSE:
                end.close_got = True
                end.finish()
        elif opcode == TEXT:
            try:
                text = payload.decode()
            except UnicodeDecodeError:
                self.broken(end, WireFault(ws_wire.INVALID_TEXT, "text is not UTF-8"))
                return
            if end is self.client:
                self._from_client(payload)
            else:
                self._from_upstream(text, payload)
        else:
            self._control(end, opcode, payload)

    def broken(self, end: Endpoint, fault: WireFault) -> None:
        """Close because a peer broke the protocol: it gets the code that says how, the other side a general one."""
        end.deaf = True
        if end is self.client:
            reason = errors.FRAME_TOO_LARGE if fault.code == ws_wire.TOO_BIG else errors.FRAME_MALFORMED
            self._services.observer.frame_refused(self.opening, reason)
            self.close(fault.code, reason.code, ws_wire.NORMAL)
        else:
            self.close(ws_wire.FAILED, errors.UPSTREAM_BAD_ANSWER.code, fault.code)

    def writing(self, end: Endpoint, *, paused: bool) -> None:
        """Hold or release the reading of the other end."""
        other = self.upstream if end is self.client else self.client
        if paused:
            other.hold(HELD_BY_OTHER_WRITING)
        else:
            other.release(HELD_BY_OTHER_WRITING)

    def lost(self, end: Endpoint) -> None:
        """A connection is gone: the other side is told by a Close of its own."""
        if self.phase is Phase.OPEN:
            if end is self.client:
                self._begin_close(Initiator.CLIENT, 1006, "")
                self.upstream.send_close(ws_wire.GOING_AWAY)
            else:
                self._begin_close(Initiator.UPSTREAM, 1006, errors.UPSTREAM_UNREACHABLE.code)
                self.client.send_close(ws_wire.FAILED, errors.UPSTREAM_UNREACHABLE.code)
        if self.client.is_lost and self.upstream.is_lost and self.phase is not Phase.CLOSED:
            self.phase = Phase.CLOSED
            self._services.ended(self)

    # --- closing --------------------------------------------------------------------------------------------------

    def close(self, code: int, reason: str, upstream_code: int = ws_wire.NORMAL) -> None:
        """Close both sides on the gateway's own account; `reason` is a stable code."""
        if self.phase is Phase.OPEN:
            self._begin_close(Initiator.GATEWAY, code, reason)
            self.client.send_close(code, reason)
            self.upstream.send_close(upstream_code)

    def abort(self) -> None:
        """Drop both connections at once."""
        self.close(ws_wire.GOING_AWAY, errors.SOCKET_CLOSED_BY_POLICY.code)
        self.client.abort()
        self.upstream.abort()

    def ending(self) -> SocketEnding:
        """What is told when the pair has closed."""
        return SocketEnding(
            opening=self.opening,
            code=self._code,
            reason=self._reason,
            initiator=self._initiator,
            messages_up=self.messages_up,
            messages_down=self.messages_down,
            bytes_up=self.bytes_up,
            bytes_down=self.bytes_down,
            duration_s=self._services.now - self._started,
            guest_token=None if self.state.guest is None else self.state.guest.upstream_token,
        )

    def check(self, now: float) -> float | None:
        """Look at the clock: pings, silence, slow readers, the end of a closing. Returns when to look again."""
        if self.phase is Phase.CLOSED:
            return None
        bounds = self._services.bounds
        if self.phase is Phase.CLOSING:
            if now < self._deadline:
                return self._deadline
            self.client.abort()
            self.upstream.abort()
            return None
        self._pings = 0
        for end, code, reason in (
            (self.client, ws_wire.POLICY, errors.SOCKET_CLOSED_BY_POLICY.code),
            (self.upstream, ws_wire.FAILED, errors.UPSTREAM_TIMEOUT.code),
        ):
            slow = end.paused_since is not None and now - end.paused_since >= bounds.slow_s
            if slow or now - end.last_heard >= bounds.idle_s:
                self.close(code, reason, ws_wire.GOING_AWAY)
                return self._deadline
            if end.paused_since is None and now - max(end.last_heard, end.last_ping) >= bounds.ping_s:
                end.last_ping = now
                end.send(PING, b"")
        paused = self.client.paused_since is not None or self.upstream.paused_since is not None
        return now + min(bounds.ping_s, bounds.slow_s if paused else bounds.idle_s)

    # --- within ---------------------------------------------------------------------------------------------------

    def _from_client(self, payload: bytes) -> None:
        services = self._services
        verdict = client_frame(self.state, payload, self._rules, services.clock())
        if type(verdict) is bytes:
            size = len(payload)
            self.messages_up += 1
            self.bytes_up += size
            services.traffic.up(size)
            self.upstream.send(TEXT, verdict if self._login is None else self._login.outgoing(verdict))
        elif type(verdict) is NeedsJwt:
            self._wait(self.client, self._sign_in(verdict))
        elif isinstance(verdict, Answer | Close):
            self._answer(verdict)

    def _answer(self, verdict: Answer | Close) -> None:
        """Carry out a verdict that keeps a frame from Genesys."""
        self._refused(verdict.reason)
        if isinstance(verdict, Answer):
            self.client.send(TEXT, verdict.text.encode("utf-8"))
        else:
            self.close(verdict.code, verdict.text)

    def _from_upstream(self, text: str, payload: bytes) -> None:
        if self._login is not None and self._login.takes(text):
            return
        verdict = server_frame(self.state, text, self._secrets)
        if type(verdict) is str:
            self._to_client(payload if verdict is text else verdict.encode("utf-8"))
        elif isinstance(verdict, SwapJwt):
            self._hide(verdict.jwt)
            self._wait(self.upstream, self._swap(verdict))
        else:
            self._refused(errors.UPSTREAM_BAD_ANSWER)

    def _to_client(self, payload: bytes) -> None:
        size = len(payload)
        self.messages_down += 1
        self.bytes_down += size
        self._services.traffic.down(size)
        self.client.send(TEXT, payload)

    def _control(self, end: Endpoint, opcode: int, payload: bytes) -> None:
        """Ping, pong, close, and the binary frames that the Guest API does not have."""
        if opcode == PING:
            self._pings += end is self.client
            if self._pings > MAX_PINGS_PER_S * self._services.bounds.ping_s:
                self._refused(errors.FRAME_RATE)
                self.close(ws_wire.POLICY, errors.FRAME_RATE.code)
            end.send(PONG, payload)
        elif opcode == CLOSE:
            self._carry_close(end, payload)
        elif opcode != PONG:
            if end is self.client:
                self._answer(frames.binary_frame())
            else:
                self.broken(end, WireFault(ws_wire.UNSUPPORTED, "binary frame"))

    def _carry_close(self, end: Endpoint, payload: bytes) -> None:
        """Answer a Close with the same code, and pass it on to the other side."""
        try:
            code, reason = ws_wire.read_close(payload)
        except WireFault as fault:
            self.broken(end, fault)
            return
        end.close_got = True
        is_client = end is self.client
        self._begin_close(Initiator.CLIENT if is_client else Initiator.UPSTREAM, code, reason)
        end.send_close(code, reason)
        end.finish()
        other = self.upstream if is_client else self.client
        other.send_close(ws_wire.carried_code(code), reason)

    def _begin_close(self, initiator: Initiator, code: int, reason: str) -> None:
        """Note who closed and why; from here on only Close frames are heard, until the deadline."""
        self.phase = Phase.CLOSING
        self._initiator, self._code, self._reason = initiator, code, reason
        self._deadline = self._services.now + self._services.bounds.close_wait_s
        self._services.look_at(self, self._deadline)
        self.client.parked = self.upstream.parked = None
        self.client.release_all()
        self.upstream.release_all()

    def _refused(self, reason: Reason) -> None:
        self._services.observer.frame_refused(self.opening, reason)

    def _hide(self, secret: str) -> None:
        self._secrets = (*self._secrets, secret)[-MAX_SECRETS:]

    def _wait(self, end: Endpoint, step: Coroutine[None, None, None]) -> None:
        """Hold one direction while `step` runs; what came behind it follows in order."""
        end.parked = deque()
        end.hold(HELD_BY_WAIT)
        self._services.spawn(self._waited(end, step))

    async def _waited(self, end: Endpoint, step: Coroutine[None, None, None]) -> None:
        try:
            await step
        except Exception:  # a fault of ours: the direction must not stay held; the relay reports it
            self.close(ws_wire.FAILED, errors.INTERNAL.code)
            raise
        if self.phase is not Phase.OPEN:
            return
        parked, end.parked = end.parked, None
        for opcode, payload in parked or ():
            self.message(end, opcode, payload)
        if end.parked is None:
            end.release(HELD_BY_WAIT)

    async def _swap(self, swap: SwapJwt) -> None:
        """Keep the guest's Genesys JWT and pass on a handle for it."""
        try:
            handle = await self._history_handle(swap)
            text = with_handle(swap, handle)
        except Refusal as refusal:
            tracing_id = swap.frame.get("tracingId")
            text = refusal_frame(refusal, tracing_id if isinstance(tracing_id, str) else None)
            self._refused(refusal.reason)
        if self.phase is Phase.OPEN:
            self._to_client(text.encode("utf-8"))

    async def _history_handle(self, swap: SwapJwt) -> str:
        """A handle that belongs to the socket's session; a socket without one gets a session when it first asks."""
        keep = self._services.guestbook.keep_history
        session = self.opening.session
        if session is not None:
            return await keep(session, swap.jwt, swap.expires_at)
        if self._opened_session is not None:
            try:
                return await keep(self._opened_session, swap.jwt, swap.expires_at)
            except Refusal as refusal:
                if refusal.reason not in (errors.SESSION_INVALID, errors.SESSION_EXPIRED):
                    raise
        if self._services.sessions is None:
            raise Refusal(errors.SESSION_MISSING, "history needs a session; connect with a ticket")
        self._opened_session = await self._services.sessions.open_session(self.opening)
        return await keep(self._opened_session, swap.jwt, swap.expires_at)

    async def _sign_in(self, needs: NeedsJwt) -> None:
        """Get the guest's Genesys JWT and send the sign-in with it, or refuse it."""
        services, session = self._services, self.opening.session
        jwt: str | None = None
        if services.login is not None and session is not None:
            try:
                jwt = await services.login.jwt_of(self.opening)
            except Refusal as refusal:
                self._refused(refusal.reason)
        if self.phase is not Phase.OPEN:
            return
        if jwt is None:
            self._answer(frames.refuse_login(self.state, needs, services.clock()))
            return
        self._hide(jwt)
        if self._login is None:
            self._login = LoginKeeper(
                self._another_jwt, self._to_genesys, self._hold_client, self._pass_on, lambda: str(uuid.uuid4())
            )
        self._login.sign_in(needs, jwt)

    # --- what the sign-in's keeper asks -----------------------------------------------------------------------------

    async def _another_jwt(self, afresh: bool) -> str | None:
        login = self._services.login
        jwt = None if login is None else await login.jwt_of(self.opening, afresh=afresh)
        if jwt is not None:
            self._hide(jwt)
        return jwt if self.phase is Phase.OPEN else None

    def _to_genesys(self, payload: bytes) -> None:
        self.messages_up += 1
        self.bytes_up += len(payload)
        self._services.traffic.up(len(payload))
        self.upstream.send(TEXT, payload)

    def _hold_client(self, step: Coroutine[None, None, None]) -> bool:
        if self.client.parked is not None or self.phase is not Phase.OPEN:
            return False
        self._wait(self.client, step)
        return True

    def _pass_on(self, text: str) -> None:
        if self.phase is Phase.OPEN:
            self._from_upstream(text, text.encode("utf-8"))
