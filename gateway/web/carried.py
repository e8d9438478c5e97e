"""What is done about the answer to a proxied call before it is written: noted, counted, recorded, and given our lines.

Leaves asking and waiting to `proxy.py`. The rule: whatever was carried is recorded, also when the caller has gone.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Final

from gateway.gate import Gate, Trail
from gateway.observe.audit.records import Record
from gateway.observe.metrics import Metrics
from gateway.policy.decision import Backend, Caller, Guest, Permit
from gateway.upstream.rest import RelayAnswer
from gateway.web.answer_bytes import ALLOW_ORIGIN, cors_lines
from gateway.web.exchange import Exchange
from gateway.web.problems import SERVER
from gateway.web.whole import WholeAnswer

OURS: Final = f"Server: {SERVER}\r\nX-Content-Type-Options: nosniff\r\n".encode("ascii")
NOT_KEPT: Final = b"Cache-Control: no-store\r\n"
AUTH_FAILURES: Final = {401: "other", 403: "missing_permission"}


class CarriedCalls:
    """Notes, counts and records calls that were carried."""

    def __init__(self, gate: Gate, metrics: Metrics) -> None:
        self._gate = gate
        self._metrics = metrics
        self._overhead = metrics.proxy_overhead.child("rest_proxy")

    def note(self, trail: Trail, permit: Permit, answer: RelayAnswer) -> None:
        """Note who answered, from where and when, and a credential that was not enough."""
        trail.responder, trail.upstream_s = "upstream", answer.upstream_s
        if answer.moved_to is not None:
            trail.region = answer.moved_to
        if answer.status in AUTH_FAILURES:
            reason = AUTH_FAILURES[answer.status]
            self._metrics.upstream_auth_failures.child("api", trail.region or "none", reason).inc()
        if trail.trace is not None:
            method, ended = permit.route.upstream.method, time.monotonic()
            trail.trace.stage(
                f"{method} api", "upstream", "client", ended - answer.upstream_s, ended,
                http__request__method=method, http__response__status_code=answer.status,
            )  # fmt: skip

    def record(self, trail: Trail, status: int, request_bytes: int, response_bytes: int) -> Record | None:
        """Count and record the call; a record that found no room comes back, to be waited with."""
        duration_s = time.monotonic() - trail.started
        self._overhead.observe(max(duration_s - trail.upstream_s, 0.0))
        return self._gate.carry(trail, status, request_bytes, response_bytes, duration_s)


def whole_answer(exchange: Exchange, answer: RelayAnswer, body: bytes) -> WholeAnswer:
    """The answer to be written in one piece."""
    # A request id is ours, or was held to its pattern (clients.py); the other lines are made of constants.
    lines = b"%bX-Request-Id: %b\r\n%b%b" % (
        answer.lines,
        exchange.trail.request_id.encode("ascii"),
        exchange.limit_lines,
        _own_lines(exchange.cors.get(ALLOW_ORIGIN), answer.has_cache_control),
    )
    return WholeAnswer(answer.status, (), lines, body)


@lru_cache(maxsize=1024)
def _own_lines(allowed_origin: str | None, has_cache_control: bool) -> bytes:
    """The lines that an answer of Genesys gets of us, whatever it says."""
    return cors_lines(allowed_origin) + (OURS if has_cache_control else OURS + NOT_KEPT)


def caller_key(caller: Caller) -> str:
    """Whose own limit on a route is charged."""
    if isinstance(caller, Guest):
        return caller.session.id
    return caller.name if isinstance(caller, Backend) else ""
