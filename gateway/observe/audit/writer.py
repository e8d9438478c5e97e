"""The writer thread: takes what waits in the queue, makes it durable in one write, and tells those who wait.

Leaves the form of the log to ledger.py and the promises to callers to log.py.
Rule: a record leaves the queue only when it is
durable, or when the one who waited for it has given up.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from gateway.observe.audit.actions import ACTIONS
from gateway.observe.audit.ledger import AuditWriteFailedError, Clock, Ledger, Written
from gateway.observe.audit.records import Record, iso, sealing
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.metrics import Metrics

_TICK_S: Final = 1.0
_RETRY_S: Final = 0.25
_DAY_S: Final = 86_400
_TAIL_RECORDS: Final = 500
_CLASS_OF: Final = {row.name: row.failure_class for row in ACTIONS.values()}
_NOTHING: Final = Written([], 0, None)
_BYTES_OF_LINE: Final = 600  # what every line holds beside its own fields
_BYTES_OF_FIELD: Final = 128


def bytes_of(record: Record) -> int:
    """How many bytes a record takes up while it waits: exact for the data path, a fair guess for the rest."""
    said = record.said
    return _BYTES_OF_LINE + (len(said) if isinstance(said, str) else _BYTES_OF_FIELD * len(said))


class Grant:
    """A record that somebody waits for. `is_given_up` is set by the one who waited too long."""

    __slots__ = ("future", "is_given_up", "record")

    def __init__(self, record: Record, future: "asyncio.Future[None]") -> None:
        """Tie the record to the one who waits."""
        self.record, self.future, self.is_given_up = record, future, False


class Batch(NamedTuple):
    """One try to write: the grants in it with their lines, and what was written or why not."""

    grants: list[tuple[Grant, bytes]]
    written: Written | None
    error: AuditWriteFailedError | None


OnBatch = Callable[[Batch], None]


class Gap:
    """Records that were let pass unwritten: how many, since when. Shared by two threads."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._count, self._first, self._last = 0, 0.0, 0.0

    def add(self, at: float) -> None:
        """Count one."""
        with self._lock:
            self._first = self._first if self._count else at
            self._last = at
            self._count += 1

    def take(self, now: float) -> Record | None:
        """Return the record that declares them, and start again; None when there were none."""
        with self._lock:
            count, self._count = self._count, 0
        if not count:
            return None
        return sealing("audit.gap", now, {
            "gateway.gap.count": count, "gateway.gap.first": iso(self._first), "gateway.gap.last": iso(self._last),
            "event.reason": "queue_full",
        })  # fmt: skip


