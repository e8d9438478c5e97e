"""In which order a writer's segments are read, from where to where: what each header says about the segment before it.

Reads first lines only. Leaves every hash and signature to walk.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.observe.audit.chain import Position
from gateway.observe.audit.findings import Finding
from gateway.observe.audit.recovery import start_of
from gateway.observe.audit.segments import DAMAGED, SegmentFile, first_line

_FAULTS = frozenset(("fault", "unlinked"))


@dataclass(frozen=True, slots=True)
class Step:
    """One segment to read: from its beginning to `end` bytes (None: to the end of the file)."""

    segment: SegmentFile
    header: dict[str, Any]
    start: Position
    end: int | None = None
    is_rest_void: bool = False


@dataclass(slots=True)
class Plan:
    """The steps in order, the segments that are void by declaration, and what is already known to be wrong."""

    steps: list[Step]
    void: list[SegmentFile]
    findings: list[Finding]
    is_head_missing: bool = False


def plan_of(segments: Sequence[SegmentFile], since: str = "") -> Plan:
    """Return how to read one writer's segments; with `since` those that ended before are left out. Raises OSError."""
    plan = Plan([], [], [])
    headers = _headers(segments, plan)
    if not headers:
        return plan
    by_name = {segment.name: (segment, header, start) for segment, header, start in headers}
    segment, header, start = headers[-1]
    plan.steps.append(Step(segment, header, start))
    while (name := header.get("gateway.segment.previous")) is not None:
        end, cause = header.get("gateway.segment.previous_bytes"), header.get("gateway.segment.cause")
        if name not in by_name or by_name[name][0].index >= segment.index:
            plan.is_head_missing = True
            break
        if since and str(header.get("@timestamp", "")) <= since:
            break
        older = by_name[name]
        plan.void += [item for item, _, _ in headers if older[0].index < item.index < segment.index]
        segment, header, start = older
        plan.steps.append(Step(segment, header, start, end if isinstance(end, int) else 0, cause in _FAULTS))
    plan.steps.reverse()
    read = {step.segment for step in plan.steps} | set(plan.void)
    if plan.is_head_missing:
        plan.void = [item for item in plan.void if item in read]
        first = plan.steps[0]
        stranded = [item for item, _, _ in headers if item.index < first.segment.index]
        if stranded:
            plan.findings.append(Finding("MISSING", first.segment.writer,
                f"the segment before {first.segment.name} is gone",
                                         first.segment.name, 1, first.start.sequence))  # fmt: skip
    return plan


def _headers(segments: Sequence[SegmentFile], plan: Plan) -> list[tuple[SegmentFile, dict[str, Any], Position]]:
    found: list[tuple[SegmentFile, dict[str, Any], Position]] = []
    for number, segment in enumerate(segments):
        line = first_line(segment.path)
        try:
            start = start_of(line.rstrip(b"\n"))
        except ValueError:
            is_torn = not line.endswith((b"\n", DAMAGED)) and number == len(segments) - 1
            kind = "TORN_TAIL" if is_torn else "EDITED"
            plan.findings.append(Finding(kind, segment.writer, "the first line is no whole header", segment.name, 1))
            continue
        header = orjson.loads(line)
        found.append((segment, header, start))
    return found
