"""Searching and counting the log: all writers as one stream by time, filtered; nothing is changed, nothing is verified.

Constant memory. Leaves output forms to export.py and proof to verify.py. The rule: a line that is no record is passed
over and told, so that nobody can make a log unreadable by spoiling a line of it.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from gateway.observe.audit.actions import ACTIONS
from gateway.observe.audit.fields import COMMON, FIELDS
from gateway.observe.audit.plan import plan_of
from gateway.observe.audit.records import iso
from gateway.observe.audit.segments import SegmentFile, by_writer, find_segments, read_lines
from gateway.observe.audit.times import parse_time

_TIME = slice(15, 42)  # `{"@timestamp":"` and 27 characters
_BEGINNING = b'{"@timestamp":"'
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "strings": list,
}  # fmt: skip
_GIVING = frozenset({"session.issued", "token.minted"})


class Found(NamedTuple):
    """One record and its place."""

    at: str
    writer: str
    sequence: int
    line: bytes
    document: dict[str, Any]


Ranked = tuple[str, str, int, Found]
Strange = Callable[[Path], None]
"""Hears of a line that is no record, by its file."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a record must be. An empty filter lets everything through; several values of one field mean: one of them."""

    actions: frozenset[str] = frozenset()
    outcome: str | None = None
    reasons: frozenset[str] = frozenset()
    site: str | None = None
    users: frozenset[str] = frozenset()
    refs: frozenset[str] = frozenset()
    backends: frozenset[str] = frozenset()
    trace: str | None = None
    request: str | None = None
    conversation: str | None = None
    since: float | None = None
    until: float | None = None

    def admits(self, document: Mapping[str, Any]) -> bool:
        """Is this record one of those asked for? Times are judged elsewhere."""
        get = document.get
        return (
            (not self.actions or get("event.action") in self.actions)
            and (self.outcome is None or get("event.outcome") == self.outcome)
            and (not self.reasons or get("event.reason", get("error.type")) in self.reasons)
            and (self.site is None or get("gateway.site") == self.site)
            and (not self.users or get("user.id") in self.users)
            and (not self.refs or self._names_ref(document))
            and (not self.backends or get("gateway.backend") in self.backends)
            and (self.trace is None or get("trace.id") == self.trace)
            and (self.request is None or get("http.request.id") == self.request)
            and (self.conversation is None or self._names_conversation(document))
        )

    def _names_ref(self, document: Mapping[str, Any]) -> bool:
        one_of = {document.get(name) for name in ("gateway.ref.token", "gateway.ref.session", "gateway.conversation")}
        summed = (document.get(f"gateway.aggregate.{name}", ()) for name in ("tokens", "conversations"))
        return not self.refs.isdisjoint(one_of.union(*summed))

    def _names_conversation(self, document: Mapping[str, Any]) -> bool:
        listed = document.get("gateway.aggregate.conversations", ())
        return self.conversation == document.get("gateway.conversation") or self.conversation in listed

    def __str__(self) -> str:
        """The filter as the record of the search shows it; a person is never named, only how many pseudonyms were
        asked for.
        """
        said = [f"action={item}" for item in sorted(self.actions)] + [f"reason={item}" for item in sorted(self.reasons)]
        said += [f"backend={item}" for item in sorted(self.backends)]
        said += [
            f"{name}={value}" for name in ("outcome", "site", "trace", "request") if (value := getattr(self, name))
        ]
        said += [f"{name}={len(value)}" for name in ("users", "refs") if (value := getattr(self, name))]
        said += ["conversation=1"] if self.conversation else []
        said += [f"{name}={iso(value)}" for name in ("since", "until") if (value := getattr(self, name)) is not None]
        return " ".join(said) or "everything"


def search(paths: Iterable[Path], wanted: Filter, strange: Strange = lambda path: None) -> Iterator[Found]:
    """Yield the records asked for, by time, then writer, then sequence; raises OSError. `strange` hears of each whole
    line that is no record, by its file.
    """
    since = "" if wanted.since is None else iso(wanted.since)
    until = "~" if wanted.until is None else iso(wanted.until)
    writers = by_writer(find_segments(paths)).values()
    streams = [_of_writer(segments, wanted, since, until, strange) for segments in writers]
    return (found for *_, found in heapq.merge(*streams))


