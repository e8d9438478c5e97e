"""Verification of one or many writers: every log by itself, then what they say about each other, then the anchors
from outside.

Leaves records to walk.py. Rule: nothing is believed for standing in the directory;
keys and anchors come from the caller,
notes are believed for their signatures, claims about others for standing under a verified checkpoint.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.findings import Finding, Report, WriterReport
from gateway.observe.audit.notes import (
    NoteError,
    VerifierKey,
    b64,
    open_note,
    parse_checkpoint,
    parse_vkey,
    unb64,
)
from gateway.observe.audit.plan import Plan, plan_of
from gateway.observe.audit.segments import SegmentFile, by_writer, find_segments, read_lines
from gateway.observe.audit.times import parse_time
from gateway.observe.audit.walk import Walk

_PEERS = b'"event.action":"audit.peers"'
_DECLARED = {"audit.gap": "GAP_DECLARED", "audit.suppressed": "SUPPRESSED"}


@dataclass(slots=True)
class _Claims:
    """What sealed records say about other writers."""

    recovered: dict[str, dict[str, Any]] = field(default_factory=dict)
    pruned: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller trusts and asks: keys, notes from outside, a beginning, and whether an anchor is demanded."""

    keys: Sequence[VerifierKey] = ()
    anchors: Sequence[str] = ()
    since: str = ""
    strict: bool = False
    is_live: Callable[[Path], bool] = field(default=lambda path: not FileSystem().is_abandoned(path))


def verify(paths: Iterable[Path], options: Options) -> Report:
    """Verify all segments in the directories and files; raises OSError when they cannot be read."""
    report = Report()
    groups = by_writer(find_segments(paths))
    plans = {writer: plan_of(segments, options.since) for writer, segments in groups.items()}
    keys = list(options.keys)
    heads = _heads(groups, options, keys, report)
    claims = _Claims()
    for writer in sorted(groups, key=lambda name: name.rsplit("-", 2)[1:]):
        plan = plans[writer]
        walk = Walk(writer, _deployment_of(plan), keys, heads.pop(writer, {}))
        found = walk.run(plan)
        report.writers.append(found)
        _collect(walk, claims, keys)
        _judge_tail(walk, groups[writer], options)
    for found in report.writers:
        _judge_claims(found, plans[found.writer], claims, options)
    for writer, roots in heads.items():
        _judge_absent(writer, max(roots), claims, report)
    if options.strict and not options.anchors:
        report.general.append(
            Finding("NO_ANCHOR", "", "no anchor was given: a cut tail or a rewrite with the key would not show")
        )
    return report


def _deployment_of(plan: Plan) -> str:
    return str(plan.steps[0].header.get("gateway.deployment", "")) if plan.steps else ""


def _heads(
    groups: Mapping[str, Sequence[SegmentFile]], options: Options, keys: Sequence[VerifierKey], report: Report
) -> dict[str, dict[int, bytes]]:
    """Return for each writer the roots that somebody witnessed, by size; a contradiction among them is FORKED."""
    heads: dict[str, dict[int, bytes]] = defaultdict(dict)
    for note in options.anchors:
        _witness(note, keys, heads, report, is_given=True)
    for segments in groups.values():
        for segment in segments:
            for line in read_lines(segment.path):
                if _PEERS in line:
                    for note in _peer_notes(line):
                        _witness(note, keys, heads, report, is_given=False)
    return heads


def _peer_notes(line: bytes) -> list[str]:
    try:
        peers = orjson.loads(line).get("gateway.peers", [])
    except orjson.JSONDecodeError:
        return []
    return [note for note in peers if isinstance(note, str)] if isinstance(peers, list) else []


def _witness(
    note: str, keys: Sequence[VerifierKey], heads: dict[str, dict[int, bytes]], report: Report, *, is_given: bool
) -> None:
    try:
        text, key = open_note(note, keys)
        point = parse_checkpoint(text)
    except NoteError as exc:
        if is_given:
            report.general.append(Finding("UNKNOWN_KEY", "", f"an anchor cannot be used: {exc}"))
        return
    writer = point.origin.rpartition("/")[2]
    if not point.origin.startswith(f"{key.name}-"):
        report.general.append(Finding("BAD_SIGNATURE", writer, f"{key.name} signed a head of {point.origin}"))
        return
    known = heads[writer].setdefault(point.size, point.root)
    if known != point.root:
        report.general.append(
            Finding("FORKED", writer, f"two heads of size {point.size} were signed", sequence=point.size - 1)
        )


