"""What the parts of the socket relay share: its bounds, what it tells its observers, and what it asks of others.

Plain values and protocols, no behaviour. Rule kept: nothing here shows a token in a repr.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.errors import Reason
from gateway.observe.tracing import Trace
from gateway.policy.frames import SocketState
from gateway.policy.guests import GuestSession
from gateway.store.known import SessionEnd


class Initiator(StrEnum):
    """Who ended a socket."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class SocketBounds:
    """Times and sizes that hold for every socket of a node."""

    idle_s: float = 300.0
    ping_s: float = 25.0
    slow_s: float = 15.0
    close_wait_s: float = 5.0
    touch_s: float = 60.0
    max_upstream_frame_bytes: int = 1_048_576
    high_water_bytes: int = 65_536


@dataclass(frozen=True, slots=True)
class SocketOpening:
    """A socket as it was opened. `session` is None where the client's own token is the guest.

    `trace_id` and `trace`: of the request that opened it; the latter only where it is sampled. `ticket`: the digest of
    the ticket that opened it.
    """

    request_id: str
    site: str
    deployment_id: str
    origin: str
    session: GuestSession | None
    client_ip: str = ""
    upstream_origin: str = ""
    trace_id: str | None = None
    trace: Trace | None = None
    ticket: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SocketEnding:
    """A socket as it ended. `code` is 1005 for a Close without code, 1006 for a connection that just went."""

    opening: SocketOpening
    code: int
    reason: str
    initiator: Initiator
    messages_up: int
    messages_down: int
    bytes_up: int
    bytes_down: int
    duration_s: float
    guest_token: str | None = field(default=None, repr=False)
    """The guest's token at Genesys that it carried; None when it was closed before any."""


class SocketObserver(Protocol):
    """Hears about sockets; what it makes of that (audit, metrics) is its own."""

    async def opened(self, opening: SocketOpening) -> None:
        """Genesys has accepted, the client not yet told. May raise Refusal: then the socket is not opened."""

    def closed(self, ending: SocketEnding) -> None:
        """The socket is gone. Must not raise."""

    def frame_refused(self, opening: SocketOpening, reason: Reason) -> None:
        """A frame did not pass. Must not raise."""


class GuestSessions(Protocol):
    """What sockets ask of the guestbook; see `gateway.guestbook.Guestbook`."""

    def on_end(self, listener: Callable[[SessionEnd], None]) -> None:
        """Have `listener` called when sessions end."""

    def on_replay(self, listener: Callable[[str, str], None]) -> None:
        """Have `listener` called with session id and digest of each ticket that came twice."""

    def was_replayed(self, ticket: str) -> bool:
        """Did the ticket of this digest come twice?"""

    def is_live(self, session: GuestSession) -> bool:
        """Is the session known here, alive, and still this guest's?"""

    async def touch(self, session_id: str) -> GuestSession:
        """Note that a session is in use. May raise Refusal."""

    async def keep_history(self, session: GuestSession, jwt: str, expires_at: float) -> str:
        """Keep a Genesys JWT; returns the handle for it. May raise Refusal."""


class GuestLogin(Protocol):
    """Gets a signed-in guest's Genesys JWT by the OpenID exchange."""

    async def jwt_of(self, opening: SocketOpening, *, afresh: bool = False) -> str | None:
        """The JWT of the socket's guest, or None when there is none to be had for this guest. May raise Refusal.

        A socket that asks again gets another one. `afresh`: by a whole new sign-in, because a refreshed one would be
        refused as well.
        """


class SessionOpener(Protocol):
    """Opens sessions for guests that came without one: their history handles must belong to somebody."""

    async def open_session(self, opening: SocketOpening) -> GuestSession:
        """A new anonymous session, on record. Raises Refusal."""


class SocketTraffic:
    """Messages and bytes relayed by this node since its start, by direction."""

    __slots__ = ("bytes_down", "bytes_up", "messages_down", "messages_up")

    def __init__(self) -> None:
        self.messages_up = self.messages_down = self.bytes_up = self.bytes_down = 0

    def up(self, size: int) -> None:
        """One message of a client was passed on."""
        self.messages_up += 1
        self.bytes_up += size

    def down(self, size: int) -> None:
        """One message of Genesys was passed on."""
        self.messages_down += 1
        self.bytes_down += size


class Pair(Protocol):
    """As much of a pair as the relay's clock and registry need."""

    opening: SocketOpening
    state: SocketState
    next_touch: float

    def check(self, now: float) -> float | None:
        """See `SocketPair.check`."""

    def close(self, code: int, reason: str, upstream_code: int = ...) -> None:
        """See `SocketPair.close`."""

    def abort(self) -> None:
        """See `SocketPair.abort`."""

    def ending(self) -> SocketEnding:
        """See `SocketPair.ending`."""


class SocketServices(Protocol):
    """What a pair asks of the relay that made it."""

    now: float
    bounds: SocketBounds
    clock: Callable[[], float]
    guestbook: GuestSessions
    observer: SocketObserver
    login: GuestLogin | None
    sessions: SessionOpener | None
    traffic: SocketTraffic

    def look_at(self, pair: Pair, at: float) -> None:
        """Have `pair.check` called at the time `at`."""

    def ended(self, pair: Pair) -> None:
        """Both connections of the pair are gone."""

    def spawn(self, step: Coroutine[None, None, None]) -> None:
        """Run a step of a pair in a task that the relay owns."""