def deeds(paths: Iterable[Path], given: Sequence[Found]) -> Iterator[Found]:
    """Yield what was done by those who held what these records gave out, and these records; raises OSError.

    Of a session: all that it did, with whichever of its handles. Of a backend: all that it did while the handle was
    good, with whichever of its credentials. Records name the caller and not the handle that it came with.
    """
    places = {(one.writer, one.sequence) for one in given}
    giving = [one.document for one in given if one.document["event.action"] in _GIVING]
    sessions = {ref for document in giving if (ref := document.get("gateway.ref.session")) is not None}
    lives = [
        (document["gateway.backend"], document["@timestamp"], document["gateway.token.expires"])
        for document in giving
        if "gateway.backend" in document
    ]
    for found in search(paths, Filter()):
        caller = found.document.get("gateway.backend")
        if (
            (found.writer, found.sequence) in places
            or found.document.get("gateway.ref.session") in sessions
            or any(caller == backend and begins <= found.at <= ends for backend, begins, ends in lives)
        ):
            yield found


def _of_writer(
    segments: Sequence[SegmentFile], wanted: Filter, since: str, until: str, strange: Strange
) -> Iterator[Ranked]:
    """Yield one writer's records in their own order, each with the latest time seen so far:
    clocks and queues may step back.
    """
    latest = ""
    plan = plan_of(segments)
    ends = {step.segment: step.end for step in plan.steps}
    for segment in segments:
        if segment in plan.void:
            continue
        end, offset = ends.get(segment), 0
        for line in read_lines(segment.path):
            if end is not None and offset >= end:
                break  # void after a fault: the same records stand in the next segment
            offset += len(line)
            at = line[_TIME].decode("ascii", "replace")
            if line.startswith(_BEGINNING) and not since <= at <= until:
                continue
            found = parsed(line.rstrip(b"\n"))
            if found is None:
                if line.endswith(b"\n"):  # without one: torn by a crash
                    strange(segment.path)
            elif wanted.admits(found.document):
                latest = max(latest, at)
                yield latest, found.writer, found.sequence, found


def parsed(line: bytes) -> Found | None:
    """Return a line as a record, or None when it is none: torn, or spoilt by somebody."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or not _is_record(document):
        return None
    return Found(
        document["@timestamp"], document["gateway.writer"], document["event.sequence"], line, document
    )  # fmt: skip


def _is_record(document: Mapping[str, Any]) -> bool:
    """Has it what each record and its kind of record must have, every field of the type of the table, and a moment?"""
    action = document.get("event.action")
    row = ACTIONS.get(action) if isinstance(action, str) else None
    if row is None or not (COMMON.keys() <= document.keys() and document.keys() >= set(row.needs)):
        return False
    for name, value in document.items():
        field = FIELDS.get(name)
        if field is None:
            continue
        if not isinstance(value, _TYPES[field.kind]):
            return False
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            return False
    try:
        parse_time(document["@timestamp"])
    except ValueError:
        return False
    return True


GROUPS = {"action": "event.action", "reason": "event.reason", "site": "gateway.site", "route": "gateway.route",
          "outcome": "event.outcome", "status": "http.response.status_code", "writer": "gateway.writer"}  # fmt: skip


def count(found: Iterable[Found], by: Sequence[str], bucket_s: int | None) -> list[tuple[tuple[str, ...], int]]:
    """Return how many records fall under each combination of groups (names of GROUPS), by time bucket when one is
    given.
    """
    totals: Counter[tuple[str, ...]] = Counter()
    for item in found:
        key = tuple(str(item.document.get(GROUPS[name], "")) for name in by)
        totals[(_bucket(item.at, bucket_s), *key) if bucket_s else key] += 1
    return sorted(totals.items())


def _bucket(at: str, bucket_s: int) -> str:
    return iso(parse_time(at) // bucket_s * bucket_s)[:19] + "Z"
