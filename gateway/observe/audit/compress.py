"""Finished segments are gzipped: a text of repeated names shrinks to a tenth. Reading them is left to segments.py.

Blocking. Rule: the bytes are on the disk and were read back and compared before the plain file goes, so that at no
moment less than one whole copy is there; the log stays what it was, because all hashes are over the plain bytes.
"""

import errno
import gzip
import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.prune import alone
from gateway.observe.audit.recovery import is_closed, mark_path, start_of
from gateway.observe.audit.segments import SegmentFile, by_writer, find_segments, first_line
from gateway.observe.audit.settings import AuditSettings

_CHUNK_BYTES: Final = 1024 * 1024
_LEVEL: Final = 6
_MODE: Final = 0o640


def finished(settings: AuditSettings) -> list[SegmentFile]:
    """Return the plain segments that nobody writes or still has to look at, oldest first; raises OSError."""
    files = FileSystem()
    found: list[SegmentFile] = []
    for segments in by_writer(find_segments(path for path in settings.dirs if path.is_dir())).values():
        is_over = is_closed(segments) or mark_path(segments[-1]).exists()
        done = segments if is_over else segments[:-1]
        found += [
            item
            for item in done
            if item.path.suffix != ".gz" and files.is_abandoned(item.path) and _has_header(item.path)
        ]
    return found


def _has_header(path: Path) -> bool:
    """What has none is what a crash left: it stays as it is, to the byte."""
    try:
        start_of(first_line(path).rstrip(b"\n"))
    except ValueError:
        return False
    return True


def compress(settings: AuditSettings) -> list[str]:
    """Gzip every finished segment and return their names; raises OSError."""
    with alone(settings.dir) as is_alone:
        done = finished(settings) if is_alone else []
        for segment in done:
            _compress(segment.path)
        return [segment.name for segment in done]


def _compress(path: Path) -> None:
    draft, packed = path.with_name(f".{path.name}.draft"), path.with_name(f"{path.name}.gz")
    draft.unlink(missing_ok=True)  # left by a process that was killed
    try:
        digest = _written(path, draft)
        if _digest(draft) != digest:
            raise OSError(errno.EIO, "the gzipped copy is another", str(draft))
        draft.replace(packed)
        FileSystem().sync_dir(path.parent)
        path.unlink()
    finally:
        draft.unlink(missing_ok=True)


def _written(path: Path, draft: Path) -> bytes:
    digest = sha256()
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    with os.fdopen(fd, "wb") as raw:
        with (
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0) as packed,
            path.open("rb") as plain,
        ):
            while piece := plain.read(_CHUNK_BYTES):
                digest.update(piece)
                packed.write(piece)
        raw.flush()
        os.fsync(raw.fileno())
    return digest.digest()


def _digest(packed: Path) -> bytes:
    digest = sha256()
    with gzip.open(packed, "rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.digest()
