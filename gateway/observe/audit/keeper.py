"""The tasks around the log, in the event loop: anchors and sinks are told, peers are witnessed, summaries written,
the log checked.

Leaves writing to the writer thread. Rule: nothing here delays or fails a request; every failure is counted and logged.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from gateway.observe.audit.anchors import Anchor, AnchorRefusedError, Heads, peers_of
from gateway.observe.audit.compress import compress
from gateway.observe.audit.keys import AuditKeyError
from gateway.observe.audit.ledger import AuditWriteFailedError, Clock, Sealed, Written
from gateway.observe.audit.prune import prune
from gateway.observe.audit.records import Record, sealing
from gateway.observe.audit.selfcheck import check_own_log
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.sinks import Sink, sink_for
from gateway.observe.audit.suppression import WINDOW_S
from gateway.observe.metrics import Metrics

_log: Final = logging.getLogger("gateway.audit")
_ANCHOR_TIMEOUT_S: Final = 5.0
_MAKING_RECORDS: Final = 4  # of the tasks: those that come first
_CANCEL_AGAIN_S: Final = 0.25
_RETENTION_INTERVAL_S: Final = 6 * 3_600.0
_COMPRESS_INTERVAL_S: Final = 900.0
_KINDS: Final = frozenset(
    ("EDITED", "GAP", "REORDERED", "SPLICED", "BAD_SIGNATURE", "KEY_OUT_OF_RANGE", "TRUNCATED", "MISSING", "FORKED")
)


class Keeper:
    """Owns the tasks; `heard` is called with everything that became durable."""

    def __init__(
        self,
        *,
        settings: AuditSettings,
        metrics: Metrics,
        clock: Clock,
        anchors: Sequence[Anchor],
        heads: Heads,
        record: Callable[[Record], None],
        every_window: Callable[[], None],
        own_origin: str,
    ) -> None:
        """Prepare; nothing runs before `start`."""
        self._settings, self._metrics, self._clock, self._heads = settings, metrics, clock, heads
        self._record, self._every_window, self._own_origin = record, every_window, own_origin
        self._anchors = {anchor.name: _Latest(anchor) for anchor in anchors}
        self._sinks: list[Sink] = [sink_for(item, metrics, settings) for item in settings.sinks]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def wants_lines(self) -> bool:
        """Must every batch be heard, not only checkpoints?"""
        return bool(self._sinks)

    def start(self) -> None:
        """Start the tasks."""
        jobs: list[Coroutine[Any, Any, None]] = [
            self._repeat(WINDOW_S, self._summaries),
            self._repeat(self._settings.peers_interval_s, self._witness_peers),
            self._repeat(self._settings.self_check_interval_s, self._self_check),
            self._repeat(_RETENTION_INTERVAL_S, self._retention),
            self._repeat(_COMPRESS_INTERVAL_S, self._compress),
            *(latest.run(self._tell) for latest in self._anchors.values()),
            *(sink.run() for sink in self._sinks),
        ]
        self._tasks = [asyncio.create_task(job) for job in jobs]

    def heard(self, written: Written) -> None:
        """Pass on what became durable."""
        if written.sealed is not None:
            for latest in self._anchors.values():
                latest.offer(written.sealed)
        for sink in self._sinks:
            sink.offer([line for _, line in written.lines])

    async def stop_tasks(self) -> None:
        """End the tasks that still make records; anchors and sinks go on until `close`."""
        await _cancel(self._tasks[:_MAKING_RECORDS])

    async def close(self) -> None:
        """Tell every anchor the last checkpoint, give sinks a moment to empty, end all tasks."""
        for sink in self._sinks:
            await sink.drain()
        await _cancel(self._tasks)
        for latest in self._anchors.values():
            sealed = latest.take()
            if sealed is not None:
                await self._tell(latest.anchor, sealed)

    async def _repeat(self, interval_s: float, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await job()

    async def _summaries(self) -> None:
        self._every_window()

    async def _witness_peers(self) -> None:
        """Put the latest checkpoints of the other writers on record: replicas witness each other."""
        try:
            async with asyncio.timeout(_ANCHOR_TIMEOUT_S):
                notes = await self._heads.heads()
        except (OSError, TimeoutError) as exc:
            _log.warning("audit: heads of the other writers could not be read (%s)", type(exc).__name__)
            return
        peers = peers_of(notes, self._own_origin)
        if peers:
            self._record(sealing("audit.peers", self._clock.wall(), {"gateway.peers": peers}))

    async def _self_check(self) -> None:
        """Verify this node's own logs and put the result on record."""
        began = self._clock.wall()
        try:
            count, kinds = await check_own_log(self._settings, began)
        except OSError as exc:
            _log.error("audit: self-check could not run (%s)", type(exc).__name__)
            return
        for kind in kinds:
            self._metrics.audit_verify_failures.child(kind if kind in _KINDS else "OTHER").inc()
            _log.error("audit: self-check found %s", kind)
        if not kinds:
            self._metrics.audit_verify_last_success.child().set(began)
        self._record(sealing("audit.verified", self._clock.wall(), {
            "gateway.verified.count": count, "gateway.verified.findings": list(kinds),
        }))  # fmt: skip

    async def _retention(self) -> None:
        """Declare and remove what is older than the retention."""
        try:
            pruned = await asyncio.to_thread(prune, self._settings, self._clock.wall())
        except (OSError, AuditKeyError, AuditWriteFailedError) as exc:
            _log.error("audit: retention could not run (%s)", type(exc).__name__)
            return
        if pruned.segments:
            _log.info("audit: %d segments were removed by retention", len(pruned.segments))

    async def _compress(self) -> None:
        """Gzip what is finished, where that is wanted."""
        if not self._settings.gzip:
            return
        try:
            await asyncio.to_thread(compress, self._settings)
        except OSError as exc:
            _log.error("audit: finished segments could not be gzipped (%s)", type(exc).__name__)

    async def _tell(self, anchor: Anchor, sealed: Sealed) -> None:
        try:
            async with asyncio.timeout(_ANCHOR_TIMEOUT_S):
                await anchor.keep(sealed)
        except AnchorRefusedError as exc:
            self._metrics.audit_sink_errors.child(anchor.name, "refused").inc()
            _log.error("audit: anchor %s contradicts this log: %s", anchor.name, exc)
        except (OSError, TimeoutError) as exc:
            self._metrics.audit_sink_errors.child(anchor.name, "other").inc()
            _log.warning("audit: anchor %s did not take a checkpoint (%s)", anchor.name, type(exc).__name__)


class _Latest:
    """The newest checkpoint that an anchor has not heard of yet: a slow anchor skips, it never queues."""

    def __init__(self, anchor: Anchor) -> None:
        self.anchor = anchor
        self._sealed: Sealed | None = None
        self._news = asyncio.Event()

    def offer(self, sealed: Sealed) -> None:
        """Replace the newest."""
        self._sealed = sealed
        self._news.set()

    def take(self) -> Sealed | None:
        """Return the newest and forget it."""
        sealed, self._sealed = self._sealed, None
        self._news.clear()
        return sealed

    async def run(self, tell: Callable[[Anchor, Sealed], Coroutine[Any, Any, None]]) -> None:
        """Tell the anchor, at most once per its interval."""
        while True:
            await self._news.wait()
            sealed = self.take()
            if sealed is not None:
                await tell(self.anchor, sealed)
            if self.anchor.interval_s:
                await asyncio.sleep(self.anchor.interval_s)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End the tasks; asks again where a library swallowed the first cancellation, as connection pools may."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
