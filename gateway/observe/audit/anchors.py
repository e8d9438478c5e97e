"""Where checkpoints go beside the log, so that a cut or rewritten log is seen:
stderr, a store, a directory, the other writers.

An anchor is told every durable checkpoint. Leaves scheduling to log.py.
Rule: an anchor that fails is counted, never waited for
by a grant; an anchor that contradicts us (another root at the same size) is an alarm.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, TextIO

import orjson

from gateway.observe.audit.ledger import Sealed
from gateway.observe.audit.notes import NoteError, b64, parse_checkpoint, split_note, split_notes

_HEADS_KEY: Final = "audit:head:"
_MAX_PEERS: Final = 64
_MAX_NOTE_CHARS: Final = 2048


class AnchorRefusedError(Exception):
    """The anchor holds a larger log, or another root at the same size:
    this log was cut or rewritten, or is written twice.
    """


class Anchor(Protocol):
    """One place that keeps checkpoints."""

    name: str
    interval_s: float

    async def keep(self, sealed: Sealed) -> None:
        """Keep the checkpoint; raises AnchorRefusedError, OSError."""
        ...


class Heads(Protocol):
    """A place that also knows the checkpoints of the other writers."""

    async def heads(self) -> Sequence[str]:
        """Return the latest checkpoint note of every writer; raises OSError."""
        ...


class StderrAnchor:
    """Each checkpoint as one JSON line on stderr, for the log shipper."""

    name = "stderr"
    interval_s = 0.0

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to this stream instead of stderr."""
        self._stream = stream

    async def keep(self, sealed: Sealed) -> None:
        """Write the line; raises OSError."""
        stream = self._stream or sys.stderr
        line = {"event.action": "audit.checkpoint", "gateway.checkpoint.size": sealed.checkpoint.size,
                "gateway.checkpoint.note": sealed.note}  # fmt: skip
        stream.write(orjson.dumps(line).decode() + "\n")
        stream.flush()


class DirectoryAnchor:
    """Each minute's checkpoint as a new file in a directory, for a mount that can be written once only."""

    name = "directory"
    interval_s = 60.0

    def __init__(self, directory: Path) -> None:
        """Name the directory."""
        self._directory = directory

    async def keep(self, sealed: Sealed) -> None:
        """Create the file; raises OSError, AnchorRefusedError when another checkpoint of this size is there."""
        await asyncio.to_thread(self._create, sealed)

    def _create(self, sealed: Sealed) -> None:
        writer = sealed.checkpoint.origin.rpartition("/")[2]
        path = self._directory / f"{writer}.{sealed.checkpoint.size:012d}.note"
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o440)
        except FileExistsError as exc:
            if path.read_text(encoding="utf-8") != sealed.note:
                raise AnchorRefusedError(f"{path.name} holds another checkpoint") from exc
            return
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(sealed.note)
            file.flush()
            os.fsync(file.fileno())


# One step in the store, so that two writers of one log cannot both win. KEYS: head of the origin, set of origins.
# ARGV: size, root, note, origin, seconds to live. Answers 1 when kept, 0 when the store knows better.
HEAD_SCRIPT: Final = """
local size = redis.call('HGET', KEYS[1], 'size')
if size then
  if tonumber(size) > tonumber(ARGV[1]) then return 0 end
  if tonumber(size) == tonumber(ARGV[1]) and redis.call('HGET', KEYS[1], 'root') ~= ARGV[2] then return 0 end
end
redis.call('HSET', KEYS[1], 'size', ARGV[1], 'root', ARGV[2], 'note', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('SADD', KEYS[2], ARGV[4])
return 1
"""

HEADS_SCRIPT: Final = """
local notes = {}
for _, origin in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local note = redis.call('HGET', ARGV[1] .. origin, 'note')
  if note then notes[#notes + 1] = note else redis.call('SREM', KEYS[1], origin) end
end
return notes
"""

RunScript = Callable[[str, list[str], list[str]], Awaitable[object]]
"""Runs a Lua script in the store: script, keys, arguments. Raises OSError when the store does not answer."""


class StoreAnchor:
    """The latest checkpoint of every writer in the shared store, which refuses to go back."""

    name = "store"
    interval_s = 0.0

    def __init__(self, run_script: RunScript, prefix: str = "gw:", keep_s: int = 400 * 86_400) -> None:
        """Use the store through this function; keys begin with `prefix`."""
        self._run, self._prefix, self._keep_s = run_script, prefix, keep_s

    async def keep(self, sealed: Sealed) -> None:
        """Keep the checkpoint; raises AnchorRefusedError, OSError."""
        point = sealed.checkpoint
        keys = [f"{self._prefix}{_HEADS_KEY}{point.origin}", f"{self._prefix}audit:origins"]
        args = [str(point.size), b64(point.root), sealed.note, point.origin, str(self._keep_s)]
        if await self._run(HEAD_SCRIPT, keys, args) != 1:
            raise AnchorRefusedError(f"the store holds another head of {point.origin}")

    async def heads(self) -> Sequence[str]:
        """Return the latest checkpoint note of every writer; raises OSError."""
        found = await self._run(HEADS_SCRIPT, [f"{self._prefix}audit:origins"], [f"{self._prefix}{_HEADS_KEY}"])
        if not isinstance(found, list):
            return []
        return [item.decode() if isinstance(item, bytes) else str(item) for item in found]


class LocalHeads:
    """The latest checkpoints of the other writers of this machine, read from the ends of their segments."""

    def __init__(self, latest: Callable[[], Sequence[str]]) -> None:
        """`latest` reads them, in a thread."""
        self._latest = latest

    async def heads(self) -> Sequence[str]:
        """Return the latest checkpoint note of every writer; raises OSError."""
        return await asyncio.to_thread(self._latest)


def peers_of(notes: Sequence[str], own_origin: str) -> list[str]:
    """Return the notes of others that can be read, at most 64, the newest writers first."""
    found: dict[str, str] = {}
    for note in notes:
        if len(note) > _MAX_NOTE_CHARS:
            continue
        try:
            origin = parse_checkpoint(split_note(note)[0]).origin
        except NoteError:
            continue
        if origin != own_origin:
            found[origin] = note
    return [
        found[origin] for origin in sorted(found, key=lambda name: name.rsplit("-", 2)[1:], reverse=True)[:_MAX_PEERS]
    ]


def read_anchor_notes(document: str) -> list[str]:
    """Return the checkpoint notes of an anchor file: notes one after the other, or lines of JSON that hold them."""
    notes: list[str] = []
    rest: list[str] = []
    for line in document.splitlines():
        start = line.find("{")
        if start < 0 or '"gateway.checkpoint.note"' not in line:
            rest.append(line)
            continue
        try:
            value = orjson.loads(line[start:])
        except orjson.JSONDecodeError:
            continue
        note = value.get("gateway.checkpoint.note") if isinstance(value, dict) else None
        if isinstance(note, str):
            notes.append(note)
    text = "\n".join(rest).strip("\n")
    return notes + (list(split_notes(text + "\n")) if text else [])
