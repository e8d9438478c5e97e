"""Which segments are read, and how far."""

from pathlib import Path

from gateway.observe.audit.plan import plan_of
from tests.observe.audit.making import Made, lines_of, settings_for


def made_of_three(directory: Path) -> Made:
    made = Made(directory, settings=settings_for(directory, segment_max_bytes=3_000))
    for _ in range(2):
        made.add(4, seconds=0.3)
        made.ledger.tick()
    return made.add(2).close()


def test_every_segment_but_the_last_has_its_end(tmp_path: Path) -> None:
    made = made_of_three(tmp_path)
    plan = plan_of(made.segments)
    assert [step.end for step in plan.steps] == [
        made.segments[0].path.stat().st_size,
        made.segments[1].path.stat().st_size,
        None,
    ]
    assert (plan.void, plan.findings, plan.is_head_missing) == ([], [], False)


def test_a_missing_head_is_told_apart_from_a_missing_middle(tmp_path: Path) -> None:
    made = made_of_three(tmp_path)
    first, _, last = made.segments
    assert plan_of([last]).is_head_missing
    assert plan_of([last]).findings == []
    assert [item.kind for item in plan_of([first, last]).findings] == ["MISSING"]


def test_a_torn_header_is_a_crash_only_at_the_end(tmp_path: Path) -> None:
    made = made_of_three(tmp_path)
    segments = made.segments
    for which, kind in ((2, "TORN_TAIL"), (0, "EDITED")):
        data = segments[which].path.read_bytes()
        segments[which].path.write_bytes(lines_of(segments[which].path)[0][:40])
        assert [item.kind for item in plan_of(segments).findings][-1] in {kind, "MISSING"}
        assert kind in [item.kind for item in plan_of(segments).findings]
        segments[which].path.write_bytes(data)


def test_no_header_no_plan(tmp_path: Path) -> None:
    made = Made(tmp_path).add(1).close()
    made.path.write_bytes(b"")
    assert plan_of(made.segments).steps == []
