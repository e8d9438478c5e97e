"""One end of a relayed socket: a transport, its reader, and the holds on its reading. No policy.

Leaves what a message means to the pair that owns both ends. Rule kept: an end that cannot be written to holds the
reading of the other (and its own, for we answer pings), so that nothing piles up in memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from gateway.upstream.ws_wire import (
    CLOSE,
    TEXT,
    FrameReader,
    MaskSource,
    Message,
    WireFault,
    build_frame,
    close_payload,
)

HELD_BY_OWN_WRITING = 1
HELD_BY_OTHER_WRITING = 2
HELD_BY_WAIT = 4
HELD_UNTIL_BEGUN = 8


class Watch(Protocol):
    """Whoever looks at the clock for all sockets."""

    now: float
    """Coarse monotonic time."""


class Owner(Protocol):
    """Whoever owns two ends; called on the event loop, never re-entered for the same chunk."""

    @property
    def watch(self) -> Watch:
        """Who looks at the clock."""
        ...

    def message(self, end: Endpoint, opcode: int, payload: bytes) -> None:
        """A whole message came."""

    def broken(self, end: Endpoint, fault: WireFault) -> None:
        """The peer broke the protocol; the end is deaf now."""

    def writing(self, end: Endpoint, *, paused: bool) -> None:
        """The end's write buffer is full, or has drained."""

    def lost(self, end: Endpoint) -> None:
        """The connection is gone."""


class Endpoint(asyncio.Protocol):
    """The protocol of one end. `masks`: set towards a server, whose frames we must mask."""

    __slots__ = (
        "_holds",
        "_masks",
        "_reader",
        "_watch",
        "close_got",
        "close_sent",
        "deaf",
        "is_lost",
        "last_heard",
        "last_ping",
        "owner",
        "parked",
        "paused_since",
        "transport",
    )

    def __init__(
        self, transport: asyncio.Transport, owner: Owner, reader: FrameReader, masks: MaskSource | None
    ) -> None:
        self.transport = transport
        self.owner = owner
        self._reader = reader
        self._masks = masks
        self._holds = 0
        self.deaf = False
        self.close_sent = False
        self.close_got = False
        self.is_lost = False
        self._watch = owner.watch
        self.last_heard = self.last_ping = self._watch.now
        self.paused_since: float | None = None
        self.parked: deque[Message] | None = None
        """Messages that came while one before them waits for something; None while none waits."""

    def data_received(self, data: bytes) -> None:
        """Hand each whole message to the owner."""
        if self.deaf:
            return
        owner, reader = self.owner, self._reader
        self.last_heard = self._watch.now
        text = reader.whole_text(data)
        if text is not None:
            owner.message(self, TEXT, text)
            return
        for opcode, payload in reader.feed(data):
            owner.message(self, opcode, payload)
        if reader.fault is not None:
            self.deaf = True
            owner.broken(self, reader.fault)

    def eof_received(self) -> bool | None:
        """The peer has ended its half: the transport closes itself."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner once."""
        if not self.is_lost:
            self.is_lost = True
            self.owner.lost(self)

    def pause_writing(self) -> None:
        """The write buffer is full."""
        self.paused_since = self._watch.now
        self.hold(HELD_BY_OWN_WRITING)
        self.owner.writing(self, paused=True)

    def resume_writing(self) -> None:
        """The write buffer has drained."""
        self.paused_since = None
        self.release(HELD_BY_OWN_WRITING)
        self.owner.writing(self, paused=False)

    def hold(self, reason: int) -> None:
        """Stop reading for this reason; reasons add up."""
        if not self._holds and not self.is_lost and not self.transport.is_closing():
            self.transport.pause_reading()
        self._holds |= reason

    def release(self, reason: int) -> None:
        """End this reason; reading goes on when none is left."""
        if not self._holds & reason:
            return
        self._holds &= ~reason
        if not self._holds and not self.is_lost and not self.transport.is_closing():
            self.transport.resume_reading()

    def begin(self, early: bytes) -> None:
        """Read what came before the talk began, then go on reading."""
        self.hold(HELD_UNTIL_BEGUN)
        if early:
            self.data_received(early)
        self.release(HELD_UNTIL_BEGUN)

    def release_all(self) -> None:
        """End every hold, to hear the peer's Close."""
        self.release(self._holds)

    def send(self, opcode: int, payload: bytes) -> None:
        """Write one message, unless the end is closing."""
        if self.close_sent or self.is_lost:
            return
        masks = self._masks
        self.transport.write(build_frame(opcode, payload, None if masks is None else masks.next()))

    def send_close(self, code: int, reason: str = "") -> None:
        """Write the one Close frame of this end; what comes after it is not sent."""
        self.send(CLOSE, close_payload(code, reason))
        self.close_sent = True

    def finish(self) -> None:
        """Close the transport once what is written has left."""
        if not self.is_lost:
            self.transport.close()

    def abort(self) -> None:
        """Close the transport at once."""
        if not self.is_lost:
            self.transport.abort()
