"""The hash chain and the exact form of a sealing line: what is hashed, what names what.

Pure. A record is one line of JSON, hashed as its exact bytes without the newline.
A line that carries a checkpoint ends with
it, and the checkpoint binds the line's other bytes, so that even the newest line of a log cannot change unseen.
"""

import base64
from hashlib import sha256
from typing import Final

import orjson

from gateway.observe.audit.fields import FORMAT
from gateway.observe.audit.notes import Checkpoint, b64
from gateway.observe.audit.tree import Edge

NOTE_KEY: Final = b',"gateway.checkpoint.note":'
_BINDING: Final = f"{FORMAT} record "


def leaf_hash(line: bytes) -> bytes:
    """Leaf hash of a record, RFC 6962: of a zero byte and the line without its newline."""
    return sha256(b"\x00" + line).digest()


def genesis(origin: str) -> bytes:
    """What the first record of a log names as the hash before it, so that a log cannot pass for another."""
    return sha256(f"{FORMAT}\n{origin}\n".encode()).digest()


def binding(head: bytes) -> str:
    """Extension line of a checkpoint: the hash of the bytes of its own record before the note."""
    return f"{_BINDING}{b64(sha256(head).digest())}"


def split_sealed(line: bytes) -> tuple[bytes, str] | None:
    """Return the head and the note of a line that carries a checkpoint in its one allowed spelling, else None."""
    head, key, tail = line.rpartition(NOTE_KEY)
    if not key or not tail.endswith(b'"}'):
        return None
    try:
        note = orjson.loads(tail[:-1])
    except orjson.JSONDecodeError:
        return None
    if not isinstance(note, str) or orjson.dumps(note) != tail[:-1]:
        return None
    return head, note


def is_bound(head: bytes, checkpoint: Checkpoint) -> bool:
    """Does the checkpoint name exactly this record's other bytes?"""
    return checkpoint.extensions == (binding(head),)


class Position:
    """Where a log stands: the next sequence number, the leaf hash before it, and the tree's edge."""

    __slots__ = ("edge", "leaf")

    def __init__(self, leaf: bytes, edge: Edge) -> None:
        """Stand after the record with this leaf hash; the tree's size is the next sequence number."""
        self.leaf = leaf
        self.edge = edge

    @classmethod
    def start(cls, origin: str) -> "Position":
        """The position before the first record of a log."""
        return cls(genesis(origin), Edge())

    @property
    def sequence(self) -> int:
        """Sequence number of the next record."""
        return self.edge.size

    @property
    def prev(self) -> str:
        """What the next record must name as `gateway.prev`."""
        return base64.b64encode(self.leaf).decode("ascii")

    def advance(self, line: bytes) -> None:
        """Step over one record."""
        self.leaf = leaf = sha256(b"\x00" + line).digest()
        self.edge.append(leaf)

    def copy(self) -> "Position":
        """Return an independent copy, to go back to."""
        return Position(self.leaf, self.edge.copy())
