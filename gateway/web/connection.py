"""One inbound connection: what aiohttp's server leaves open by default, closed here.

Deadlines for a header that does not come and for a connection that says nothing, the answer to what is not HTTP,
and a cap on connections. What a well-formed request means is `web/front.py`'s, the short way of a call
is `short_way.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from gateway.errors import INTERNAL, REQUEST_MALFORMED, Refusal
from gateway.web.clients import fresh_request_id
from gateway.web.front import Front
from gateway.web.problems import problem_answer
from gateway.web.short_way import ShortWay

Malformed = Callable[[str, str], None]
"""Called with the peer's address and the request id for what is not HTTP: it is recorded and counted."""

log = structlog.get_logger(__name__)
SWEEP_S = 1.0
_SILENT = logging.getLogger("gateway.web.connection.access")
_SILENT.setLevel(logging.CRITICAL + 1)  # proxy.allowed in the audit log is the access log
MAX_LINE_BYTES = 8_190
MAX_HEADERS = 100


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Times in seconds and counts for the public listener."""

    header_timeout_s: float = 10.0
    keepalive_s: float = 75.0
    unread_s: float = 30.0
    """How long a caller may take to read what waits for it in our memory: 64 KiB at most, and what was left at the end.
    """
    connections: int = 20_000


class GatewayConnection(ShortWay):
    """A connection that must finish each header in time, and never sees the parser's own words."""

    __slots__ = ("_header_since", "_limits", "_malformed", "_stuck_since", "_wire")

    def __init__(self, manager: GatewayServer, front: Front, limits: ConnectionLimits, malformed: Malformed) -> None:
        super().__init__(
            manager,
            front,
            manager.calls,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.keepalive_s,
            access_log=_SILENT,
            auto_decompress=False,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS,
            lingering_time=2.0,
        )
        self._limits = limits
        self._malformed = malformed
        self._header_since: float | None = None
        self._stuck_since: float | None = None
        self._wire: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first header; refuse the connection above the cap."""
        super().connection_made(transport)
        self._wire = self.transport
        self._header_since = self._loop.time()
        manager = self._manager
        if manager is not None and len(manager.connections) > self._limits.connections:
            self.force_close()

    def data_received(self, data: bytes) -> None:
        """Note whether a header is begun and not yet whole."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._header_since = None
        elif self._header_since is None and not self._request_in_progress and not self._upgraded:
            self._header_since = self._loop.time()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for a bool, aiohttp gives none
        """The caller will say no more. Whoever has asked all gets its answer before the connection ends.

        False: it ends at once. TLS knows no half-closed connection (the transport would end it in any case).
        """
        asked = self._carried is not None
        if not asked and self._request_in_progress and self._current_request is not None and not self._upgraded:
            asked = self._current_request.content.is_eof()
        wire = self._wire
        if not asked or wire is None or wire.get_extra_info("sslcontext") is not None:
            return False
        self.close()
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """The end."""
        self._wire = None
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller does not read as fast as we write; start its clock."""
        super().pause_writing()
        self._stuck_since = self._loop.time()

    def resume_writing(self) -> None:
        """It has read what had piled up."""
        super().resume_writing()
        self._stuck_since = None

    def sweep(self, now: float) -> None:
        """Close when a header was begun, or the first one awaited, for longer than allowed; cut who does not read.

        A caller that reads nothing would otherwise hold a place among the requests under way, and a connection that
        is closed while something is still to be read would never go.
        """
        self.forget(now)
        since = self._header_since
        if since is not None and now - since > self._limits.header_timeout_s and not self._request_in_progress:
            self.force_close()
        wire = self._wire
        if wire is None:
            return
        if self._stuck_since is None and wire.is_closing():
            self._stuck_since = now
        if self._stuck_since is not None and now - self._stuck_since > self._limits.unread_s:
            wire.abort()

    def end(self) -> None:
        """Close at once when nothing is under way, else after the answer that is."""
        if self._request_in_progress or self._messages:
            self.close()
        else:
            self.force_close()  # aiohttp's close() would leave an idle connection open, and nobody reading

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP, or a handler that failed outside its own guard, in our own words; then close."""
        request_id = fresh_request_id()
        if isinstance(exc, HttpProcessingError) or status == REQUEST_MALFORMED.status:
            peer = self.peername
            self._malformed(peer[0] if isinstance(peer, tuple) else "", request_id)
            answer = problem_answer(Refusal(REQUEST_MALFORMED), request_id=request_id, headers={"Vary": "Origin"})
        else:
            log.error("request.failed", request_id=request_id, error=type(exc).__name__)
            answer = problem_answer(Refusal(INTERNAL), request_id=request_id, headers={"Vary": "Origin"})
        answer.force_close()
        return answer


class GatewayServer(web.Server):
    """The server that makes such connections and sweeps them once a second."""

    def __init__(self, front: Front, limits: ConnectionLimits, malformed: Malformed) -> None:
        super().__init__(front.handle, handler_cancellation=False)
        self._front = front
        self._limits = limits
        self._malformed_seen = malformed
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        self.calls: set[asyncio.Task[None]] = set()
        """Calls that took the short way and are under way, also those whose caller has gone."""
        self.open_connections = 0
        self.changed: Callable[[], None] = lambda: None
        """Called when `open_connections` has changed, and once a second."""
        self._none_open = asyncio.Event()
        self._none_open.set()

    def __call__(self) -> RequestHandler:
        """Make the protocol of one new connection."""
        return GatewayConnection(self, self._front, self._limits, self._malformed_seen)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Count the connection."""
        super().connection_made(handler, transport)
        self.open_connections += 1
        self._none_open.clear()
        self.changed()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Count it no more; a socket that was taken over is not counted either."""
        super().connection_lost(handler, exc)
        self.open_connections -= 1
        if self.open_connections == 0:
            self._none_open.set()
        self.changed()

    def end_connections(self) -> None:
        """Close what is idle, and the others after the answer that is under way."""
        for connection in self.connections:
            if isinstance(connection, GatewayConnection):
                connection.end()

    async def quiet(self, within_s: float) -> bool:
        """Wait until no connection is open; False when some still are after `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                await self._none_open.wait()
        except TimeoutError:
            return False
        return True

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in self.connections:
            if isinstance(connection, GatewayConnection):
                connection.sweep(now)
        self.changed()
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's own signature
        """Stop sweeping, then let aiohttp close what is open; calls get as long, and then are cancelled."""
        self._sweeper.cancel()
        await asyncio.gather(super().shutdown(timeout), _end(tuple(self.calls), timeout))


async def _end(calls: Iterable[asyncio.Task[None]], timeout_s: float | None) -> None:
    if calls:
        _, pending = await asyncio.wait(calls, timeout=timeout_s)
        for call in pending:
            call.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
