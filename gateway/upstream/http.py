"""The one outbound HTTP client of the house: requests to one base URL over pooled HTTP/1.1 connections.

Leaves policy, credentials and header filtering to rest.py. The rule: the host is fixed when the leg is made, redirects
and cookies do not exist here, and a request is sent twice only where that cannot do anything twice.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from gateway.upstream.answer import Answer
from gateway.upstream.breaker import CALM, Admission, Breaker, BreakerRules
from gateway.upstream.budget import RetryBudget
from gateway.upstream.dial import Dialler, default_tls
from gateway.upstream.faults import UPSTREAM_IS_ILL, FaultKind, UpstreamFault
from gateway.upstream.framing import Header, lines_of, write_head
from gateway.upstream.pool import Pool
from gateway.upstream.settings import LegObserver, LegSettings, LegStats, Unheard

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
_PASS: Final = Admission.PASS
_ILL_STATUS: Final = frozenset({502, 503, 504})


class HttpLeg:
    """A client of one upstream. Make it anywhere; the first request binds it to the running loop."""

    def __init__(
        self,
        base_url: str,
        settings: LegSettings | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        observer: LegObserver | None = None,
        breaker: Breaker | None = None,
        budget: RetryBudget | None = None,
    ) -> None:
        """Without `breaker` or `budget` nothing is held back. Raises ValueError when `base_url` is more or less than
        scheme, host and port.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
            raise ValueError(f"{base_url}: not an http(s) base URL")
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError(f"{base_url}: a base URL has no path")
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._hostname = parts.hostname
        bracketed = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._host = (bracketed if self._port == _DEFAULT_PORTS[parts.scheme] else f"{bracketed}:{self._port}").encode(
            "ascii"
        )
        self._tls = None if parts.scheme == "http" else (ssl_context if ssl_context is not None else default_tls())
        self._settings = settings if settings is not None else LegSettings()
        self._observer: LegObserver = observer if observer is not None else Unheard()
        self._breaker = breaker if breaker is not None else Breaker(BreakerRules(failures_to_open=sys.maxsize))
        self._budget = budget if budget is not None else RetryBudget(reserve=math.inf)
        self._pool: Pool | None = None
        self._closed = False
        self.base_url = f"{parts.scheme}://{self._host.decode()}"

    def __repr__(self) -> str:
        """The upstream's name."""
        return f"<HttpLeg {self.base_url}>"

    def stats(self) -> LegStats:
        """How full the pool is now."""
        return self._pool.stats() if self._pool is not None else LegStats(0, 0, 0, 0)

    async def close(self) -> None:
        """Cut all connections; what is under way fails. Twice does no harm."""
        self._closed = True
        if self._pool is not None:
            await self._pool.close()

    async def request(
        self,
        method: str,
        raw_target: bytes,
        headers: Sequence[Header],
        body: bytes | AsyncIterator[bytes] = b"",
        *,
        deadline: float,
        idempotent: bool,
        body_length: int | None = None,
    ) -> Answer:
        """The same as `send`, with header fields that nobody has judged. Raises ValueError for what must not go out.

        A streamed body goes out with `Content-Length: body_length`, or chunked where that is None, and never twice.
        """
        lines = lines_of(headers)
        if isinstance(body, bytes):
            return await self.send(method, raw_target, lines, body, deadline=deadline, idempotent=idempotent)
        asks_first = self._asks_first(body_length)
        framing = b"Transfer-Encoding: chunked\r\n" if body_length is None else b"Content-Length: %d\r\n" % body_length
        if asks_first:
            framing += b"Expect: 100-continue\r\n"
        head = write_head(method, raw_target, self._host, lines, framing)
        pool, started = self._pool or self._bind(), time.monotonic()
        admission = self._admit(started)
        self._budget.earn()
        try:
            connection = pool.take() or await pool.acquire(deadline)
            answer = await connection.exchange_stream(
                method, head, body, deadline, chunked=body_length is None, ask_first=asks_first
            )
        except BaseException as exc:
            self._ended_badly(exc, admission, started)
            raise
        self._ended_well(answer, admission, started)
        return answer

    async def send(
        self,
        method: str,
        raw_target: bytes,
        lines: bytes,
        body: bytes = b"",
        *,
        deadline: float,
        idempotent: bool,
        may_retry: bool = True,
    ) -> Answer:
        """Send a request and return its answer once the final head is there; the body is read from the answer.

        `lines`: judged header lines, each ended by CRLF (`framing.lines_of`, `policy.injection.request_lines`).
        `deadline` is in the loop's time and covers the body of the answer too. The request is sent once more only where
        that is safe (`is_safe_to_retry`), and not at all without `may_retry`. Raises UpstreamFault, or ValueError for a
        head that must not be written.
        """
        framing = b"Content-Length: %d\r\n" % len(body) if body or method in _BODY_METHODS else b""
        request = write_head(method, raw_target, self._host, lines, framing) + body
        pool, started = self._pool or self._bind(), time.monotonic()
        admission = _PASS if self._breaker.state is CALM else self._admit(started)
        self._budget.earn()
        answer: Answer | None = None
        try:
            connection = pool.take() or await pool.acquire(deadline)
            answer = connection.begin(method, request, deadline)
            await answer.change()
            if not answer.arrived:
                await answer.head()
        except BaseException as exc:
            if answer is not None:
                answer.abort()
            if not (may_retry and isinstance(exc, UpstreamFault) and is_safe_to_retry(exc, idempotent=idempotent)):
                self._ended_badly(exc, admission, started)
                raise
            answer = await self._once_more(pool, exc, method, request, deadline, admission, started)
        self._ended_well(answer, admission, started)
        return answer

    async def _once_more(
        self, pool: Pool, fault: UpstreamFault, method: str, request: bytes, deadline: float, admission: Admission,
        started: float,
    ) -> Answer:  # fmt: skip
        """Send a request that was lost a second time, on a fresh connection, if time and budget are left."""
        try:
            if time.monotonic() >= deadline or not self._budget.spend():
                raise fault
            self._observer.retried(fault.kind)
            connection = await pool.acquire(deadline, fresh=True)
            return await connection.exchange(method, request, deadline)
        except BaseException as exc:
            self._ended_badly(exc, admission, started)
            raise

    def _ended_well(self, answer: Answer, admission: Admission, started: float) -> None:
        """Tell observer and breaker of an answer whose head has come."""
        now = time.monotonic()
        answer.waited_s = waited_s = now - started
        if answer.status in _ILL_STATUS or self._breaker.state is not CALM:
            self._judge(admission, now, ill=answer.status in _ILL_STATUS)
        self._observer.answered(answer.status, waited_s)

    def _ended_badly(self, exc: BaseException, admission: Admission, started: float) -> None:
        """Tell them of a request that got no answer; one that was given up speaks neither for nor against."""
        now = time.monotonic()
        if isinstance(exc, UpstreamFault):
            self._observer.failed(exc.kind, now - started)
            self._judge(admission, now, ill=exc.kind in UPSTREAM_IS_ILL)
        else:
            self._breaker.given_up(admission, now)

    def _bind(self) -> Pool:
        """Make the pool on the running loop."""
        if self._closed:
            raise UpstreamFault(FaultKind.POOL_EXHAUSTED, "closed")
        dialler = Dialler(self._hostname, self._port, self._settings, self._tls)
        self._pool = Pool(asyncio.get_running_loop(), self._settings, dialler.open)
        return self._pool

    def _asks_first(self, body_length: int | None) -> bool:
        """Is a streamed body of this length announced before it is sent?"""
        limit = self._settings.expect_from_bytes
        return limit is not None and (body_length is None or body_length >= limit)

    def _admit(self, now: float) -> Admission:
        """Ask the breaker; raises UpstreamFault(breaker_open)."""
        breaker = self._breaker
        before = breaker.state.phase
        admission = breaker.admit(now)
        if breaker.state.phase is not before:
            self._observer.breaker_moved(breaker.state.phase)
        if admission is Admission.REFUSED:
            self._observer.failed(FaultKind.BREAKER_OPEN, 0.0)
            wait_s = max(1, math.ceil(min(breaker.state.until - now, 60.0)))
            raise UpstreamFault(FaultKind.BREAKER_OPEN, retry_after_s=wait_s)
        return admission

    def _judge(self, admission: Admission, now: float, *, ill: bool) -> None:
        """Tell the breaker how it went."""
        breaker = self._breaker
        before = breaker.state.phase
        if ill:
            breaker.failed(admission, now)
        else:
            breaker.succeeded(admission)
        if breaker.state.phase is not before:
            self._observer.breaker_moved(breaker.state.phase)


def is_safe_to_retry(fault: UpstreamFault, *, idempotent: bool) -> bool:
    """May a request that ended so be sent once more? Never when it could then be carried out twice.

    Unsent: the connection was refused. Sent: only a cut before any byte of an answer, of a method that may be
    repeated (RFC 9110 section 9.2.2); a late answer is not repeated, for that doubles the load of a slow upstream.
    """
    if not fault.request_sent:
        return fault.kind is FaultKind.CONNECT
    return idempotent and fault.kind is FaultKind.RESET and not fault.answer_seen
