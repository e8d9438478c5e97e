"""A record into its line of JSON: constant words of the action, common fields, own fields, in one pass.

Leaves the order of records and the hashes to the ledger. Keeps one rule:
whatever comes in, exactly one valid line comes out.
"""

import os
from collections.abc import Callable
from time import gmtime, strftime
from typing import Final

import orjson

from gateway.observe.audit.actions import ACTIONS
from gateway.observe.audit.chain import NOTE_KEY, Position, binding
from gateway.observe.audit.fields import ECS_VERSION, FIELDS, FORMAT, SEAL
from gateway.observe.audit.notes import Checkpoint, Signer
from gateway.observe.audit.records import Fields, Record, Value, clean, sealing

_MAX_OWN_BYTES: Final = 32 * 1024
_RANDOM_POOL_BYTES: Final = 4096
_ID_DIGITS: Final = 20
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

RandomBytes = Callable[[int], bytes]


def uuid7(at: float, digits: str) -> str:
    """Return the UUID version 7 of a moment (seconds) and 20 random hex digits. RFC 9562, section 5.7."""
    head = f"{int(at * 1000) & 0xFFFFFFFFFFFF:012x}"
    return f"{head[:8]}-{head[8:]}-7{digits[:3]}-{_VARIANT[digits[19]]}{digits[3:6]}-{digits[6:18]}"


class Encoder:
    """Writes records of one writer as lines."""

    def __init__(self, *, version: str, node: str, writer: str, random: RandomBytes = os.urandom) -> None:
        """Prepare the constant bytes of every action for this writer."""
        self.writer = writer
        self._constant = {row.name: self._constant_of(row.name, version, node, writer) for row in ACTIONS.values()}
        self._random = random
        self._pool = ""
        self._pool_used = 0
        self._second = -1
        self._second_text = ""

    @staticmethod
    def _constant_of(name: str, version: str, node: str, writer: str) -> bytes:
        row = ACTIONS[name]
        words: dict[str, Value] = {
            "ecs.version": ECS_VERSION, "event.kind": "event", "event.action": row.name,
            "event.category": list(row.category),
            "event.type": list(row.type), "event.outcome": row.outcome, "service.name": "gateway",
            "service.version": version, "service.node.name": node, "gateway.schema": FORMAT, "gateway.writer": writer,
        }  # fmt: skip
        return orjson.dumps(words)[1:-1]

    def _random_digits(self) -> str:
        used = self._pool_used
        if used + _ID_DIGITS > len(self._pool):
            self._pool = self._random(_RANDOM_POOL_BYTES).hex()
            used = 0
        self._pool_used = used + _ID_DIGITS
        return self._pool[used : used + _ID_DIGITS]

    def head(self, record: Record, position: Position) -> bytes:
        """Return the line of the record at this position, without its closing brace."""
        return self.line(record, position)[:-1]

    def line(self, record: Record, position: Position) -> bytes:
        """Return the line of the record at this position, without newline. On the data path: once per proxied call."""
        action, at, fields = record
        second = int(at)
        if second != self._second:
            self._second, self._second_text = second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        opening = (
            f'{{"@timestamp":"{self._second_text}.{int((at - second) * 1e6):06d}Z",'
            f'"event.sequence":{position.sequence},"gateway.prev":"{position.prev}",'
            f'"event.id":"{uuid7(at, self._random_digits())}",'
        )
        if not fields:
            return b"".join((opening.encode(), self._constant[action.name], b"}"))
        try:
            own = orjson.dumps(fields)
        except (orjson.JSONEncodeError, TypeError):
            own = orjson.dumps(_cleaned(fields))
        # The slow way round is for texts that are not plain ASCII, had to be escaped, or are too long.
        if not own.isascii() or b"\\" in own or b"\x7f" in own or len(own) > _MAX_OWN_BYTES:
            own = orjson.dumps(_cleaned(fields))
        return b"".join((opening.encode(), self._constant[action.name], b",", own[1:]))

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


def _cleaned(fields: Fields) -> dict[str, Value]:
    tidy: dict[str, Value] = {}
    for name, value in fields.items():
        limit = FIELDS[name].max_chars if name in FIELDS else 255
        if name in SEAL:
            tidy[name] = (
                value  # the log's own words: notes hold newlines and a dash, and were checked where they came in
            )
        elif isinstance(value, str):
            tidy[name] = clean(value, limit)
        elif isinstance(value, list):
            tidy[name] = [clean(item, limit) for item in value[:64]]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            tidy[name] = -1
        else:
            tidy[name] = value
    return tidy
