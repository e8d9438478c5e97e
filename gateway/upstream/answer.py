"""One exchange as its caller sees it: the head of the answer, then the body, read at once or as a stream.

Leaves the wire to connection.py, which feeds it. The rule: memory is bounded (the wire is paused when the reader is
slow), and a body that was cut is never mistaken for a whole one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Protocol

from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.framing import BodyPlan, Framing, Header

_NO_PLAN: Final = BodyPlan(Framing.NONE, 0, keep_alive=False)
_NO_HEADERS: Final[list[Header]] = []


class Wire(Protocol):
    """What an answer may ask of the connection that feeds it."""

    def resume(self) -> None:
        """Go on reading; the buffer has room again."""

    def abandon(self) -> None:
        """Cut the connection; nobody wants the rest."""


class Answer:
    """The answer of one request. `status` and `headers` are as received, once `HttpLeg.request` has returned it.

    Take the body with `read()` or `stream()`, or give it up with `abort()`; `async with` gives up what is left.
    """

    __slots__ = (
        "_chunks", "_fault", "_low_bytes", "_waiter", "_wire", "arrived", "buffered", "complete", "deadline",
        "headers", "is_paused", "loop", "method", "plan", "seen", "status", "waited_s",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, method: str, deadline: float, low_bytes: int, wire: Wire | None
    ) -> None:
        """`wire`: the connection that feeds it."""
        self.loop = loop
        self.method = method
        self.deadline = deadline
        self.status = 0
        self.headers: list[Header] = _NO_HEADERS
        self.plan = _NO_PLAN
        self.waited_s = 0.0
        """Seconds from the request to the head, as the leg measured them."""
        self.seen = False
        """Has a byte of it arrived?"""
        self.arrived = False
        """Has the final head arrived?"""
        self.complete = False
        """Has the whole body arrived?"""
        self.is_paused = False
        """Does the wire wait for our reader?"""
        self._low_bytes = low_bytes
        self._chunks: deque[bytes] = deque()
        self.buffered = 0
        """Bytes of the body that wait for the reader."""
        self._fault: UpstreamFault | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wire = wire

    # --- the side of the caller -------------------------------------------------------------------------------

    @property
    def content_length(self) -> int | None:
        """The length of the body where the head tells it."""
        return self.plan.length

    async def read(self, max_bytes: int) -> bytes:
        """Return the whole body. Raises UpstreamFault when it is cut, late, or longer than `max_bytes`.

        Cancelled, it gives the answer up.
        """
        length = self.plan.length
        if length is not None and length > max_bytes:
            raise self._too_long()
        taken: list[bytes] = []
        size = 0
        while True:
            while self._chunks:
                chunk = self._take()
                size += len(chunk)
                taken.append(chunk)
            if size > max_bytes:
                raise self._too_long()
            if self.complete:
                return taken[0] if len(taken) == 1 else b"".join(taken)
            if self._fault is not None:
                raise self._fault
            try:
                await self.change()
            except asyncio.CancelledError:
                self.abort()
                raise

    def _too_long(self) -> UpstreamFault:
        """Give the answer up because of its length; returns the fault to raise."""
        self.abort()
        return UpstreamFault(FaultKind.PROTOCOL, "body above the limit", request_sent=True, answer_seen=True)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece as it comes. Raises UpstreamFault when it is cut; left early, it aborts."""
        try:
            while True:
                while self._chunks:
                    yield self._take()
                if self.complete:
                    return
                if self._fault is not None:
                    raise self._fault
                await self.change()
        finally:
            self.abort()

    def abort(self) -> None:
        """Give up what is left: the connection is cut unless the body is complete. Twice does no harm."""
        wire, self._wire = self._wire, None
        self._chunks.clear()
        self.buffered = 0
        if self.complete:
            return
        if self._fault is None:
            self._fault = UpstreamFault(FaultKind.RESET, "given up", request_sent=True, answer_seen=self.seen)
        if wire is not None:
            wire.abandon()

    async def __aenter__(self) -> Answer:
        """The answer itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Give up what was not read."""
        self.abort()

    # --- the side of the connection ---------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Is there nothing more to wait for?"""
        return self.complete or self._fault is not None

    def raise_fault(self) -> None:
        """Raise the fault that ended the exchange, if one did."""
        if self._fault is not None:
            raise self._fault

    async def head(self) -> None:
        """Wait on for the final head: what came before was none. Raises UpstreamFault."""
        while not self.arrived:
            self.raise_fault()
            await self.change()

    def change(self) -> asyncio.Future[None]:
        """What to await until a head, a piece, the end or a fault comes after now. One waiter at a time."""
        waiter = self._waiter = self.loop.create_future()
        return waiter

    def wake(self) -> None:
        """Wake the waiter."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def whole(self, max_bytes: int) -> bytes | None:
        """The body when all of it is here, in one piece and not too long; None: `read` it."""
        chunks = self._chunks
        if not self.complete or len(chunks) > 1 or self.buffered > max_bytes:
            return None
        self.buffered = 0
        return chunks.popleft() if chunks else b""

    def set_head(self, status: int, headers: list[Header], plan: BodyPlan) -> None:
        """Take the final head."""
        self.status = status
        self.headers = headers
        self.plan = plan
        self.arrived = True

    def put(self, chunk: bytes) -> int:
        """Take a piece of the body; returns how many bytes wait for the reader."""
        self._chunks.append(chunk)
        self.buffered += len(chunk)
        return self.buffered

    def finish(self) -> None:
        """The whole body has come; the connection is let go."""
        self.complete = True
        self._wire = None
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def fail(self, fault: UpstreamFault) -> None:
        """The exchange broke; the first fault counts."""
        if not self.complete and self._fault is None:
            self._fault = fault
            self._wire = None
            self.wake()

    def _take(self) -> bytes:
        """Hand out the oldest piece, and let the wire go on when there is room."""
        chunk = self._chunks.popleft()
        self.buffered -= len(chunk)
        if self.is_paused and self.buffered <= self._low_bytes:
            self.is_paused = False
            if self._wire is not None:
                self._wire.resume()
        return chunk
