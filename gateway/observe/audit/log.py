"""The audit log as the gateway uses it: `grant` waits for the disk, `use` waits for room, `refuse` never waits.

Builds the writer thread and owns the tasks around it (summaries, peers, anchors, sinks, self-check).
Leaves the format to
ledger.py. Rule: a grant that could not be recorded is not given; a refusal is given whether or not it could.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import orjson

from gateway.errors import AUDIT_UNAVAILABLE, Refusal
from gateway.observe.audit import recovery
from gateway.observe.audit.aggregate import Aggregator
from gateway.observe.audit.anchors import (
    Anchor,
    DirectoryAnchor,
    Heads,
    LocalHeads,
    StderrAnchor,
    StoreAnchor,
)
from gateway.observe.audit.encode import Encoder
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.keeper import Keeper
from gateway.observe.audit.keys import signer_for
from gateway.observe.audit.ledger import AuditWriteFailedError, Clock, Ledger, Written
from gateway.observe.audit.names import Names
from gateway.observe.audit.pseudonyms import Agree
from gateway.observe.audit.records import Record, sealing
from gateway.observe.audit.segments import writer_name
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.subjects import SubjectKeys
from gateway.observe.audit.suppression import WINDOW_S, Suppressor
from gateway.observe.audit.writer import Batch, Grant, Writer
from gateway.observe.metrics import Metrics

_REFUSALS_SHARE: Final = 0.25  # of the queue: refusals, whose volume an attacker chooses, leave room for the rest
_ENDS_SHARE: Final = 0.25  # on top of the queue: for ends of what was let in while there was room
_REFUSALS_BYTES_SHARE: Final = 0.10  # of the day's bytes, once there are more than the floor
_REFUSALS_BYTES_FLOOR: Final = 16 * 1024 * 1024
_RETRY_AFTER_S: Final = 5
GATHER_S: Final = 0.005
"""How long grants are gathered at most while the loop lets in more: a write for each pair of them cost more than half
of a session."""
QUIET_TURNS: Final = 2
"""Turns of the loop without another grant, after which no more are waited for."""


class AuditLog(Names):
    """The audit log of one process. Open it after any fork: a writer belongs to one process."""

    def __init__(
        self,
        settings: AuditSettings,
        metrics: Metrics | None = None,
        *,
        clock: Clock | None = None,
        files: FileSystem | None = None,
        random: Callable[[int], bytes] = os.urandom,
        store: StoreAnchor | None = None,
        agree: Agree | None = None,
        subject_keys: SubjectKeys | None = None,
        anchors: Sequence[Anchor] = (),
    ) -> None:
        """Prepare. `store` also serves as the source of the peers' heads; `agree` shares pseudonym keys between nodes,
        `subject_keys` those of single visitors.
        """
        super().__init__(settings, subject_keys, clock or Clock(), random)
        self.writer_name = ""
        self._metrics = metrics or Metrics()
        self._files = files or FileSystem()
        self._random, self._store, self._agree = random, store, agree
        self._anchors: list[Anchor] = [*anchors]
        if settings.stderr_checkpoints:
            self._anchors.append(StderrAnchor())
        if settings.anchor_dir is not None:
            self._anchors.append(DirectoryAnchor(settings.anchor_dir))
        if store is not None:
            self._anchors.append(store)
        self._suppressor = Suppressor()
        self._aggregator = Aggregator(settings.levels) if settings.levels else None
        self._capacity = settings.queue_max_records
        self._reserve = int(self._capacity * _ENDS_SHARE)
        self._refusals_capacity = int(self._capacity * _REFUSALS_SHARE)
        self._room = asyncio.Event()
        self._room_waiters = 0
        self._writer: Writer | None = None
        self._keeper: Keeper | None = None
        self._early: list[Written] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Open a new log for this process; it then has a durable, signed beginning.

        Raises AuditKeyError without a usable key, AuditWriteFailedError or OSError when no directory takes the log.
        """
        self._loop = asyncio.get_running_loop()
        await self.agree_keys()
        writer = await asyncio.to_thread(self._begin)
        self._metrics.audit_queue_capacity.child().set(self._capacity)
        self._metrics.audit_queue.child().ask(lambda: len(writer.queue))
        heads: Heads = self._store or LocalHeads(lambda: recovery.latest_notes(self.settings.dirs, self.writer_name))
        self._keeper = Keeper(
            settings=self.settings, metrics=self._metrics, clock=self._clock, anchors=self._anchors, heads=heads,
            record=self._push_if_room, every_window=self._every_window,
            own_origin=f"{self.settings.deployment}/{self.writer_name}",
        )  # fmt: skip
        writer.has_room_waiters = lambda: self._room_waiters > 0
        writer.wants_batches = self._keeper.wants_lines
        self._writer = writer
        writer.start()
        self._keeper.start()
        for written in self._early:
            self._keeper.heard(written)
        self._early.clear()

    async def agree_keys(self) -> None:
        """Take over the keys of this and the next epoch that all nodes use; asked each hour, no day begins without.

        Raises what `agree` raises, and OSError.
        """
        if self._agree is not None:
            await self._ring.agree(self._clock.wall(), self._agree)

    def _begin(self) -> Writer:
        """Make directory, key and first segment, and declare the logs that ended without being closed. Blocking."""
        self._files.make_dir(self.settings.dir)
        signer = signer_for(self.settings)
        now = self._clock.wall()
        self._ring.prepare(now)
        self.writer_name = writer_name(self.settings.node, now, self._random(4))
        encoder = Encoder(
            version=self.settings.service_version, node=self.settings.node, writer=self.writer_name, random=self._random
        )
        ledger = Ledger(
            self.settings, signer, self.writer_name, encoder=encoder, files=self._files, clock=self._clock,
            on_fault=lambda reason: self._metrics.audit_sink_errors.child("file", reason).inc(),
        )  # fmt: skip
        remains = recovery.find_remains(self.settings.dirs, self._files, self.writer_name)
        writer = Writer(ledger, self.settings, self._metrics, self._on_batch, self._clock)
        writer.first_write([item.record(now) for item in remains])
        recovery.mark(self.settings.dirs, remains, self.writer_name)
        return writer

    async def close(self) -> None:
        """Write what waits, close and seal the log, tell the anchors;
        raises AuditWriteFailedError when records were lost.
        """
        writer, keeper = self._writer, self._keeper
        if writer is None or keeper is None:
            return
        self._every_window(final=True)
        await keeper.stop_tasks()
        self._writer = None
        try:
            await asyncio.to_thread(writer.stop)
        finally:
            await asyncio.sleep(0)  # lets the thread's last word reach the loop
            await keeper.close()

    async def grant(self, record: Record) -> None:
        """Record a grant or an act of administration (class A): returns when it is durable.

        Raises Refusal(AUDIT_UNAVAILABLE) when that failed or took longer than `grant_timeout_s`:
        the effect must not be.
        """
        writer = self._writer
        if writer is None or self._loop is None:
            raise self._unavailable("A", "closing")
        if writer.is_full or writer.is_disk_full:
            raise self._unavailable("A", "queue_full")
        grant = Grant(record, self._loop.create_future())
        writer.push_grant(grant)
        if not writer.is_gathering:
            writer.is_gathering = True
            self._gather(writer, self._loop, self._loop.time() + GATHER_S, 0, 0)
        try:
            async with asyncio.timeout(self.settings.grant_timeout_s):
                await grant.future
        except TimeoutError as exc:
            grant.is_given_up = True
            raise self._unavailable("A", "timeout") from exc
        except AuditWriteFailedError as exc:
            raise self._unavailable("A", "write_failed") from exc
        except asyncio.CancelledError:
            grant.is_given_up = True
            raise

    def _gather(
        self, writer: Writer, loop: asyncio.AbstractEventLoop, until: float, seen: int, quiet_turns: int
    ) -> None:
        """Urge the writer when the loop has let in no more grants for a while: those that came share one write."""
        quiet_turns = quiet_turns + 1 if writer.grants_pushed == seen else 0
        if quiet_turns < QUIET_TURNS and loop.time() < until:
            loop.call_soon(self._gather, writer, loop, until, writer.grants_pushed, quiet_turns)
        else:
            writer.urge()

    def try_use(self, record: Record) -> bool:
        """Queue the use of a grant (class B) without waiting; False when there is no room: then `use` it."""
        writer = self._writer
        if writer is None or writer.is_full or writer.is_disk_full:
            return False
        if self._aggregator is None or not self._aggregator.takes(record):
            writer.push(record)
        return True

    async def use(self, record: Record) -> None:
        """Queue the use of a grant (class B), waiting up to `use_wait_s` for room.

        Without room raises Refusal(AUDIT_UNAVAILABLE); with `on_failure="degrade"` counts a gap, declared later.
        """
        if self.try_use(record):
            return
        site = record.fields.get("gateway.site")
        if await self._waited(lambda: self.try_use(record), None if site is None else str(site)):
            return
        if self._writer is not None:  # degraded: the traffic goes on, and the log will say how much is missing
            self._writer.gap.add(record.at)
            self._metrics.audit_dropped.child("B", "queue_full").inc()

    def end(self, record: Record) -> None:
        """Queue the end or failure of a use (class B), which nothing can refuse any more: it has a reserve of its own.

        Beyond that it counts as a gap, declared later. Never raises, never waits.
        """
        writer = self._writer
        if writer is None:
            self._metrics.audit_dropped.child("B", "closing").inc()
        elif not writer.is_full or len(writer.queue) < self._capacity + self._reserve:
            writer.push(record)
        else:
            writer.gap.add(record.at)
            self._metrics.audit_dropped.child("B", "queue_full").inc()

    def predecessors(self, most: int = 16) -> list[str]:
        """Return the heads of the newest other logs here: origin, size and root of each. Blocking; raises OSError."""
        notes = recovery.latest_notes(self.settings.dirs, self.writer_name)[:most]
        return [" ".join(note.split("\n")[:3]) for note in notes]

    async def room(self, site: str | None = None) -> None:
        """Return once a use of this site would find room: asked before a call is made that cannot be taken back.

        Waits and raises as `use` does; with `on_failure="degrade"` it returns without room.
        """
        if not self.has_room:
            await self._waited(lambda: self.has_room, site)

    @property
    def has_room(self) -> bool:
        """Would a use find room now?"""
        writer = self._writer
        return writer is not None and not writer.is_full and not writer.is_disk_full

    async def _waited(self, done: Callable[[], bool], site: str | None) -> bool:
        """Wait up to `use_wait_s` for `done`. False: without it, and degraded. Raises Refusal(AUDIT_UNAVAILABLE)."""
        self._room_waiters += 1
        try:
            async with asyncio.timeout(self.settings.use_wait_s):
                while self._writer is not None:
                    self._room.clear()
                    await self._room.wait()
                    if done():
                        return True
        except TimeoutError:
            pass
        finally:
            self._room_waiters -= 1
        if self._writer is None or self.settings.refuses(site):
            raise self._unavailable("B", "closing" if self._writer is None else "queue_full")
        return False

    def refuse(self, record: Record) -> None:
        """Record a refusal (class C) if the flood allows it, else count it for a summary. Never raises, never waits."""
        writer = self._writer
        if writer is None:
            self._metrics.audit_dropped.child("C", "closing").inc()
            return
        now = self._clock.monotonic()
        action = record.action.name
        reason = str(record.fields.get("event.reason") or record.fields.get("gateway.limiter") or "")
        client = str(record.fields.get("client.ip", ""))
        today = writer.bytes_today
        spent = today["C"] > _REFUSALS_BYTES_FLOOR and today["C"] > _REFUSALS_BYTES_SHARE * sum(today.values())
        if spent or writer.is_disk_full or len(writer.queue) >= self._refusals_capacity:
            self._suppressor.fold(action, reason, client, now)
            self._metrics.audit_suppressed.child(action).inc()
        elif self._suppressor.admits(action, reason, client, now):
            writer.push(record)
        else:
            self._metrics.audit_suppressed.child(action).inc()

    def ready(self, now: float) -> str | None:
        """None while records become durable, else why not: nothing durable for `stalled_after_s` though something
        waited.
        """
        writer = self._writer
        if writer is None or not writer.is_alive:
            return "audit log is not open"
        if writer.is_disk_full:
            return "audit disk is nearly full"
        limit = self.settings.stalled_after_s
        for since, what in ((writer.failing_since, "cannot be written"), (writer.busy_since, "waits for the disk")):
            if since is not None and now - since >= limit:
                return f"audit log {what} for {now - since:.0f} s"
        return None

    def tail(self, n: int) -> list[dict[str, object]]:
        """Return the newest durable records of this process, newest last, at most 500."""
        lines = [] if self._writer is None or n <= 0 else list(self._writer.tail)[-n:]
        return [orjson.loads(line) for line in lines]

    def _unavailable(self, failure_class: str, reason: str) -> Refusal:
        self._metrics.audit_dropped.child(failure_class, reason).inc()
        return Refusal(AUDIT_UNAVAILABLE, retry_after_s=_RETRY_AFTER_S)

    def _push_if_room(self, record: Record) -> None:
        """Queue a record of the log about itself; the last of the disk is kept for these."""
        writer = self._writer
        if writer is not None and not writer.is_full:
            writer.push(record)
        else:
            self._metrics.audit_dropped.child("A", "queue_full").inc()

    def apply(self, settings: AuditSettings) -> None:
        """Take over what may change while the log is open: levels of calls, and whose calls are refused.

        Sums of the rules before are written at once. The rest of [audit] counts from the next start.
        """
        self._write_sums(final=True)
        self._aggregator = Aggregator(settings.levels) if settings.levels else None
        self.settings = replace(
            self.settings, on_failure=settings.on_failure, refusing_sites=settings.refusing_sites,
            levels=settings.levels, conversation_id=settings.conversation_id,
        )  # fmt: skip

    def _write_sums(self, *, final: bool = False) -> None:
        """Queue the sums that are due, as many as find room; at the end all, because nothing comes after them."""
        writer, sums = self._writer, self._aggregator
        if writer is None or sums is None:
            return
        room = sums.sums if final else self._capacity - len(writer.queue)
        for record in sums.due(self._clock.wall(), max(room, 0), final=final):
            writer.push(record)

    def _every_window(self, *, final: bool = False) -> None:
        """Write the summaries of refusals, and the sums of calls, that are due."""
        self._write_sums(final=final)
        wall = self._clock.wall()
        for item in self._suppressor.summaries(self._clock.monotonic(), final=final):
            self._push_if_room(sealing("audit.suppressed", wall, {
                "gateway.suppressed.action": item.action, "gateway.suppressed.reason": item.reason,
                "gateway.suppressed.count": item.count, "gateway.suppressed.window": int(WINDOW_S),
                "gateway.suppressed.clients": item.clients,
            }))  # fmt: skip

    def _on_batch(self, batch: Batch) -> None:
        """In the writer thread: carry the news to the event loop."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._settle, batch)

    def _settle(self, batch: Batch) -> None:
        """In the event loop: wake those who waited, declare undone what nobody waits for any more, tell the anchors."""
        for grant, line in batch.grants:
            if grant.is_given_up:
                if batch.written is not None:
                    event_id = orjson.loads(line)["event.id"]
                    self._push_if_room(sealing("audit.undone", self._clock.wall(), {"gateway.undone.id": event_id}))
            elif not grant.future.done():
                if batch.error is None:
                    grant.future.set_result(None)
                else:
                    grant.future.set_exception(batch.error)
        if self._room_waiters:
            self._room.set()
        if batch.written is not None:
            if self._keeper is None:
                self._early.append(batch.written)
            else:
                self._keeper.heard(batch.written)