def _collect(walk: Walk, claims: _Claims, keys: list[VerifierKey]) -> None:
    """Take over what this log says about others, as far as it stands under a verified checkpoint."""
    report = walk.report
    for sequence, record in walk.own_records:
        action = record["event.action"]
        if action in _DECLARED:
            report.findings.append(_declared(report.writer, sequence, record))
        if sequence >= report.sealed_size or walk.is_unknown_key:
            continue
        if action == "audit.recovered":
            claims.recovered[record["gateway.recovered.writer"]] = record
        elif action == "audit.pruned":
            claims.pruned[record["gateway.pruned.writer"], record["gateway.pruned.segment"]] = record
        elif action == "audit.key" and walk.origin.startswith(f"{_node_key_name(walk)}-"):
            _trust_next(record, _node_key_name(walk), keys)


def _node_key_name(walk: Walk) -> str:
    return walk.origin.rsplit("-", 2)[0]


def _trust_next(record: Mapping[str, Any], name: str, keys: list[VerifierKey]) -> None:
    """The old key names the next one of the same node."""
    try:
        key = parse_vkey(record["gateway.key.next_vkey"], parse_time(record["gateway.key.not_before"]),
                         parse_time(record["gateway.key.not_after"]))  # fmt: skip
    except (NoteError, ValueError):
        return
    if key.name == name and all(key.key_id != known.key_id or key.name != known.name for known in keys):
        keys.append(key)


def _declared(writer: str, sequence: int, record: Mapping[str, Any]) -> Finding:
    action = record["event.action"]
    count = record.get("gateway.gap.count", record.get("gateway.suppressed.count"))
    return Finding(
        _DECLARED[action], writer, f"{count} records, declared", sequence=sequence, at=str(record["@timestamp"])
    )


def _judge_tail(walk: Walk, segments: Sequence[SegmentFile], options: Options) -> None:
    report = walk.report
    if report.is_tampered:
        return
    if walk.is_unknown_key:
        report.findings.append(Finding("UNKNOWN_KEY", report.writer, "no trusted key for this node: give --vkey"))
    if report.is_closed:
        return
    if options.is_live(segments[-1].path):
        report.findings.append(Finding("LIVE", report.writer, "the writer is running", sequence=report.sealed_size))
    elif report.size > report.sealed_size:
        report.findings.append(Finding("UNSEALED_TAIL", report.writer, "records under no checkpoint",
            sequence=report.sealed_size,
                                       until=report.size - 1))  # fmt: skip


def _judge_claims(found: WriterReport, plan: Plan, claims: _Claims, options: Options) -> None:
    """Hold a writer's log against what later writers said about it."""
    claim = claims.recovered.get(found.writer)
    if claim is not None and not found.is_tampered:
        _judge_recovered(found, claim)
    if plan.is_head_missing and plan.steps and not found.is_tampered:
        _judge_head(found, plan, claims)


def _judge_recovered(found: WriterReport, claim: Mapping[str, Any]) -> None:
    size, root = claim["gateway.recovered.size"], claim["gateway.recovered.root"]
    if found.size < size:
        found.findings.append(Finding("TRUNCATED", found.writer,
            f"{size} records were found after the crash, {found.size} are left",
                                      sequence=found.size))  # fmt: skip
    elif found.size > size or b64(found.root) != root:
        found.findings.append(Finding("FORKED", found.writer, "not the records that were found after the crash",
                                      sequence=found.sealed_size, until=found.size - 1))  # fmt: skip
    else:
        found.findings = [item for item in found.findings if item.kind != "UNSEALED_TAIL"]
        found.findings.append(
            Finding("RECOVERED", found.writer, "the tail was witnessed by a later writer", sequence=found.size)
        )


def _judge_head(found: WriterReport, plan: Plan, claims: _Claims) -> None:
    """Are the segments before the first one there declared pruned, and do they lead up to it?"""
    first = plan.steps[0]
    index = int(first.header["gateway.segment.previous"].rsplit(".", 2)[1])
    claim = claims.pruned.get((found.writer, index))
    fits = (
        claim is not None
        and claim["gateway.pruned.last"] + 1 == first.start.sequence
        and unb64(claim["gateway.pruned.leaf"]) == first.start.leaf
    )
    if fits:
        found.findings.append(
            Finding("PRUNED", found.writer, f"segments up to {index}", sequence=0, until=first.start.sequence - 1)
        )
    else:
        found.findings.append(Finding("MISSING", found.writer, f"the segment before {first.segment.name} is gone",
                                      first.segment.name, 1, 0, first.start.sequence - 1))  # fmt: skip


def _judge_absent(writer: str, size: int, claims: _Claims, report: Report) -> None:
    """A writer that was witnessed and is not there."""
    last = max(
        (claim["gateway.pruned.last"] for (name, _), claim in claims.pruned.items() if name == writer), default=-1
    )
    if last + 1 >= size:
        report.general.append(Finding("PRUNED", writer, "the whole log", sequence=0, until=last))
    else:
        report.general.append(Finding("MISSING", writer, f"a log of {size} records is gone", sequence=last + 1))
