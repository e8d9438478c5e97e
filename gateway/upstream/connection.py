"""One HTTP/1.1 connection to an upstream: bytes out, an answer in, one exchange at a time.

Leaves reading to reader.py, the body to answer.py, sharing to pool.py. The rule: a connection is offered again only
after a complete, unambiguous exchange with nothing behind it; in every other case it is cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

from gateway.upstream.answer import Answer
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.framing import Framing
from gateway.upstream.reader import AnswerReader
from gateway.upstream.settings import LegSettings


class Connection(asyncio.Protocol):
    """A connection in the pool. `free` is called when it may be used again, `lost` once when it is gone."""

    __slots__ = (
        "_answer", "_closing", "_free", "_loop", "_lost", "_low_bytes", "_may_continue", "_moved", "_moved_at",
        "_reader", "_sending", "_settings", "_transport", "_unsent_bytes", "_write_gate", "born_at", "idle_since",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: LegSettings,
        free: Callable[[Connection], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._low_bytes = settings.high_water_bytes // 2
        self._reader = AnswerReader(settings)
        self._free = free
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._closing = False
        self._sending = False
        self._may_continue: asyncio.Future[None] | None = None
        self._write_gate: asyncio.Future[None] | None = None
        self._moved = False
        self._moved_at = 0.0
        self._unsent_bytes = 0
        self.born_at = loop.time()
        self.idle_since = self.born_at

    @property
    def usable(self) -> bool:
        """Could a request be sent on it now, as far as the event loop knows?"""
        transport = self._transport
        return transport is not None and not self._closing and self._answer is None and not transport.is_closing()

    # --- an exchange ------------------------------------------------------------------------------------------

    async def exchange(self, method: str, request: bytes, deadline: float) -> Answer:
        """Send a request that is at hand, and return its answer when the final head has come.

        Raises UpstreamFault. Cancelled, or failed, it leaves the connection cut.
        """
        answer = self.begin(method, request, deadline)
        try:
            await answer.head()
        except asyncio.CancelledError:
            answer.abort()
            raise
        return answer

    async def exchange_stream(
        self, method: str, head: bytes, body: AsyncIterator[bytes], deadline: float, *, chunked: bool, ask_first: bool
    ) -> Answer:
        """The same with a body that comes piece by piece, held back while the upstream is slow.

        An answer that comes before the body is out ends the sending. What the iterator raises is raised on, the
        connection being cut.
        """
        answer = self.begin(method, head, deadline)
        self._sending = True
        self._may_continue = self._loop.create_future() if ask_first else None
        sender = self._loop.create_task(self._send(body, chunked=chunked))
        sender.add_done_callback(lambda _: answer.wake())
        try:
            while not answer.arrived:
                answer.raise_fault()
                if sender.done() and not sender.cancelled() and sender.exception() is not None:
                    sender.result()
                await answer.change()
        except BaseException:
            answer.abort()
            raise
        finally:
            if not sender.done():  # the answer came early: the rest of the body will never be sent
                self._closing = True
                self._sending = False
                sender.cancel()
            await asyncio.wait({sender})
            if not sender.cancelled():
                sender.exception()
            if self._closing and self._answer is None:
                self.close()
        return answer

    def begin(self, method: str, request: bytes, deadline: float) -> Answer:
        """Make the connection belong to one exchange, and send this much of its request.

        Whoever begins waits for `answer.head()`, and aborts the answer when it leaves before.
        """
        transport = self._transport
        answer = self._answer = Answer(self._loop, method, deadline, self._low_bytes, self)
        self._reader.begin(answer)
        self._sending = False
        self._unsent_bytes = 0
        self._moved = True
        if transport is not None:
            transport.write(request)
        return answer

    def _write(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        if self._transport is not None:
            self._transport.write(data)

    async def _send(self, body: AsyncIterator[bytes], *, chunked: bool) -> None:
        """Send a body piece by piece, after the upstream's go-ahead where one was asked for."""
        if self._may_continue is not None:
            # RFC 9110 section 10.1.1: a client need not wait for ever for the 100
            await asyncio.wait({self._may_continue}, timeout=self._settings.expect_timeout_s)
        async for piece in body:
            if not piece:
                continue
            if self._write_gate is not None:
                await self._write_gate
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            self._moved = True
        if chunked:
            self._write(b"0\r\n\r\n")
        self._sending = False
        self._moved = True

    # --- the clock --------------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Called every tick while in use: end the exchange when one of its times has run out."""
        answer, transport = self._answer, self._transport
        if answer is None or transport is None:
            return
        unsent_bytes = transport.get_write_buffer_size()
        if self._moved or unsent_bytes != self._unsent_bytes:
            self._moved = False
            self._moved_at = now
            self._unsent_bytes = unsent_bytes
        still_s = now - self._moved_at
        if now >= answer.deadline:
            self._fail(FaultKind.TOTAL_TIMEOUT, "deadline passed")
        elif unsent_bytes and still_s >= self._settings.write_timeout_s:
            self._fail(FaultKind.WRITE_TIMEOUT, "upstream takes no bytes")
        elif (
            not unsent_bytes and not self._sending and not answer.is_paused and still_s >= self._settings.read_timeout_s
        ):
            self._fail(FaultKind.READ_TIMEOUT, "upstream sends no bytes")

    # --- asyncio.Protocol -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not its subclasses

    def data_received(self, data: bytes) -> None:
        """Read on; end, pass on or cut, by what came of it."""
        answer, reader = self._answer, self._reader
        if answer is None:
            self.close()  # bytes that nobody asked for: the next answer on this connection could be anybody's
            return
        answer.seen = self._moved = True
        had_head = answer.arrived
        wrong = reader.feed(data)
        if wrong is not None:
            self._fail(FaultKind.PROTOCOL, wrong)
        elif reader.done:
            self._end_exchange(answer)
        elif reader.silent_bytes > self._settings.max_head_bytes:
            self._fail(FaultKind.PROTOCOL, "too much that is neither head nor body")
        elif answer.arrived:
            if not had_head:
                reader.silent_bytes = 0
            if answer.buffered > self._settings.high_water_bytes and not answer.is_paused:
                answer.is_paused = True
                if self._transport is not None:
                    self._transport.pause_reading()
            answer.wake()
        elif reader.may_send and self._may_continue is not None and not self._may_continue.done():
            self._may_continue.set_result(None)

    def eof_received(self) -> bool | None:
        """The upstream sends no more: the end of a body that is framed so, a cut in every other case."""
        answer = self._answer
        if answer is not None and answer.arrived and answer.plan.framing is Framing.UNTIL_CLOSE:
            self._end_exchange(answer)
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the exchange and the pool."""
        self._closing = True
        self._transport = None
        self._fail(
            FaultKind.RESET, "connection closed before the end of the answer" if exc is None else type(exc).__name__
        )
        self.resume_writing()
        self._reader.close()
        self._lost(self)

    def pause_writing(self) -> None:
        """The upstream is slow: hold the body back."""
        if self._write_gate is None:
            self._write_gate = self._loop.create_future()

    def resume_writing(self) -> None:
        """Go on with the body."""
        gate, self._write_gate = self._write_gate, None
        if gate is not None and not gate.done():
            gate.set_result(None)

    # --- the ends ---------------------------------------------------------------------------------------------

    def _end_exchange(self, answer: Answer) -> None:
        """The answer is complete: offer the connection again, or close it."""
        self._answer = None
        if answer.is_paused:
            self.resume()
        answer.finish()
        transport = self._transport
        if self._sending or (transport is not None and transport.get_write_buffer_size() > 0):
            self._closing = True  # answered before the request was out: what follows on the wire is the old body
            if self._sending:
                return  # exchange_stream still holds it, and closes it
        if answer.method == "HEAD":
            self._reader.renew()
        if self._closing or self._reader.is_last:
            self.close()
        else:
            self.idle_since = self._loop.time()
            self._free(self)

    def _fail(self, kind: FaultKind, detail: str) -> None:
        """End the exchange with a fault and cut the connection."""
        answer, self._answer = self._answer, None
        self._closing = True
        if answer is not None:
            answer.fail(UpstreamFault(kind, detail, request_sent=True, answer_seen=answer.seen))
        if self._transport is not None:
            self._transport.abort()

    def resume(self) -> None:
        """The reader has room again."""
        if self._transport is not None:
            self._transport.resume_reading()
            self._moved = True

    def abandon(self) -> None:
        """Nobody wants the rest: cut."""
        self._fail(FaultKind.RESET, "given up")

    def close(self) -> None:
        """Close in order (TLS close_notify included)."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()
