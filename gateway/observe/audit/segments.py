"""Names of writers and segments, and how the segments of a directory are found and read.

A writer is one process start: `<node>-<UTC start>-<8 hex>`; its segments are `<writer>.<number>.jsonl`, closed ones
perhaps gzipped.
Leaves the meaning of lines to verify.py and recovery.py.
"""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import gmtime, strftime
from typing import IO, Final, cast

_SEGMENT: Final = re.compile(
    r"^(?P<writer>[A-Za-z0-9_.-]+-\d{8}T\d{6}Z-[0-9a-f]{8})\.(?P<index>\d{6,})\.jsonl(?P<gz>\.gz)?$"
)
_NODE: Final = re.compile(r"^[A-Za-z0-9_.-]{1,64}$")
_READ_BYTES: Final = 1024 * 1024
MAX_LINE_BYTES: Final = 1024 * 1024
DAMAGED: Final = b"{} the gzipped segment is damaged here"  # no torn write leaves this: it counts as an edit


@dataclass(frozen=True, slots=True, order=True)
class SegmentFile:
    """One segment on disk."""

    writer: str
    index: int
    path: Path

    @property
    def name(self) -> str:
        """The name by which records speak of it, gzipped or not."""
        return segment_name(self.writer, self.index)


def writer_name(node: str, started_at: float, random: bytes) -> str:
    """Name a process start; raises ValueError for a node name that cannot stand in a file name."""
    if not _NODE.match(node):
        raise ValueError(f"node name {node!r} must be 1 to 64 letters, digits, '.', '_' or '-'")
    return f"{node}-{strftime('%Y%m%dT%H%M%SZ', gmtime(started_at))}-{random[:4].hex()}"


def node_of(writer: str) -> str:
    """Node of a writer."""
    return writer.rsplit("-", 2)[0]


def segment_name(writer: str, index: int) -> str:
    """File name of a writer's segment."""
    return f"{writer}.{index:06d}.jsonl"


def find_segments(paths: Iterable[Path]) -> list[SegmentFile]:
    """Return the segments in the directories and among the files given, by writer and number; raises OSError."""
    found: dict[tuple[str, int], SegmentFile] = {}
    for path in paths:
        for file in path.iterdir() if path.is_dir() else (path,):
            match = _SEGMENT.match(file.name)
            if match:
                key = (match["writer"], int(match["index"]))
                if key not in found or match["gz"] is None:
                    found[key] = SegmentFile(*key, file)
            elif file == path:
                raise FileNotFoundError(f"{path} is neither a directory nor an audit segment")
    return sorted(found.values())


def by_writer(segments: Iterable[SegmentFile]) -> dict[str, list[SegmentFile]]:
    """Group segments by writer, each in order."""
    groups: dict[str, list[SegmentFile]] = {}
    for segment in sorted(segments):
        groups.setdefault(segment.writer, []).append(segment)
    return groups


def open_segment(path: Path) -> IO[bytes]:
    """Open a segment for reading its uncompressed bytes, also if it was gzipped since it was found; raises OSError."""
    if path.suffix != ".gz":
        try:
            return path.open("rb")
        except FileNotFoundError:
            path = path.with_name(f"{path.name}.gz")
            if not path.exists():
                raise
    return cast("IO[bytes]", gzip.open(path, "rb"))


def read_lines(path: Path, offset: int = 0) -> Iterator[bytes]:
    """Yield the lines from `offset` on, each with its newline; only a torn last one lacks it. Constant memory.

    A line longer than MAX_LINE_BYTES is cut there: it cannot be a record. Where a gzipped segment cannot be unpacked,
    DAMAGED ends it. Raises OSError.
    """
    with open_segment(path) as file:
        try:
            if offset:
                file.seek(offset)
            while line := file.readline(MAX_LINE_BYTES):
                yield line
        except (gzip.BadGzipFile, zlib.error, EOFError):
            yield DAMAGED


def first_line(path: Path) -> bytes:
    """Return the first line with its newline, or what there is of it; raises OSError."""
    return next(read_lines(path), b"")
