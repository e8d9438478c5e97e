"""One writer's log on disk: lines in order, checkpoints when due, segments opened, rotated and given up.

Synchronous, for one thread; leaves queues and waiting to writer.py.
Rules: what `append` returned is durable; a descriptor
that failed once is never written again, because the page cache may have lost what it took
(https://lwn.net/Articles/752063/).
"""

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from gateway.errors import GatewayError
from gateway.observe.audit.chain import Position
from gateway.observe.audit.encode import Encoder
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.notes import Checkpoint, Signer, b64
from gateway.observe.audit.plain import Value
from gateway.observe.audit.records import Record, iso, sealing
from gateway.observe.audit.segments import segment_name
from gateway.observe.audit.settings import AuditSettings

SinkReason = str
_REASON_OF: Final = {errno.ENOSPC: "enospc", errno.EDQUOT: "enospc", errno.EFBIG: "enospc", errno.EIO: "eio"}
_LAST_MOMENT: Final = 253_402_300_799.0  # 9999-12-31T23:59:59Z, how an open end is written


class AuditWriteFailedError(GatewayError):
    """No directory took the records; `reason` is one of the sink reasons."""

    def __init__(self, reason: SinkReason) -> None:
        """Keep the reason of the last try."""
        super().__init__(reason)
        self.reason = reason


class ShortWriteError(OSError):
    """The file took fewer bytes than it was given."""


class FsyncFailedError(OSError):
    """The bytes may or may not be on the disk."""


