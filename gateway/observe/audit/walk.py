"""One writer's log, read record by record: the chain, the tree, the signatures, and the verdict with its place.

Constant memory; at least 100,000 records a second. Leaves what other writers say about this one to verify.py.
Rule: it stops at
the first record that cannot be true, because nothing after it is worth more than its own word.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import orjson

from gateway.observe.audit.chain import NOTE_KEY, Position, is_bound, leaf_hash, split_sealed
from gateway.observe.audit.findings import Finding, WriterReport
from gateway.observe.audit.notes import Checkpoint, NoteError, VerifierKey, b64, open_note, parse_checkpoint, split_note
from gateway.observe.audit.plan import Plan, Step
from gateway.observe.audit.records import iso
from gateway.observe.audit.segments import DAMAGED, node_of, read_lines

_LOOK_AHEAD: Final = 256
_TIME_END: Final = 42  # `{"@timestamp":"` and 27 characters
_CLOSED: Final = b'"event.action":"audit.closed"'
_SEALING: Final = frozenset(("audit.checkpoint", "audit.closed"))
_OWN_KIND: Final = b'"event.action":"audit.'


class _StopError(Exception):
    """The walk ends with this finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.kind)
        self.finding = finding


class Walk:
    """The walk along one writer's log."""

    def __init__(self, writer: str, deployment: str, keys: Sequence[VerifierKey], anchors: Mapping[int, bytes]) -> None:
        """`anchors` are roots that this log must have had at these sizes."""
        self.writer, self.deployment = writer, deployment
        self.origin = f"{deployment}/{writer}"
        self.report = WriterReport(writer)
        self.own_records: list[tuple[int, dict[str, Any]]] = []
        self._keys = [key for key in keys if key.name == f"{deployment}/{node_of(writer)}"]
        self._anchors = anchors
        self._segment = ""
        self._line = 0
        self._last = b""
        self._is_seal_void = False
        self._voids: list[int] = []
        self.is_unknown_key = False

    def run(self, plan: Plan) -> WriterReport:
        """Read the planned segments; returns the report. Raises OSError."""
        report = self.report
        for item in plan.findings:
            report.findings.append(item)
        if not plan.steps or report.is_tampered:
            self._conclude(plan)
            return report
        position = plan.steps[0].start.copy()
        report.first = position.sequence
        try:
            if position.sequence == 0 and position.leaf != Position.start(self.origin).leaf:
                raise _StopError(self._finding("SPLICED", "the log does not begin with its own origin", 0))
            for step in plan.steps:
                self._read(step, position)
        except _StopError as stop:
            report.findings.append(stop.finding)
        report.size, report.root = position.sequence, position.edge.root()
        self._conclude(plan)
        return report

    def _conclude(self, plan: Plan) -> None:
        report = self.report
        if report.is_tampered:
            return
        unsealed_void = [sequence for sequence in self._voids if sequence >= report.sealed_size]
        for item in plan.void:
            self._look_for_seals(read_lines(item.path))
        if unsealed_void:
            detail = "bytes are declared void by a header under no checkpoint"
            kind = "UNSEALED_TAIL"
            if self._is_seal_void:
                kind, detail = "FORKED", "signed records are declared void by a header under no checkpoint"
            report.findings.append(self._finding(kind, detail, unsealed_void[0], report.size - 1))
        report.findings += [
            Finding("VOID", self.writer, "declared void after a fault", item.name) for item in plan.void
        ]
        beyond = [size for size in self._anchors if size > report.size]
        if beyond:
            detail = f"the log had {max(beyond)} records, {report.size} are left"
            report.findings.append(self._finding("TRUNCATED", detail, report.size))

    def _read(self, step: Step, position: Position) -> None:
        self._segment, self._line = step.segment.name, 0
        if step.start.sequence != position.sequence or step.start.leaf != position.leaf:
            kind = "GAP" if step.start.sequence > position.sequence else "SPLICED"
            raise _StopError(self._finding(kind, "the segment does not continue the one before", position.sequence))
        if [b64(item) for item in position.edge.hashes] != step.header.get("gateway.segment.edge"):
            raise _StopError(
                self._finding("EDITED", "the segment's header has another tree than the records", position.sequence)
            )
        if self.report.is_closed:
            raise _StopError(self._finding("EDITED", "a segment follows audit.closed", position.sequence))
        if step.is_rest_void or step.segment.index > 0:
            self._note_void(step, position)
        lines = _Lines(read_lines(step.segment.path))
        offset = 0
        for line in lines:
            if step.end is not None and offset >= step.end:
                self._beyond_end(step, position, chain([line], lines.rest()))
                return
            offset += len(line)
            self._line += 1
            if not line.endswith(b"\n"):
                self._torn(line, step, position)
                return
            self._record(line[:-1], lines, position)
        if step.end is not None and offset < step.end:
            raise _StopError(
                self._finding("TRUNCATED", f"{step.end - offset} bytes of the segment are gone", position.sequence)
            )

    def _note_void(self, step: Step, position: Position) -> None:
        if step.header.get("gateway.segment.cause") in ("fault", "unlinked"):
            self._voids.append(position.sequence)

    def _beyond_end(self, step: Step, position: Position, rest: Iterable[bytes]) -> None:
        if not step.is_rest_void:
            raise _StopError(self._finding("EDITED", "bytes follow the end of a finished segment", position.sequence))
        self._look_for_seals(rest)
        self.report.findings.append(self._finding("VOID", "bytes after a fault, declared void", position.sequence))

    def _look_for_seals(self, lines: Iterable[bytes]) -> None:
        """Does what is declared void hold a checkpoint of this log? Then only a sealed header may void it."""
        for line in lines:
            if NOTE_KEY in line and self._is_genuine_seal(line.rstrip(b"\n")):
                self._is_seal_void = True

    def _torn(self, line: bytes, step: Step, position: Position) -> None:
        """Half a line: what a crash leaves, and only at the very end of a log that was not closed."""
        is_prefix = line != DAMAGED and not _holds_whole_object(line)
        if step.end is not None or self.report.is_closed or not is_prefix:
            raise _StopError(self._finding("EDITED", "a line without its end where none can be", position.sequence))
        self.report.findings.append(self._finding("TORN_TAIL", f"{len(line)} bytes of a torn line", position.sequence))

    def _record(self, line: bytes, lines: "_Lines", position: Position) -> None:
        expected = b'","event.sequence":%d,"gateway.prev":"%b","event.id":"' % (
            position.sequence,
            position.prev.encode(),
        )
        if not line.startswith(expected, _TIME_END) or self.report.is_closed:
            raise _StopError(self._diagnose(line, lines, position))
        sealed = NOTE_KEY in line
        if sealed:
            self._seal(line, position)
        if _OWN_KIND in line:
            self._own(line, position)
        position.advance(line)
        self._last = line
        size = position.edge.size
        if size in self._anchors:
            self._hold_against_anchor(size, position.edge.root())
        if sealed:
            self.report.sealed_size = size
            self.report.is_closed = _CLOSED in line

    def _hold_against_anchor(self, size: int, root: bytes) -> None:
        """A signed head from elsewhere: either the log had this root, and so much is proved, or there are two
        histories.
        """
        if self._anchors[size] != root:
            detail = f"another history of the first {size} records was witnessed"
            raise _StopError(self._finding("FORKED", detail, self.report.sealed_size, size - 1))
        self.report.sealed_size = size

    def _own(self, line: bytes, position: Position) -> None:
        """Keep what this log says about itself and about others."""
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise _StopError(self._finding("EDITED", "not JSON", position.sequence)) from None
        self.report.last_at = str(record.get("@timestamp", ""))
        if record.get("gateway.writer") != self.writer:
            raise _StopError(self._finding("SPLICED", f"a record of {record.get('gateway.writer')}", position.sequence))
        action = record.get("event.action")
        if action in _SEALING and NOTE_KEY not in line:
            raise _StopError(self._finding("EDITED", "a checkpoint record without its checkpoint", position.sequence))
        if action not in _SEALING and action != "audit.opened":
            self.own_records.append((position.sequence, record))

    def _seal(self, line: bytes, position: Position) -> None:
        """Check a checkpoint: its own bytes, its signature and key, its size and root."""
        here = position.sequence
        split = split_sealed(line)
        if split is None:
            raise _StopError(self._finding("EDITED", "a checkpoint record in another spelling", here))
        head, note = split
        at = line[15:_TIME_END].decode("ascii", "replace")
        checkpoint, signed_by = self._opened(note, at, here)
        if not is_bound(head, checkpoint):
            raise _StopError(self._finding("EDITED", "the checkpoint was signed for another record", here, at=at))
        if signed_by is not None and not iso(signed_by.not_before) <= at <= _end_of(signed_by):
            detail = f"{signed_by.vkey} did not count then"
            raise _StopError(self._finding("KEY_OUT_OF_RANGE", detail, here, at=at))
        if checkpoint.origin != self.origin:
            raise _StopError(self._finding("SPLICED", f"a checkpoint of {checkpoint.origin}", here, at=at))
        if checkpoint.size != here or checkpoint.root != position.edge.root():
            detail = "the records are not those under the signed checkpoint"
            raise _StopError(self._finding("EDITED", detail, self.report.sealed_size, here - 1, at=at))

    def _opened(self, note: str, at: str, here: int) -> tuple[Checkpoint, VerifierKey | None]:
        """The checkpoint and the trusted key that signed it; no key where none is known for this node."""
        try:
            text, signed_by = open_note(note, self._keys)
            return parse_checkpoint(text), signed_by
        except NoteError as exc:
            kind, detail = exc.kind, str(exc)
        if kind == "UNKNOWN_KEY" and not self._keys:
            self.is_unknown_key = True
            try:
                return parse_checkpoint(split_note(note)[0]), None
            except NoteError as exc:
                kind, detail = exc.kind, str(exc)
        kind = "EDITED" if kind == "MALFORMED" else "BAD_SIGNATURE"
        raise _StopError(self._finding(kind, detail, here, at=at))

    def _diagnose(self, line: bytes, lines: "_Lines", position: Position) -> Finding:
        """Say what is wrong with a record that does not follow the one before."""
        here = position.sequence
        record = _parsed(line)
        if self.report.is_closed:
            return self._finding("EDITED", "a record follows audit.closed", here)
        if here > 0 and self._last and _parsed(self._last) is None:
            self._line -= 1  # only the beginning of the line before was looked at: it was cut in two, or joined
            return self._finding("EDITED", "the record was changed", here - 1)
        if record is None:
            return self._finding("EDITED", "not a record", here)
        sequence, prev = record.get("event.sequence"), record.get("gateway.prev")
        at = str(record.get("@timestamp", ""))
        if record.get("gateway.writer") != self.writer:
            return self._finding("SPLICED", f"a record of {record.get('gateway.writer')}", here, at=at)
        if prev == position.prev:
            return self._finding("EDITED", "the record was changed", here, at=at)
        if not isinstance(sequence, int) or sequence == here:
            return self._edited_before_or_here(line, lines, here, at)
        if sequence < here or lines.holds(b',"event.sequence":%d,' % here):
            return self._finding(
                "REORDERED", f"record {sequence} stands where {here} belongs", min(here, sequence), at=at
            )
        return self._finding("GAP", f"{sequence - here} records are gone", here, sequence - 1, at=at)

    def _edited_before_or_here(self, line: bytes, lines: "_Lines", here: int, at: str) -> Finding:
        """The hash before does not fit: either the record before was changed, or this one. The next record tells."""
        following = _parsed(lines.peek().rstrip(b"\n"))
        is_genuine = following is not None and following.get("gateway.prev") == b64(leaf_hash(line))
        if not is_genuine and NOTE_KEY in line:
            is_genuine = self._is_genuine_seal(line)
        if is_genuine and here > 0:
            self._line -= 1
            return self._finding("EDITED", "the record was changed", here - 1)
        return self._finding("EDITED", "the record was changed", here, at=at)

    def _is_genuine_seal(self, line: bytes) -> bool:
        split = split_sealed(line)
        if split is None:
            return False
        try:
            text, _ = open_note(split[1], self._keys)
            return is_bound(split[0], parse_checkpoint(text))
        except NoteError:
            return False

    def _finding(self, kind: str, detail: str, sequence: int, until: int = -1, at: str = "") -> Finding:
        return Finding(kind, self.writer, detail, self._segment, self._line, sequence, until, at)


class _Lines:
    """Lines with a bounded look ahead."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._ahead: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        yield from self._lines

    def rest(self) -> Iterator[bytes]:
        """What is left."""
        return self._lines

    def peek(self) -> bytes:
        """The next line, or nothing."""
        if not self._ahead:
            self._ahead.append(next(self._lines, b""))
        return self._ahead[0]

    def holds(self, text: bytes) -> bool:
        """Does one of the next lines hold the text?"""
        while len(self._ahead) < _LOOK_AHEAD and (line := next(self._lines, b"")):
            self._ahead.append(line)
        return any(text in line for line in self._ahead)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _holds_whole_object(line: bytes) -> bool:
    """Does the torn line hold a whole record and then something else? No crash leaves that."""
    return _parsed(line) is None and any(
        _parsed(line[:end]) is not None for end in range(len(line) - 1, max(0, len(line) - 9), -1)
    )


def _end_of(key: VerifierKey) -> str:
    return "9999-12-31T23:59:59.999999Z" if key.not_after > 253_402_300_799 else iso(key.not_after)
