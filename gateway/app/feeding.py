"""Joins parts to the metrics that are asked for when somebody looks, and watches what has no event of its own.

What parts tell by themselves is `observers.py`. The rule: asking costs a look at a number, never a wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from gateway.app.secret_ends import secret_ends
from gateway.config.compile import Compiled
from gateway.observe.metrics import Metrics
from gateway.upstream.ws_types import SocketTraffic

LAG_EVERY_S: Final = 0.25
STORE_EVERY_S: Final = 5.0

OPERATION: Final = {
    "put_session": "put", "get_session": "get", "renew_session": "put", "replace_session": "put",
    "end_session": "delete", "put_once": "put", "take_once": "take", "claim": "take", "put": "put", "get": "get",
    "delete": "delete", "revoke": "publish", "revoked_at": "get", "acquire_lease": "lock", "release_lease": "lock",
    "take_limits": "limit",
}  # fmt: skip
"""The metric's word for each use of the store; what is not named here is `other`."""
STORE_FAILURE: Final[tuple[tuple[str, str], ...]] = (
    ("ReadOnlyError", "readonly"),
    ("OutOfMemoryError", "out_of_memory"),
    ("TimeoutError", "timeout"),
    ("ConnectionError", "connect"),
    ("OSError", "connect"),
)
"""The metric's word for what the store failed by, the first that fits: by name, for a gateway without a shared store
has no use for the library that defines them."""


class StoreMetrics:
    """Counts each step of the shared store. An instance is the store's `watch`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._up = metrics.state_up.child()

    def __call__(self, use: str, duration_s: float, failure: BaseException | None) -> None:
        """One step ended."""
        self._metrics.state_operation_duration.child(OPERATION.get(use, "other")).observe(duration_s)
        self._up.set(0.0 if failure is not None else 1.0)
        if failure is not None:
            kinds = {kind.__name__ for kind in type(failure).__mro__}
            reason = next((word for name, word in STORE_FAILURE if name in kinds), "other")
            self._metrics.state_errors.child(reason).inc()


def feed_sockets(metrics: Metrics, traffic: SocketTraffic) -> None:
    """Show what the relay carried. `in`: from guests, `out`: to guests."""
    metrics.websocket_messages.child("in").ask(lambda: float(traffic.messages_up))
    metrics.websocket_messages.child("out").ask(lambda: float(traffic.messages_down))
    metrics.websocket_bytes.child("in").ask(lambda: float(traffic.bytes_up))
    metrics.websocket_bytes.child("out").ask(lambda: float(traffic.bytes_down))


def feed_secrets(metrics: Metrics, compiled: Compiled, directory: Path) -> None:
    """Show when secrets end, as far as that is known."""
    for name, ends_at in secret_ends(compiled, directory).items():
        metrics.secret_not_after.child(name).set(ends_at)


async def measure_lag(metrics: Metrics) -> None:
    """How late the loop wakes, for ever: what every request waits for, whatever it asks."""
    loop = asyncio.get_running_loop()
    lag = metrics.event_loop_lag.child()
    while True:
        due = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        lag.observe(max(loop.time() - due, 0.0))


async def probe_store(metrics: Metrics, ready: Callable[[], Awaitable[str | None]]) -> None:
    """Whether the store answers, for ever: a store that nobody asks may be down without anyone knowing."""
    up = metrics.state_up.child()
    while True:
        up.set(1.0 if await ready() is None else 0.0)
        await asyncio.sleep(STORE_EVERY_S)
