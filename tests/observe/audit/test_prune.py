"""Retention: what goes is declared first, and what is left still verifies."""

from pathlib import Path

from gateway.observe.audit.prune import find_prunable, prune
from gateway.observe.audit.pseudonyms import KeyRing
from gateway.observe.audit.verify import verify
from tests.observe.audit.making import START, Hand, Made, settings_for, trusting

DAY = 86_400.0


def old_and_new(directory: Path) -> Made:
    made = Made(directory, settings=settings_for(directory, segment_max_age_s=DAY)).add(3)
    for _ in range(2):
        made.hand.move(DAY + 1)
        made.ledger.tick()
        made.add(3)
    made.hand.move(0.2 * DAY)
    return made.add(1).close()


def test_old_segments_go_and_the_rest_verifies(tmp_path: Path) -> None:
    made = old_and_new(tmp_path)
    settings = settings_for(tmp_path, retention_days=1)
    now = START + 3.1 * DAY
    gone = prune(settings, now).segments
    assert gone == [f"{made.writer}.000000.jsonl", f"{made.writer}.000001.jsonl"]
    assert len(made.segments) == 1
    report = verify([tmp_path], trusting())
    assert (report.verdict, [item.kind for item in report.findings]) == ("intact", ["PRUNED"])


def test_a_whole_log_that_was_witnessed_may_be_pruned(tmp_path: Path) -> None:
    made = old_and_new(tmp_path)
    note = made.ledger.position
    assert note.sequence > 0
    from gateway.observe.audit.recovery import latest_notes

    anchors = latest_notes([tmp_path], "")
    prune(settings_for(tmp_path, retention_days=1), START + 40 * DAY)
    assert made.segments == []
    report = verify([tmp_path], trusting(anchors=anchors))
    assert (report.verdict, [item.kind for item in report.general]) == ("intact", ["PRUNED"])


def test_pruning_by_hand_is_missing(tmp_path: Path) -> None:
    made = old_and_new(tmp_path)
    made.segments[0].path.unlink()
    assert verify([tmp_path], trusting()).exit_code == 5


def test_nothing_young_living_or_unreadable_goes(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, retention_days=1)
    living = Made(tmp_path, tag=b"\0\0\0\1").add(3)
    broken = Made(tmp_path, tag=b"\0\0\0\2").add(3).close()
    broken.path.write_bytes(b"{}\n" + broken.path.read_bytes())
    young = Made(tmp_path, tag=b"\0\0\0\3", hand=Hand(START + 40 * DAY)).add(3).close()
    assert find_prunable(settings, START + 40 * DAY + 60) == []
    assert living.segments
    assert young.segments
    living.crash()
    assert prune(settings, START + 40 * DAY).segments == []


def test_the_keys_of_that_time_go_too(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    ring.pseudonym("s", "u", START)
    ring.pseudonym("s", "u", START + 40 * DAY)
    assert prune(settings_for(tmp_path, retention_days=1), START + 41 * DAY).epochs == ["user-202611"]
    assert KeyRing(tmp_path / "keys").epochs() == ["user-202612"]
    assert verify([tmp_path], trusting()).verdict == "intact"
