"""A record into its line of JSON: constant words of the action, common fields, own fields, in one pass.

Leaves the order of records and the hashes to the ledger. Keeps one rule:
whatever comes in, exactly one valid line comes out.
"""

import os
from binascii import b2a_base64
from collections.abc import Callable, Iterable
from hashlib import sha256
from time import gmtime, strftime
from typing import Final

import orjson

from gateway.observe.audit.actions import ACTIONS
from gateway.observe.audit.chain import NOTE_KEY, Position, binding
from gateway.observe.audit.fields import ECS_VERSION, FORMAT
from gateway.observe.audit.notes import Checkpoint, Signer
from gateway.observe.audit.plain import Value, members_of
from gateway.observe.audit.records import Record, sealing

_MILLI_BITS: Final = 0xFFFF_FFFF_FFFF
_COUNTER_BITS: Final = 0x7FFF_FFFF_FFFF

RandomBytes = Callable[[int], bytes]


class EventIds:
    """UUIDs of version 7 for the records of one writer: the moment, 26 random bits of the writer, and 48 bits that
    begin at random and count on, so that none comes twice. RFC 9562, sections 5.7 and 6.2 (method 2).
    """

    def __init__(self, random: RandomBytes) -> None:
        """Draw the writer's random bits; the counter begins low enough never to overflow."""
        bits = int.from_bytes(random(10), "big")
        self.first = bits & _COUNTER_BITS
        self._middle = f"-7{bits >> 48 & 0xFFF:03x}-{bits >> 60 & 0x3FFF | 0x8000:04x}-"

    def head(self, milli: int) -> str:
        """Everything but the last 48 bits, for a moment in milliseconds since 1970."""
        digits = f"{milli & _MILLI_BITS:012x}"
        return f"{digits[:8]}-{digits[8:]}{self._middle}"

    def id(self, milli: int, sequence: int) -> str:
        """The id of the record with this number."""
        return f"{self.head(milli)}{self.first + sequence:012x}"


class Encoder:
    """Writes records of one writer as lines."""

    def __init__(self, *, version: str, node: str, writer: str, random: RandomBytes = os.urandom) -> None:
        """Prepare the constant text of every action for this writer."""
        self.writer = writer
        self._constant = {row.name: self._constant_of(row.name, version, node, writer) for row in ACTIONS.values()}
        self._ids = EventIds(random)
        self._second = -1
        self._second_text = ""

    @staticmethod
    def _constant_of(name: str, version: str, node: str, writer: str) -> str:
        row = ACTIONS[name]
        words: dict[str, Value] = {
            "ecs.version": ECS_VERSION, "event.kind": "event", "event.action": row.name,
            "event.category": list(row.category),
            "event.type": list(row.type), "event.outcome": row.outcome, "service.name": "gateway",
            "service.version": version, "service.node.name": node, "gateway.schema": FORMAT, "gateway.writer": writer,
        }  # fmt: skip
        return orjson.dumps(words)[1:-1].decode()

    def head(self, record: Record, position: Position) -> bytes:
        """Return the line of the record at this position, without its closing brace."""
        return self.line(record, position)[:-1]

    def line(self, record: Record, position: Position) -> bytes:
        """Return the line of the record at this position, without newline."""
        return self.write((record,), position.copy())[0][1]

    def write(self, records: Iterable[Record], position: Position) -> list[tuple[str, bytes]]:
        """Return the action and line of each record, and step over them. On the data path: once per proxied call."""
        lines: list[tuple[str, bytes]] = []
        constant, head_of, edge, milli_now, head = self._constant, self._ids.head, position.edge, -1, ""
        leaf, sequence = position.leaf, edge.size
        leaves: list[bytes] = []
        first, begun = self._ids.first, sha256(b"\x00").copy
        for action, at, said in records:
            second = int(at)
            if second != self._second:
                self._second, self._second_text = second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
            micro = int((at - second) * 1e6)
            milli = second * 1000 + micro // 1000
            if milli != milli_now:
                milli_now, head = milli, head_of(milli)
            own = said if isinstance(said, str) else members_of(said)
            name = action.name
            prev = b2a_base64(leaf, newline=False).decode()
            line = (
                f'{{"@timestamp":"{self._second_text}.{micro:06d}Z","event.sequence":{sequence},'
                f'"gateway.prev":"{prev}","event.id":"{head}{first + sequence:012x}",'
                f"{constant[name]}{',' if own else ''}{own}}}"
            ).encode()
            hashed = begun()  # as chain.leaf_hash, without a second copy of the line
            hashed.update(line)
            leaf = hashed.digest()
            leaves.append(leaf)
            sequence += 1
            lines.append((name, line))
        position.leaf = leaf
        edge.extend(leaves)
        return lines

    def sealed_line(
        self, action: str, at: float, position: Position, origin: str, signer: Signer
    ) -> tuple[bytes, Checkpoint, str]:
        """Return the line of a record that carries a signed checkpoint of all before it, and that checkpoint and
        note.
        """
        size = position.sequence
        head = self.head(sealing(action, at, {"gateway.checkpoint.size": size}), position)
        checkpoint = Checkpoint(origin, size, position.edge.root(), (binding(head),))
        note = signer.sign(checkpoint.text())
        return head + NOTE_KEY + orjson.dumps(note) + b"}", checkpoint, note
