"""Retention: whole finished segments are removed after their end, each first declared by a sealed record.

Leaves the judgement of what is left to verify.py. Rule: the record that says what goes is durable before anything goes;
the keys of pseudonyms go with the records of their epoch.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from gateway.observe.audit.chain import leaf_hash, split_sealed
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.notes import b64
from gateway.observe.audit.oneoff import write_once
from gateway.observe.audit.plain import Value
from gateway.observe.audit.plan import Step, plan_of
from gateway.observe.audit.pseudonyms import KeyRing
from gateway.observe.audit.records import Record, admin_action, iso, sealing
from gateway.observe.audit.recovery import is_closed, mark_path
from gateway.observe.audit.segments import DAMAGED, SegmentFile, by_writer, find_segments, read_lines
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.subjects import DirectoryKeys

_LOCK_FILE: Final = ".prune.lock"
_DAY_S: Final = 86_400.0


class Prunable(NamedTuple):
    """One segment that is to go, and the record that says so."""

    segment: SegmentFile
    record: Record


class Pruned(NamedTuple):
    """What went: segments by name, and epochs of keys."""

    segments: list[str]
    epochs: list[str]


def find_prunable(settings: AuditSettings, now: float) -> list[Prunable]:
    """Return the segments whose newest record is older than the retention, oldest first; raises OSError."""
    before = iso(now - settings.retention_days * _DAY_S)
    found: list[Prunable] = []
    directories = [directory for directory in settings.dirs if directory.is_dir()]
    for segments in by_writer(find_segments(directories)).values():
        is_over = is_closed(segments) or mark_path(segments[-1]).exists()
        plan = plan_of(segments)
        if plan.findings:
            continue  # what cannot be read is evidence: it stays
        for step in plan.steps:
            is_finished = step.end is not None or (is_over and FileSystem().is_abandoned(step.segment.path))
            prunable = _declared(step, before, now) if is_finished else None
            if prunable is None:
                break
            found.append(prunable)
    return found


def prune(settings: AuditSettings, now: float) -> Pruned:
    """Declare, then remove, what is older than the retention; raises AuditKeyError, AuditWriteFailedError, OSError."""
    with alone(settings.dir) as is_alone:
        if not is_alone:
            return Pruned([], [])
        prunable = find_prunable(settings, now)
        if prunable:
            write_once(settings, [item.record for item in prunable])
        for item in prunable:
            for path in (item.segment.path, item.segment.path.with_name(f"{item.segment.name}.gz")):
                path.unlink(missing_ok=True)
        before = now - settings.retention_days * _DAY_S
        epochs = KeyRing(settings.keys_dir).destroy_before(before)
        if unused := DirectoryKeys(settings.subjects_dir).forget_unused(before):
            epochs.append(f"subjects:{unused}")
        if epochs:
            write_once(
                settings, [admin_action(at=now, who_acted="retention", verb="destroy-keys", target=" ".join(epochs))]
            )
        return Pruned([item.segment.name for item in prunable], epochs)


def _declared(step: Step, before: str, now: float) -> Prunable | None:
    """Return the segment with its record, or None when it is not old enough."""
    digest = sha256()
    first, count, last_at, leaf, note = step.start.sequence, 0, "", step.start.leaf, ""
    for line in _valid_lines(step):
        if line == DAMAGED:
            return None
        digest.update(line)
        body = line[:-1]
        leaf = leaf_hash(body)
        last_at = body[15:42].decode("ascii", "replace")
        sealed = split_sealed(body)
        note = sealed[1] if sealed is not None else note
        count += 1
    if not count or last_at >= before:
        return None
    fields: dict[str, Value] = {
        "gateway.pruned.writer": step.segment.writer, "gateway.pruned.segment": step.segment.index,
        "gateway.pruned.first": first, "gateway.pruned.last": first + count - 1,
        "gateway.pruned.sha256": digest.hexdigest(),
        "gateway.pruned.leaf": b64(leaf),
    }  # fmt: skip
    if note:
        fields["gateway.pruned.note"] = note
    return Prunable(step.segment, sealing("audit.pruned", now, fields))


def _valid_lines(step: Step) -> Iterator[bytes]:
    offset = 0
    for line in read_lines(step.segment.path):
        if line == DAMAGED:
            yield line
        if not line.endswith(b"\n") or (step.end is not None and offset >= step.end):
            return
        offset += len(line)
        yield line


@contextmanager
def alone(directory: Path) -> Iterator[bool]:
    """Only one process tidies a directory at a time; the others have nothing to do."""
    fd = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)
