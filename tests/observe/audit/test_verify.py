"""What writers say about each other, and what is known from outside:
rotation, faults, crashes, peers, pruning, new keys.
"""

from pathlib import Path

import orjson
import pytest

from gateway.observe.audit import records
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.findings import Report
from gateway.observe.audit.ledger import validity
from gateway.observe.audit.notes import FOREVER
from gateway.observe.audit.plain import Value
from gateway.observe.audit.records import sealing
from gateway.observe.audit.recovery import find_remains
from gateway.observe.audit.verify import verify
from tests.observe.audit.making import START, Hand, Made, key, lines_of, settings_for, trusting


def kinds(report: Report) -> list[str]:
    return [item.kind for item in report.findings]


def rotated(directory: Path, segments: int = 3) -> Made:
    """A closed log of several segments."""
    made = Made(directory, settings=settings_for(directory, segment_max_bytes=4_000))
    for _ in range(segments - 1):
        while made.ledger._live is None or made.ledger._live.valid_bytes < 4_000:
            made.add(1, seconds=0.3)
        made.ledger.tick()
    return made.add(3).close()


def test_a_log_of_several_segments_is_intact(tmp_path: Path) -> None:
    made = rotated(tmp_path)
    assert len(made.segments) == 3
    report = verify([tmp_path], trusting())
    assert (report.verdict, kinds(report)) == ("intact", [])


def test_a_verifier_may_begin_at_any_segment(tmp_path: Path) -> None:
    made = rotated(tmp_path)
    since = orjson.loads(lines_of(made.segments[2].path)[0])["@timestamp"]
    report = verify([tmp_path], trusting(since=since))
    assert report.verdict == "intact"
    assert report.writers[0].first == orjson.loads(lines_of(made.segments[2].path)[0])["event.sequence"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_segment_that_is_gone_is_missing(tmp_path: Path, which: int) -> None:
    made = rotated(tmp_path)
    made.segments[which].path.unlink()
    report = verify([tmp_path], trusting())
    assert kinds(report)[0] == "MISSING"
    assert report.exit_code == 5


def test_the_last_segment_gone_shows_against_an_anchor(tmp_path: Path) -> None:
    made = rotated(tmp_path)
    anchor = orjson.loads(lines_of(made.segments[2].path)[-1])["gateway.checkpoint.note"]
    made.segments[2].path.unlink()
    assert verify([tmp_path], trusting(anchors=[anchor])).findings[0].kind == "TRUNCATED"


def test_a_line_added_to_a_finished_segment_is_found(tmp_path: Path) -> None:
    made = rotated(tmp_path)
    made.segments[0].path.write_bytes(made.segments[0].path.read_bytes() + b"{}\n")
    assert kinds(verify([tmp_path], trusting())) == ["EDITED"]


def test_segments_may_be_gzipped(tmp_path: Path) -> None:
    import gzip

    made = rotated(tmp_path)
    first = made.segments[0].path
    (tmp_path / f"{first.name}.gz").write_bytes(gzip.compress(first.read_bytes()))
    first.unlink()
    assert verify([tmp_path], trusting()).verdict == "intact"


def test_a_forged_segment_cannot_void_signed_records(tmp_path: Path) -> None:
    honest = Made(tmp_path).add(9, seconds=0.5).close()
    lines = lines_of(honest.path)
    forger = Made(tmp_path / "forged", seed=2).add(2, seconds=0.5)
    forger.ledger.position = type(honest.ledger.position).start(honest.ledger.origin)
    for line in lines[:3]:
        forger.ledger.position.advance(line[:-1])
    forger.ledger._previous = (honest.path.name, sum(map(len, lines[:3])))
    forger.ledger._cause, forger.ledger._next_index = "fault", 1
    forger.crash()
    forger.ledger.append([])
    forged = forger.crash().segments[-1].path
    without_seal = b"".join(line for line in lines_of(forged) if b"checkpoint.note" not in line)
    (tmp_path / forged.name).write_bytes(without_seal)
    report = verify([tmp_path], trusting())
    assert "FORKED" in kinds(report)
    assert report.exit_code == 5


def test_a_crashed_log_that_a_later_writer_declared_is_proved(tmp_path: Path) -> None:
    crashed = Made(tmp_path).add(3, seconds=0.01).crash()
    assert verify([tmp_path], trusting()).verdict == "unproved"
    remains = find_remains([tmp_path], FileSystem(), "")
    assert [item.writer for item in remains] == [crashed.writer]
    Made(tmp_path, hand=Hand(START + 60)).write([item.record(START + 60) for item in remains]).close()
    report = verify([tmp_path], trusting())
    assert (report.verdict, kinds(report)) == ("intact", ["RECOVERED"])


@pytest.mark.parametrize(("change", "kind"), [("cut", "TRUNCATED"), ("longer", "FORKED"), ("edit", "FORKED")])
def test_a_crashed_log_that_changed_after_it_was_declared_is_tampered(tmp_path: Path, change: str, kind: str) -> None:
    crashed = Made(tmp_path).add(3, seconds=0.01)
    longer = b""
    if change == "longer":
        before = len(crashed.path.read_bytes())
        crashed.add(1, seconds=0.01)
        longer = crashed.path.read_bytes()
        crashed.path.write_bytes(longer[:before])
    crashed.crash()
    [remains] = find_remains([tmp_path], FileSystem(), "")
    Made(tmp_path, hand=Hand(START + 60)).write([remains.record(START + 60)]).close()
    lines = lines_of(crashed.path)
    if change == "cut":
        crashed.path.write_bytes(b"".join(lines[:-1]))
    elif change == "edit":
        crashed.path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(b'"POST"', b'"PUT"')]))
    else:
        crashed.path.write_bytes(longer)
    report = verify([tmp_path], trusting())
    assert kind in kinds(report)
    assert report.exit_code == 5