class UnlinkedError(OSError):
    """The path no longer leads to the file that is being written, or the file is not as long as it should be."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks: of the world, for records, and monotonic, for intervals."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


class Sealed(NamedTuple):
    """A checkpoint that is durable."""

    checkpoint: Checkpoint
    note: str
    at: float


class Written(NamedTuple):
    """What one `append` made durable: every line with its action; the records given begin at `first`."""

    lines: list[tuple[str, bytes]]
    first: int
    sealed: Sealed | None


@dataclass(slots=True)
class _Live:
    """The segment being written; `valid_bytes` are those known to be durable."""

    path: Path
    fd: int
    index: int
    opened_at: float
    first_sequence: int
    valid_bytes: int = 0


def reason_of(error: OSError) -> SinkReason:
    """The sink reason of an operating system error."""
    if isinstance(error, FsyncFailedError):
        return "fsync"
    if isinstance(error, UnlinkedError):
        return "unlinked"
    return _REASON_OF.get(error.errno or 0, "other")


class Ledger:
    """The log of one writer."""

    def __init__(
        self,
        settings: AuditSettings,
        signer: Signer,
        writer: str,
        *,
        encoder: Encoder | None = None,
        files: FileSystem | None = None,
        clock: Clock | None = None,
        on_fault: Callable[[SinkReason], None] = lambda reason: None,
    ) -> None:
        """Prepare; nothing is opened before the first `append`."""
        self.writer = writer
        self.origin = f"{settings.deployment}/{writer}"
        self.position = Position.start(self.origin)
        self._settings, self._signer = settings, signer
        self._encoder = encoder or Encoder(version=settings.service_version, node=settings.node, writer=writer)
        self._files = files or FileSystem()
        self._clock = clock or Clock()
        self._on_fault = on_fault
        self._live: _Live | None = None
        self._previous: tuple[str, int] | None = None
        self._next_index = 0
        self._cause = "start"
        self._sealed_size = 0
        self._sealed_at = self._clock.monotonic()
        self._gap_after_loss: Record | None = None

    def append(self, records: Sequence[Record], *, seal: str | None = None) -> Written:
        """Make the records durable, with a checkpoint when one is due; `seal` forces one, or closes the log.

        Raises AuditWriteFailedError when neither the live segment nor a new one in any directory took them;
        nothing is then
        written that would count, and the same records may be given again.
        """
        last: SinkReason = "other"
        for live in self._targets():
            if isinstance(live, OSError):
                last = reason_of(live)
                continue
            try:
                return self._write(live, records, seal)
            except OSError as exc:
                last = reason_of(exc)
                self._give_up(live, last)
        raise AuditWriteFailedError(last)

    def tick(self) -> Written | None:
        """Do what is due without news: the live file still ours, rotation, idle checkpoint.
        Raises AuditWriteFailedError.
        """
        live = self._live
        if live is None:
            return self.append([])
        try:
            intact = self._files.is_same(live.fd, live.path) and self._files.size(live.fd) == live.valid_bytes
        except OSError:
            intact = False
        if not intact:
            self._lose(live)
            return self.append([])
        if self._is_rotation_due(live):
            return self.rotate()
        is_due = self._is_seal_due(self.position.sequence, idle=True)
        return self.append([], seal="audit.checkpoint") if is_due else None

    def rotate(self) -> Written:
        """End the live segment with a checkpoint and begin the next with the coming record.
        Raises AuditWriteFailedError.
        """
        written = self.append([], seal="audit.checkpoint")
        if self._live is not None:
            cause = "size" if self._live.valid_bytes >= self._settings.segment_max_bytes else "age"
            self._release(self._live, cause)
        return written

    def close(self, records: Sequence[Record] = ()) -> Written:
        """Write what is left and `audit.closed`, which seals the whole log. Raises AuditWriteFailedError."""
        written = self.append(records, seal="audit.closed")
        if self._live is not None:
            self._release(self._live, "closed")
        return written

    def room(self) -> tuple[int, int] | None:
        """Bytes free and bytes in all where the live segment is; None when that cannot be told."""
        directory = self._live.path.parent if self._live else self._settings.dir
        try:
            return self._files.free_bytes(directory), self._files.total_bytes(directory)
        except OSError:
            return None

    def _targets(self) -> Iterator[_Live | OSError]:
        """The live segment, then a new one in each directory; an error where none could be made."""
        if self._live is not None:
            yield self._live
        for directory in self._settings.dirs:
            index = self._next_index
            path = directory / segment_name(self.writer, index)
            try:
                self._files.make_dir(directory)
                fd = self._files.create(path)
            except OSError as exc:
                self._on_fault(reason_of(exc))
                yield exc
            else:
                yield _Live(path, fd, index, self._clock.monotonic(), self.position.sequence)

    def _write(self, live: _Live, records: Sequence[Record], seal: str | None) -> Written:
        position = self.position.copy()
        wall = self._clock.wall()
        opening = live is not self._live
        own: list[Record] = []
        if opening:
            own = [self._header(live, wall), *([self._gap_after_loss] if self._gap_after_loss else ())]
            records = [*own, *records]
        lines = self._encoder.write(records, position)
        sealed = None
        # A segment opened after a fault is sealed at once: only a signed header may declare bytes of another segment
        # void.
        if seal or opening or self._is_seal_due(position.sequence, idle=False):
            action = seal or "audit.checkpoint"
            line, checkpoint, note = self._encoder.sealed_line(action, wall, position, self.origin, self._signer)
            position.advance(line)
            lines.append((action, line))
            sealed = Sealed(checkpoint, note, wall)
        if lines:
            self._put(live, b"\n".join([*(line for _, line in lines), b""]))
        self._commit(live, position, sealed, opening=opening)
        return Written(lines, len(own), sealed)

    def _put(self, live: _Live, data: bytes) -> None:
        taken = self._files.write(live.fd, data)
        if taken != len(data):
            raise ShortWriteError(errno.ENOSPC, "short write")
        try:
            self._files.sync(live.fd)
        except OSError as exc:
            raise FsyncFailedError(exc.errno, "fdatasync failed") from exc
        live.valid_bytes += len(data)

    def _commit(self, live: _Live, position: Position, sealed: Sealed | None, *, opening: bool) -> None:
        self.position = position
        if sealed is not None:
            self._sealed_size, self._sealed_at = sealed.checkpoint.size, self._clock.monotonic()
        if opening:
            self._live, self._next_index, self._gap_after_loss = live, live.index + 1, None

    def _header(self, live: _Live, wall: float) -> Record:
        not_before, not_after = validity(self._settings.key_not_before, self._settings.key_not_after)
        fields: dict[str, Value] = {
            "gateway.deployment": self._settings.deployment, "gateway.segment.index": live.index,
            "gateway.segment.cause": self._cause,
            "gateway.segment.edge": [b64(item) for item in self.position.edge.hashes],
            "gateway.key.vkey": self._signer.verifier.vkey, "gateway.key.not_before": not_before,
            "gateway.key.not_after": not_after,
        }  # fmt: skip
        if self._previous is not None:
            fields["gateway.segment.previous"], fields["gateway.segment.previous_bytes"] = self._previous
        return sealing("audit.opened", wall, fields)

    def _is_seal_due(self, sequence: int, *, idle: bool) -> bool:
        if sequence - self._sealed_size > self._settings.checkpoint_max_records:
            return True
        waited = self._clock.monotonic() - self._sealed_at
        has_news = sequence > self._sealed_size + 1
        return waited >= (self._settings.checkpoint_interval_s if has_news else self._settings.checkpoint_idle_s) and (
            has_news or idle
        )

    def _is_rotation_due(self, live: _Live) -> bool:
        if live.valid_bytes >= self._settings.segment_max_bytes:
            return True
        age = self._clock.monotonic() - live.opened_at
        on_fallback = live.path.parent != self._settings.dir
        return age >= (min(60.0, self._settings.segment_max_age_s) if on_fallback else self._settings.segment_max_age_s)

    def _release(self, live: _Live, cause: str) -> None:
        """Close a segment that is whole."""
        self._close(live)
        self._previous, self._cause, self._live = (segment_name(self.writer, live.index), live.valid_bytes), cause, None

    def _give_up(self, live: _Live, reason: SinkReason) -> None:
        """Leave a segment that failed: what counts in it is what was durable before."""
        self._on_fault(reason)
        self._close(live)
        if live is self._live:
            self._previous, self._live = (segment_name(self.writer, live.index), live.valid_bytes), None
            self._cause = "fault"
            return
        self._next_index = live.index + 1  # its name may be on the disk; never use it again
        try:
            self._files.remove(live.path)
        except OSError:
            self._on_fault("other")

    def _lose(self, live: _Live) -> None:
        """Leave a segment that somebody removed, replaced or cut; declare what stood in it as a gap."""
        self._on_fault("unlinked")
        wall = self._clock.wall()
        count = self.position.sequence - live.first_sequence
        self._gap_after_loss = sealing("audit.gap", wall, {
            "gateway.gap.count": count, "gateway.gap.first": iso(wall), "gateway.gap.last": iso(wall),
            "event.reason": "unlinked",
        })  # fmt: skip
        self._release(live, "unlinked")

    def _close(self, live: _Live) -> None:
        try:
            self._files.close(live.fd)
        except OSError as exc:
            self._on_fault(reason_of(exc))


def validity(not_before: float, not_after: float) -> tuple[str, str]:
    """A key's time as it stands in records."""
    return iso(not_before), iso(min(not_after, _LAST_MOMENT))