class Writer:
    """The thread and its queue. `push` and `push_grant` belong to the event loop, everything private to the thread."""

    def __init__(
        self, ledger: Ledger, settings: AuditSettings, metrics: Metrics, on_batch: OnBatch, clock: Clock
    ) -> None:
        """Prepare; `on_batch` is called in the thread after each try that somebody has to hear of."""
        self.queue: deque[Record | Grant] = deque()
        self.tail: deque[bytes] = deque(maxlen=_TAIL_RECORDS)
        self.gap = Gap()
        self.failing_since: float | None = None
        self.busy_since: float | None = None
        self.is_disk_full = False
        self.wants_batches = False
        self.has_room_waiters: Callable[[], bool] = bool
        self.bytes_today = {"A": 0, "B": 0, "C": 0}
        self._today = 0
        self._cells = {name: metrics.audit_records.child(name) for name in ACTIONS}
        self._ledger, self._settings, self._metrics, self._clock = ledger, settings, metrics, clock
        self._on_batch = on_batch
        self._max_records, self._max_bytes = settings.queue_max_records, settings.queue_max_bytes
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._urgent: SimpleQueue[None] = SimpleQueue()
        self._bytes_pushed = 0  # written by the event loop only
        self._bytes_taken = 0  # written by the thread only
        self._is_signalled = False
        self._is_lingering = False
        self.is_gathering = False  # set by the event loop, which then urges
        self._is_closing = False
        self.grants_pushed = 0
        self._grants_taken = 0
        self._closing_error: AuditWriteFailedError | None = None
        self._last_tick = clock.monotonic()
        self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)

    def first_write(self, records: Sequence[Record]) -> None:
        """Open the log with these records, before the thread runs; raises AuditWriteFailedError."""
        self._on_batch(Batch([], self._measured(lambda: self._ledger.append(records)), None))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Is the thread running?"""
        return self._thread.is_alive()

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes_pushed - self._bytes_taken

    @property
    def is_full(self) -> bool:
        """May nothing more be queued?"""
        return len(self.queue) >= self._max_records or self._bytes_pushed - self._bytes_taken >= self._max_bytes

    def push(self, record: Record) -> None:
        """Queue a record that nobody waits for; the caller has seen that there is room."""
        self.queue.append(record)
        said = record.said  # as bytes_of, without the call: once per proxied request
        self._bytes_pushed += _BYTES_OF_LINE + (len(said) if isinstance(said, str) else _BYTES_OF_FIELD * len(said))
        if not self._is_signalled:
            self._is_signalled = True
            self._tokens.put(None)

    def push_grant(self, grant: Grant) -> None:
        """Queue a record that somebody waits for; the caller then urges, once for as many as come together."""
        self.grants_pushed += 1
        self.queue.append(grant)
        self._bytes_pushed += bytes_of(grant.record)

    def urge(self) -> None:
        """Have what somebody waits for written now: a linger is cut short."""
        self.is_gathering = False
        if not self._is_signalled:
            self._is_signalled = True
            self._tokens.put(None)
        if self._is_lingering:
            self._urgent.put(None)

    def stop(self) -> None:
        """Write what waits, close the log, end the thread. Blocks;
        raises AuditWriteFailedError when something was lost.
        """
        self._is_closing = True
        self._tokens.put(None)
        self._urgent.put(None)
        self._thread.join()
        if self._closing_error is not None:
            raise self._closing_error

    def _run(self) -> None:
        while not self._is_closing:
            self._wait_for_news()
            self._is_signalled = False
            if not self._write_some():
                self._pause()
            if self._clock.monotonic() - self._last_tick >= _TICK_S:
                self._tick()
        while self.queue and self._write_some():
            pass
        self._finish()

    def _wait_for_news(self) -> None:
        """Wait at most one tick; then linger while nobody waits for the disk, so that one fsync serves many records."""
        if self.queue and not self._is_signalled and not self.is_gathering:
            return
        try:
            self._tokens.get(timeout=_TICK_S)
        except Empty:
            return
        self._is_lingering = True
        if self.grants_pushed == self._grants_taken and self._settings.linger_s > 0:
            with suppress(Empty):
                self._urgent.get(timeout=self._settings.linger_s)
        self._is_lingering = False

    def _pause(self) -> None:
        """Wait before the next try: a flood must not turn a full disk into a busy loop."""
        if not self._is_closing:
            time.sleep(_RETRY_S)

    def _take(self) -> list[Record | Grant]:
        taken: list[Record | Grant] = []
        pop, most = self.queue.popleft, self._settings.batch_max_bytes
        size = 0
        for _ in range(min(len(self.queue), self._settings.batch_max_records)):
            item = pop()
            if type(item) is Record:
                said = item.said  # as bytes_of, without the call
                size += _BYTES_OF_LINE + (len(said) if type(said) is str else _BYTES_OF_FIELD * len(said))
            elif isinstance(item, Grant):
                self._grants_taken += 1
                size += bytes_of(item.record)
                if item.is_given_up:
                    continue
            taken.append(item)
            if size >= most:
                break
        self._bytes_taken += size
        return taken

    def _write_some(self) -> bool:
        """Write one batch; False when it failed. Records that nobody waits for then go back to the queue."""
        taken = self._take()
        gap = self.gap.take(self._clock.wall())
        if gap is not None:
            taken.insert(0, gap)
        if not taken:
            return True
        records = [item.record if isinstance(item, Grant) else item for item in taken]
        grants = [(index, item) for index, item in enumerate(taken) if isinstance(item, Grant)]
        try:
            written = self._measured(lambda: self._ledger.append(records))
        except AuditWriteFailedError as exc:
            back = [item for item in reversed(taken) if not isinstance(item, Grant)]
            self.queue.extendleft(back)
            self._bytes_taken -= sum(map(bytes_of, back))
            if grants:
                self._on_batch(Batch([(grant, b"") for _, grant in grants], None, exc))
            return False
        if grants or written.sealed is not None or self.wants_batches or self.has_room_waiters():
            lines = written.lines
            self._on_batch(Batch([(grant, lines[written.first + index][1]) for index, grant in grants], written, None))
        return True

    def _measured(self, write: Callable[[], Written]) -> Written:
        began = self._clock.monotonic()
        self.busy_since = now = self._clock.wall()
        try:
            written = write()
        except AuditWriteFailedError:
            self.failing_since = now if self.failing_since is None else self.failing_since
            raise
        finally:
            self.busy_since = None
        self.failing_since = None
        if written.lines:
            self._count(written, self._clock.monotonic() - began, now)
        return written

    def _count(self, written: Written, took_s: float, now: float) -> None:
        metrics = self._metrics
        metrics.audit_write_duration.child().observe(took_s)
        metrics.audit_batch_records.child().observe(len(written.lines))
        metrics.audit_last_durable.child().set(now)
        if written.sealed is not None:
            metrics.audit_last_checkpoint.child().set(now)
        if int(now // _DAY_S) != self._today:
            self._today, self.bytes_today = int(now // _DAY_S), {"A": 0, "B": 0, "C": 0}
        for action in {name for name, _ in written.lines}:  # few of them in a batch of many
            sizes = [len(line) for name, line in written.lines if name == action]
            self._cells[action].value += len(sizes)
            self.bytes_today[_CLASS_OF[action]] += sum(sizes)
        self.tail.extend([line for _, line in written.lines[-_TAIL_RECORDS:]])

    def _tick(self) -> None:
        """Once a second: is the file still ours, is a rotation or a checkpoint due, how much room is left."""
        self._last_tick = self._clock.monotonic()
        with suppress(AuditWriteFailedError):  # counted and remembered in failing_since; the next tick tries again
            written = self._measured(lambda: self._ledger.tick() or _NOTHING)
            if written.sealed is not None or (written.lines and self.wants_batches):
                self._on_batch(Batch([], written, None))
        room = self._ledger.room()
        if room is not None:
            self._metrics.audit_disk_free.child().set(room[0])
            self.is_disk_full = room[0] < self._settings.disk_full_share * room[1]

    def _finish(self) -> None:
        """Close the log; what could not be written is lost now, and counted."""
        left = list(self.queue)
        rest = [item for item in left if not isinstance(item, Grant)]
        grants = [item for item in left if isinstance(item, Grant)]
        try:
            written = self._measured(lambda: self._ledger.close(rest))
        except AuditWriteFailedError as exc:
            self._metrics.audit_dropped.child("B", "closing").inc(len(rest))
            self._closing_error = exc
            written = None
        failed = AuditWriteFailedError("refused")
        if grants:
            self._on_batch(Batch([(grant, b"") for grant in grants], None, failed))
        if written is not None:
            self._on_batch(Batch([], written, None))
