"""What earlier writers left behind: who ended without closing its log, where its log really ends, and its last
checkpoint.

Reads only; the files of others are never changed. Leaves judgement to verify.py and the record to log.py.
"""

import gzip
import os
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from gateway.observe.audit.chain import Position, split_sealed
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.notes import NoteError, b64, unb64
from gateway.observe.audit.records import Record, sealing
from gateway.observe.audit.segments import SegmentFile, by_writer, find_segments, first_line, open_segment, read_lines
from gateway.observe.audit.tree import Edge

MARK_SUFFIX: Final = ".recovered"
_TAIL_BYTES: Final = 256 * 1024
_LOCAL_WRITERS: Final = 64


class Remains(NamedTuple):
    """How a writer's log really ends."""

    writer: str
    size: int
    root: bytes
    torn_bytes: int
    state: str

    def record(self, now: float) -> Record:
        """The record that says so."""
        return sealing("audit.recovered", now, {
            "gateway.recovered.writer": self.writer, "gateway.recovered.size": self.size,
            "gateway.recovered.root": b64(self.root), "gateway.recovered.torn_bytes": self.torn_bytes,
            "gateway.recovered.state": self.state,
        })  # fmt: skip


def last_lines(path: Path) -> list[bytes]:
    """Return the whole lines at the end of a segment (of its last 256 KiB); raises OSError."""
    if path.suffix == ".gz":
        found = path.stat()
        return _last_lines_of_gzip(path, found.st_mtime_ns, found.st_size)
    with open_segment(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        return file.read().split(b"\n")[:-1]


@lru_cache(maxsize=256)  # peers ask each minute for ends that no longer change
def _last_lines_of_gzip(path: Path, _changed_ns: int, _size: int) -> list[bytes]:
    tail = b""
    with open_segment(path) as file, suppress(gzip.BadGzipFile, zlib.error, EOFError):
        while piece := file.read(_TAIL_BYTES):
            tail = (tail + piece)[-_TAIL_BYTES:]
    return tail.split(b"\n")[:-1]


def is_closed(segments: Sequence[SegmentFile]) -> bool:
    """Does the writer's last segment end with `audit.closed`? Raises OSError."""
    lines = last_lines(segments[-1].path)
    return bool(lines) and b'"event.action":"audit.closed"' in lines[-1]


def start_of(line: bytes) -> Position:
    """Return the position before a segment's header line; raises ValueError when it is none."""
    try:
        header = orjson.loads(line)
        if header["event.action"] != "audit.opened":
            raise ValueError("not a header")
        edge = Edge(header["event.sequence"], [unb64(item) for item in header["gateway.segment.edge"]])
        return Position(unb64(header["gateway.prev"]), edge)
    except (orjson.JSONDecodeError, NoteError, KeyError, TypeError) as exc:
        raise ValueError("not a header") from exc


def remains_of(segments: Sequence[SegmentFile]) -> Remains:
    """Walk a writer's last segment that has a header, and say where the log ends; raises OSError."""
    for segment in reversed(segments):
        try:
            position = start_of(first_line(segment.path).rstrip(b"\n"))
        except ValueError:
            continue
        return _walk(segment, position)
    torn = sum(segment.path.stat().st_size for segment in segments)
    return Remains(segments[0].writer, 0, Edge().root(), torn, "torn")


def _walk(segment: SegmentFile, position: Position) -> Remains:
    torn, state = 0, "clean"
    for line in read_lines(segment.path):
        if not line.endswith(b"\n"):
            torn, state = len(line), "torn"
            break
        body = line[:-1]
        if f'"gateway.prev":"{position.prev}"'.encode() not in body:
            state = "inconsistent"
            break
        position.advance(body)
    return Remains(segment.writer, position.sequence, position.edge.root(), torn, state)


def find_remains(directories: Iterable[Path], files: FileSystem, own: str) -> list[Remains]:
    """Return the logs that ended without being closed and that nobody has declared yet; raises OSError."""
    found: list[Remains] = []
    there = [directory for directory in directories if directory.is_dir()]
    for writer, segments in by_writer(find_segments(there)).items():
        last = segments[-1]
        if writer == own or mark_path(last).exists() or is_closed(segments) or not files.is_abandoned(last.path):
            continue
        found.append(remains_of(segments))
    return found


def mark_path(segment: SegmentFile) -> Path:
    """The file that says that the writer's end is already on record; losing it only makes a second record."""
    return segment.path.with_name(f"{segment.writer}{MARK_SUFFIX}")


def mark(directories: Iterable[Path], remains: Iterable[Remains], by: str) -> None:
    """Note beside the segments that their end is on record; raises OSError."""
    last = {
        writer: segments[-1]
        for writer, segments in by_writer(find_segments(d for d in directories if d.is_dir())).items()
    }
    for item in remains:
        if item.writer in last:
            mark_path(last[item.writer]).write_text(f"{by}\n", encoding="utf-8")


def latest_notes(directories: Iterable[Path], own: str) -> list[str]:
    """Return the last checkpoint note of each of the newest other writers in the directories; raises OSError."""
    groups = by_writer(find_segments(directory for directory in directories if directory.is_dir()))
    newest = sorted(
        (writer for writer in groups if writer != own), key=lambda name: name.rsplit("-", 2)[1:], reverse=True
    )
    notes = []
    for writer in newest[:_LOCAL_WRITERS]:
        for line in reversed(last_lines(groups[writer][-1].path)):
            sealed = split_sealed(line)
            if sealed is not None:
                notes.append(sealed[1])
                break
    return notes
