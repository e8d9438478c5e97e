"""Opens one WebSocket at Genesys: connects, sends the opening request, and waits for the 101.

How a connection comes about is `dial.py`, what the handshake says is `ws_handshake.py`. Rule kept: whatever goes
wrong becomes one Refusal, and no transport is left open behind it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

from gateway import errors
from gateway.errors import Refusal
from gateway.upstream.dial import Dialler, default_tls
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.settings import LegObserver, LegSettings, Unheard
from gateway.upstream.ws_handshake import KEY_BYTES, check_opened, opening_request

MAX_HEAD_BYTES = 16_384
_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}


@dataclass(frozen=True, slots=True)
class DialledSocket:
    """An open socket at Genesys whose reading is paused. `early`: what came right behind the 101."""

    transport: asyncio.Transport
    early: bytes


class SocketDialer:
    """Dials Guest-API sockets; one resolver memory per host."""

    def __init__(
        self,
        entropy: Callable[[int], bytes],
        *,
        timeout_s: float = 10.0,
        settings: LegSettings | None = None,
        tls: ssl.SSLContext | None = None,
        observer_of: Callable[[str], LegObserver] = lambda _base_url: Unheard(),
    ) -> None:
        """`timeout_s` bounds the whole dial; `tls` replaces the verifying default for https and wss addresses.

        `observer_of`: who hears of the dials to a base URL.
        """
        self._entropy = entropy
        self._timeout_s = timeout_s
        self._settings = settings or LegSettings()
        self._tls = tls
        self._observer_of = observer_of
        self._diallers: dict[tuple[str, str], Dialler] = {}

    async def dial(self, base_url: str, target: str, origin: str) -> DialledSocket:
        """Open a socket at `base_url` (ws, wss, http or https) with this request target and Origin.

        Raises Refusal: UPSTREAM_REFUSED_SOCKET, UPSTREAM_BUSY, UPSTREAM_UNREACHABLE, UPSTREAM_TIMEOUT,
        UPSTREAM_BAD_ANSWER.
        """
        parts = urlsplit(base_url)
        key = base64.b64encode(self._entropy(KEY_BYTES)).decode("ascii")
        request = opening_request(parts.netloc.rpartition("@")[2], parts.path.rstrip("/") + target, key, origin)
        opening: _Opening | None = None
        observer, loop = self._observer_of(base_url), asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._timeout_s):
                opening = await self._connect(parts.scheme, parts.netloc, request)
                status, headers, early = await opening.answer
            observer.answered(status, loop.time() - started)
            check_opened(status, headers, key)
        except TimeoutError as exc:
            _abort(opening)
            observer.failed(FaultKind.TOTAL_TIMEOUT, loop.time() - started)
            raise Refusal(errors.UPSTREAM_TIMEOUT, "no answer to the socket's opening in time") from exc
        except UpstreamFault as exc:
            _abort(opening)
            observer.failed(exc.kind, loop.time() - started)
            raise exc.refusal() from exc
        except (Refusal, asyncio.CancelledError):
            _abort(opening)
            raise
        if opening.transport is None or opening.transport.is_closing():
            raise Refusal(errors.UPSTREAM_UNREACHABLE, "Genesys closed the connection right after its answer")
        return DialledSocket(opening.transport, early)

    async def _connect(self, scheme: str, netloc: str, request: bytes) -> _Opening:
        dialler = self._diallers.get((scheme, netloc))
        if dialler is None:
            parts = urlsplit(f"//{netloc}")
            secure = scheme in ("wss", "https")
            tls = (self._tls or default_tls()) if secure else None
            dialler = Dialler(parts.hostname or "", parts.port or _PORTS[scheme], self._settings, tls)
            self._diallers[scheme, netloc] = dialler
        protocol = await dialler.open(lambda: _Opening(request))
        if not isinstance(protocol, _Opening):
            raise TypeError("the dialler gave another protocol")
        return protocol


def _abort(opening: _Opening | None) -> None:
    if opening is not None and opening.transport is not None:
        opening.transport.abort()


class _Opening(asyncio.Protocol):
    """Sends the opening request and gathers the head of the answer; then reads nothing more."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._head = b""
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[tuple[int, list[tuple[str, str]], bytes]]
        self.answer = asyncio.get_running_loop().create_future()
        # when the dial is given up before the answer is asked for, its fault must not be reported as lost
        self.answer.add_done_callback(lambda done: done.cancelled() or done.exception())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class is not derived from it
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.answer.done() or self.transport is None:
            return
        self._head += data
        head, separator, early = self._head.partition(b"\r\n\r\n")
        if not separator:
            if len(self._head) > MAX_HEAD_BYTES:
                self._fail(UpstreamFault(FaultKind.PROTOCOL, "the answer's header does not end"))
            return
        self.transport.pause_reading()
        try:
            status, headers = _parse_head(head + separator)
        except httptools.HttpParserError:
            self._fail(UpstreamFault(FaultKind.PROTOCOL, "the answer is not HTTP"))
            return
        self._head = b""
        self.answer.set_result((status, headers, early))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(UpstreamFault(FaultKind.RESET, "Genesys closed the connection before it answered"))

    def _fail(self, fault: UpstreamFault) -> None:
        if not self.answer.done():
            self.answer.set_exception(fault)


class _Head:
    """What httptools tells of a head."""

    def __init__(self) -> None:
        self.headers: list[tuple[str, str]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))


def _parse_head(head: bytes) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers. Raises HttpParserError when it is no HTTP head."""
    found = _Head()
    parser: Any = httptools.HttpResponseParser(found)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        return 101, found.headers
    return int(parser.get_status_code()), found.headers
