"""A connection whose proxied calls need not pass aiohttp's parser, request object and tasks.

Leaves recognising such calls to `web/fast_lane.py` and serving them to `web/front.py`. The rule: a call takes the short
way only when aiohttp's parser stands exactly between two requests and its task waits for the next; whatever comes while
the call is under way is kept, within a bound, and handed on in order. Bound to aiohttp 3.14's RequestHandler.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler
from yarl import URL

from gateway.web.fast_lane import KnownCall
from gateway.web.framing import HEAD_END, whole_length
from gateway.web.front import Front
from gateway.web.whole import WholeAnswer

log = structlog.get_logger(__name__)
KEPT_BYTES: Final = 65_536
"""What is taken from the socket while a call is under way; then the caller has to wait."""
REMEMBERED_S: Final = 5.0
"""How long a connection at rest holds the head of its last call: thousands may rest."""
BETWEEN: Final = 0
"""Bytes that aiohttp's parser waits for when it stands between two requests."""
UNSURE: Final = -1
"""Instead of a number of bytes: nobody but aiohttp's parser knows where it stands. It stays so."""


class ShortWay(RequestHandler):
    """A connection that knows when it is at rest, and then looks at requests before aiohttp does."""

    __slots__ = ("_calls", "_carried", "_front", "_kept", "_last", "_owed", "_remote")

    def __init__(self, manager: web.Server, front: Front, calls: set[asyncio.Task[None]], **options: Any) -> None:
        """`calls`: where each call is noted while it is under way, also when its caller has gone."""
        super().__init__(manager, **options)
        self._front = front
        self._calls = calls
        self._carried: asyncio.Task[None] | None = None
        self._kept = b""
        self._last: KnownCall | None = None
        self._owed = BETWEEN
        self._remote: str | None = None

    def data_received(self, data: bytes) -> None:
        """Begin a call, keep what comes during one, or let aiohttp look."""
        if self._carried is not None:
            self._keep(data)
            return
        if self._owed == BETWEEN and self._is_at_rest():
            found = self._front.lane.recognise(data, self._last)
            if found is not None:
                self._last = found[0]
                self._request_count += 1
                self._request_in_progress = True
                self._carried = task = self._loop.create_task(self._carry(*found))
                self._calls.add(task)
                return
        if self._owed == UNSURE or not data:
            super().data_received(data)
        else:
            self._hand_on(data)

    def _is_at_rest(self) -> bool:
        """Does aiohttp's task wait for a request, and may one come?"""
        waiter = self._waiter
        return waiter is not None and not waiter.done() and not self._close and not self._force_close

    def _hand_on(self, data: bytes) -> None:
        """Let aiohttp's parser have the bytes, and count where that leaves it."""
        owed, before = self._owed, self._request_count
        super().data_received(data)
        begun = self._request_count - before
        if owed != BETWEEN:
            self._owed = owed - len(data) if begun == 0 and len(data) <= owed else UNSURE
        elif begun != 1 or self._upgraded:
            self._owed = UNSURE
        elif self._messages and self._messages[-1][1] is EMPTY_PAYLOAD and data.find(HEAD_END) == len(data) - 4:
            self._owed = BETWEEN  # nothing but a head, as aiohttp says too
        else:
            length = whole_length(data)
            self._owed = length - len(data) if length is not None and length >= len(data) else UNSURE

    def _keep(self, data: bytes) -> None:
        self._kept += data
        if len(self._kept) >= KEPT_BYTES and not self._buffer_paused:
            self._pause_reading_for_buffer()

    async def _carry(self, call: KnownCall, body: bytes) -> None:
        """Serve one call, and write its answer."""
        keep_alive = False
        try:
            exchange, answering = self._front.carry(call, body, self._peer(), partial(self._request_of, call))
            answer = await answering
            if isinstance(answer, WholeAnswer):
                transport = self.transport
                if transport is not None and not transport.is_closing():
                    transport.write(answer.wire(call.method, keep_alive=True))
                    keep_alive = answer.keep_alive is not False
                    if self._paused:
                        await self._drain_helper()  # a slow reader must not fill our memory
            else:
                await answer.prepare(exchange.request)
                await answer.write_eof()
                keep_alive = bool(answer.keep_alive)
        except ConnectionError:
            keep_alive = False  # the caller has gone
        except Exception as exc:  # nobody waits for this task: whatever failed is told here, and ends the connection
            log.error("request.failed", exc_info=exc)
            keep_alive = False
        finally:
            self._carried_out(keep_alive=keep_alive)

    def _carried_out(self, *, keep_alive: bool) -> None:
        """Rest until the next request, which may have come already; or end the connection."""
        if self._carried is not None:
            self._calls.discard(self._carried)
        self._carried = None
        self._request_in_progress = False
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)
        kept, self._kept = self._kept, b""
        if not keep_alive or self._close or self._force_close:
            self.force_close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        if kept:
            if self._buffer_paused:
                self._resume_reading_for_buffer()
            self.data_received(kept)

    def forget(self, now: float) -> None:
        """Drop what only the next call would have use for, when none has come for a while."""
        ended = self._next_keepalive_close_time - self._keepalive_timeout
        if self._last is not None and self._carried is None and now - ended > REMEMBERED_S:
            self._last = None

    def _process_keepalive(self) -> None:
        if self._carried is None:
            super()._process_keepalive()
        else:
            self._keepalive_handle = None  # aiohttp's task waits, but the connection is not idle; it is set anew

    def _peer(self) -> str:
        """The peer's address, as aiohttp's request tells it."""
        if self._remote is None:
            name = self.peername
            self._remote = str(name[0]) if isinstance(name, tuple) else str(name or "")
        return self._remote

    def _request_of(self, call: KnownCall) -> web.BaseRequest:
        """The call as aiohttp would have read it: for answers that are not written in one piece."""
        headers = call.head.headers
        message = RawRequestMessage(
            call.method, call.target, HttpVersion11, headers, (), should_close=False, compression=None,
            upgrade=False, chunked=False, url=URL(call.target, encoded=True),
        )  # fmt: skip
        task = self._carried
        if task is None:
            raise RuntimeError("no call is under way")
        return web.BaseRequest(message, EMPTY_PAYLOAD, self, StreamWriter(self, self._loop), task, self._loop)
