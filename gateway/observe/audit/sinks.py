"""Further places for audit lines: syslog (RFC 5424) over TLS, and HTTP. Best effort: own bounded queue, counted drops.

They get the same bytes after the file has them. The file is the authority; nothing here slows or fails a request.
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from gateway.observe.audit.export import syslog_message
from gateway.observe.audit.settings import AuditSettings, SinkSettings
from gateway.observe.metrics import Metrics

_log: Final = logging.getLogger("gateway.audit")
_BATCH_RECORDS: Final = 256
_TIMEOUT_S: Final = 10.0
_MAX_PAUSE_S: Final = 60.0
_DRAIN_S: Final = 2.0
SYSLOG_TLS_PORT: Final = 6514  # RFC 5425, section 4.1


class SinkFaultError(Exception):
    """The place did not take the lines; `reason` is a sink reason."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


class Transport(Protocol):
    """How lines reach the place."""

    async def send(self, lines: Sequence[bytes]) -> None:
        """Deliver the lines; raises SinkFaultError."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class SyslogTransport:
    """RFC 5424 messages over TLS, framed by their length (RFC 5425)."""

    def __init__(self, settings: SinkSettings, audit: AuditSettings) -> None:
        """`target` is host or host:port."""
        parts = urlsplit(f"//{settings.target}")
        self._host, self._port = parts.hostname or "", parts.port or SYSLOG_TLS_PORT
        self._tls = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
        self._node = audit.node
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, lines: Sequence[bytes]) -> None:
        """Deliver the lines; raises SinkFaultError."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                if self._writer is None or self._writer.is_closing():
                    _, self._writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
                messages = [syslog_message(line, self._node) for line in lines]
                self._writer.write(b"".join(b"%d %b" % (len(message), message) for message in messages))
                await self._writer.drain()
        except (OSError, TimeoutError) as exc:
            await self.close()
            raise SinkFaultError("refused" if isinstance(exc, ConnectionRefusedError) else "other") from exc

    async def close(self) -> None:
        """Let go of the connection."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_DRAIN_S):
                    await writer.wait_closed()


class HttpTransport:
    """Lines as newline-delimited JSON in a POST."""

    def __init__(self, settings: SinkSettings) -> None:
        """`target` is an http(s) URL."""
        self._url = settings.target
        self._headers = {"Content-Type": "application/x-ndjson"}
        if settings.authorization is not None:
            self._headers["Authorization"] = settings.authorization
        self._tls = None if settings.ca_file is None else ssl.create_default_context(cafile=str(settings.ca_file))
        self._session: aiohttp.ClientSession | None = None

    async def send(self, lines: Sequence[bytes]) -> None:
        """Deliver the lines; raises SinkFaultError unless the answer is 2xx."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.post(
                self._url,
                data=b"\n".join(lines) + b"\n",
                headers=self._headers,
                allow_redirects=False,
                ssl=self._tls or True,
            ) as answer:
                if not 200 <= answer.status < 300:
                    raise SinkFaultError("refused")
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise SinkFaultError("other") from exc

    async def close(self) -> None:
        """Let go of the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class Sink:
    """One place: a bounded queue in front of a transport; when it is full the oldest go, counted."""

    def __init__(self, name: str, transport: Transport, metrics: Metrics, max_records: int) -> None:
        """Prepare; `run` does the work."""
        self.name = name
        self._transport, self._metrics, self._max_records = transport, metrics, max_records
        self._lines: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def offer(self, lines: Sequence[bytes]) -> None:
        """Queue lines."""
        self._lines.extend(lines)
        dropped = len(self._lines) - self._max_records
        if dropped > 0:
            for _ in range(dropped):
                self._lines.popleft()
            self._metrics.audit_sink_errors.child(self.name, "other").inc(dropped)
        self._idle.clear()
        self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled; after a failure wait longer and longer, up to a minute."""
        pause_s = 1.0
        try:
            while True:
                await self._news.wait()
                lines = list(self._lines)[:_BATCH_RECORDS]
                if not lines:
                    self._news.clear()
                    self._idle.set()
                    continue
                try:
                    await self._transport.send(lines)
                except SinkFaultError as exc:
                    self._metrics.audit_sink_errors.child(self.name, exc.reason).inc()
                    _log.warning("audit: sink %s does not take records (%s)", self.name, exc.reason)
                    await asyncio.sleep(pause_s)
                    pause_s = min(_MAX_PAUSE_S, pause_s * 2)
                    continue
                pause_s = 1.0
                self._forget(lines)
        finally:
            await self._transport.close()

    def _forget(self, delivered: Sequence[bytes]) -> None:
        """Remove what was delivered; the queue may have lost its oldest meanwhile."""
        sent = {id(line) for line in delivered}
        while self._lines and id(self._lines[0]) in sent:
            self._lines.popleft()

    async def drain(self) -> None:
        """Wait a moment for the queue to empty."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await self._idle.wait()


def sink_for(settings: SinkSettings, metrics: Metrics, audit: AuditSettings) -> Sink:
    """Return the sink of one settings entry."""
    transport: Transport = (
        SyslogTransport(settings, audit) if settings.kind == "syslog-tls" else HttpTransport(settings)
    )
    return Sink(settings.name, transport, metrics, settings.queue_max_records)