def test_a_writer_that_a_peer_witnessed_cannot_vanish_or_be_rewritten(tmp_path: Path) -> None:
    first = Made(tmp_path, tag=b"\0\0\0\1").add(9, seconds=0.5).close()
    note = orjson.loads(lines_of(first.path)[-1])["gateway.checkpoint.note"]
    Made(tmp_path, tag=b"\0\0\0\2").write([sealing("audit.peers", START, {"gateway.peers": [note]})]).close()
    assert verify([tmp_path], trusting()).verdict == "intact"
    whole = first.path.read_bytes()
    first.path.unlink()
    report = verify([tmp_path], trusting())
    assert kinds(report) == ["MISSING"]
    Made(tmp_path, tag=b"\0\0\0\1").add(30, seconds=0.4).close()
    assert "FORKED" in kinds(verify([tmp_path], trusting()))
    assert whole


def test_an_anchor_that_nobody_trusted_signed_proves_nothing(tmp_path: Path) -> None:
    made = Made(tmp_path).add(3).close()
    foreign = Made(tmp_path / "foreign", seed=7).add(3).close()
    note = orjson.loads(lines_of(foreign.path)[-1])["gateway.checkpoint.note"]
    assert verify([made.path], trusting(anchors=[note])).verdict == "unproved"


def test_strict_wants_an_anchor(tmp_path: Path) -> None:
    made = Made(tmp_path).add(3).close()
    assert kinds(verify([tmp_path], trusting(strict=True))) == ["NO_ANCHOR"]
    note = orjson.loads(lines_of(made.path)[-1])["gateway.checkpoint.note"]
    assert verify([tmp_path], trusting(strict=True, anchors=[note])).verdict == "intact"


def test_the_old_key_leads_to_the_new_one(tmp_path: Path) -> None:
    begins, ends = validity(START, FOREVER)
    fields: dict[str, Value] = {
        "gateway.key.next_vkey": key(2).vkey,
        "gateway.key.not_before": begins,
        "gateway.key.not_after": ends,
    }
    Made(tmp_path, tag=b"\0\0\0\1").write([sealing("audit.key", START, fields)]).close()
    Made(tmp_path, tag=b"\0\0\0\2", seed=2, hand=Hand(START + 60)).add(3).close()
    assert verify([tmp_path], trusting(key(1))).verdict == "intact"


def test_a_new_key_that_the_old_one_did_not_name_is_refused(tmp_path: Path) -> None:
    Made(tmp_path, tag=b"\0\0\0\1").add(1).close()
    Made(tmp_path, tag=b"\0\0\0\2", seed=2, hand=Hand(START + 60)).add(3).close()
    assert kinds(verify([tmp_path], trusting(key(1)))) == ["BAD_SIGNATURE"]


def test_declared_gaps_and_summaries_are_information(tmp_path: Path) -> None:
    gap: dict[str, Value] = {
        "gateway.gap.count": 5,
        "gateway.gap.first": "a",
        "gateway.gap.last": "b",
        "event.reason": "queue_full",
    }
    Made(tmp_path).write([sealing("audit.gap", START, gap), records.gateway_stopping(at=START, pid=1)]).close()
    report = verify([tmp_path], trusting())
    assert (report.verdict, kinds(report)) == ("intact", ["GAP_DECLARED"])


def test_a_file_that_is_no_segment_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(FileNotFoundError):
        verify([tmp_path / "x.txt"], trusting())
