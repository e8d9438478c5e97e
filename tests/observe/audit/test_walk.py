"""Every attack on a log without its key, at every record: it is found, and at the right place."""

import re
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from gateway.observe.audit.chain import Position, leaf_hash
from gateway.observe.audit.findings import Finding, Report
from gateway.observe.audit.notes import b64
from gateway.observe.audit.verify import verify
from tests.observe.audit.making import Made, key, lines_of, trusting


def tampering(report: Report) -> list[Finding]:
    """The findings that only tampering explains."""
    return [item for item in report.findings if item.severity == "tampered"]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "log").add(14, seconds=0.3).close()


def verdict(made: Made, **more: object) -> Report:
    return verify([made.directory], trusting(**more))


def test_a_log_that_nobody_touched_is_intact(made: Made) -> None:
    report = verdict(made)
    assert (report.verdict, report.findings) == ("intact", [])
    assert report.records == len(lines_of(made.path))
    assert report.writers[0].is_closed


def test_an_edit_is_found_at_every_record(made: Made) -> None:
    lines = lines_of(made.path)
    for number, line in enumerate(lines):
        changed = re.sub(rb'"event.outcome":"success"', b'"event.outcome":"failure"', line)
        assert changed != line
        made.path.write_bytes(b"".join([*lines[:number], changed, *lines[number + 1 :]]))
        [finding] = tampering(verdict(made))
        assert finding.kind == "EDITED"
        assert (finding.sequence, finding.line) == (number, number + 1)


def test_a_removed_record_is_a_gap_at_every_place(made: Made) -> None:
    lines = lines_of(made.path)
    for number in range(1, len(lines) - 1):
        made.path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        [finding] = tampering(verdict(made))
        assert (finding.kind, finding.sequence, finding.until) == ("GAP", number, number)


def test_two_records_in_the_other_order_are_found_at_every_place(made: Made) -> None:
    lines = lines_of(made.path)
    for number in range(1, len(lines) - 1):
        made.path.write_bytes(b"".join([*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]))
        [finding] = tampering(verdict(made))
        assert (finding.kind, finding.sequence) == ("REORDERED", number)


def test_a_record_that_stands_twice_is_found_at_every_place(made: Made) -> None:
    lines = lines_of(made.path)
    for number in range(len(lines) - 1):
        made.path.write_bytes(b"".join([*lines[: number + 1], lines[number], *lines[number + 1 :]]))
        [finding] = tampering(verdict(made))
        assert (finding.kind, finding.sequence) == ("REORDERED", number)


def test_a_record_of_another_writer_is_found_at_every_place(made: Made, tmp_path: Path) -> None:
    other = Made(tmp_path / "other", tag=b"\x01\x02\x03\x04").add(14, seconds=0.3).close()
    foreign = lines_of(other.path)
    lines = lines_of(made.path)
    for number in range(1, len(lines) - 1):
        made.path.write_bytes(b"".join([*lines[:number], foreign[number], *lines[number + 1 :]]))
        [finding] = tampering(verdict(made))
        assert (finding.kind, finding.sequence) == ("SPLICED", number)


def rechained(lines: list[bytes], start: int, origin: str) -> list[bytes]:
    """The lines with every hash after `start` made to fit, as somebody without the key can do."""
    position = Position.start(origin)
    out = []
    for number, line in enumerate(lines):
        body = line[:-1]
        if number >= start:
            body = re.sub(rb'"gateway.prev":"[^"]+"', b'"gateway.prev":"%b"' % position.prev.encode(), body, count=1)
        position.advance(body)
        out.append(body + b"\n")
    return out


def test_an_edit_with_the_chain_made_to_fit_fails_at_the_next_checkpoint(made: Made) -> None:
    lines = lines_of(made.path)
    sealed = [number for number, line in enumerate(lines) if b"checkpoint.note" in line]
    for number, line in enumerate(lines):
        if number in sealed:
            continue
        changed = line.replace(b'"success"', b'"failure"')
        assert changed != line
        fitted = rechained([*lines[:number], changed, *lines[number + 1 :]], number + 1, made.ledger.origin)
        made.path.write_bytes(b"".join(fitted))
        [finding] = tampering(verdict(made))
        following = min(item for item in sealed if item > number)
        # the checkpoint's own bytes were changed too (its prev), or its root no longer fits: either way it is the first
        assert finding.kind == "EDITED"
        assert finding.sequence <= following
        assert max(finding.until, finding.sequence) >= number


def test_a_cut_tail_of_a_closed_log_is_not_proved_and_with_an_anchor_is_truncated(made: Made) -> None:
    lines = lines_of(made.path)
    [anchor] = [orjson.loads(lines[-1])["gateway.checkpoint.note"]]
    size = len(lines) - 1
    for kept in range(1, len(lines) - 1):
        made.path.write_bytes(b"".join(lines[:kept]))
        assert tampering(verdict(made)) == []
        [finding] = tampering(verdict(made, anchors=[anchor]))
        assert (finding.kind, finding.sequence) == ("TRUNCATED", kept)
        assert str(size) in finding.detail


def test_a_whole_rewrite_with_the_stolen_key_is_forked_against_an_anchor(tmp_path: Path) -> None:
    honest = Made(tmp_path / "honest").add(9).close()
    anchor = orjson.loads(lines_of(honest.path)[-1])["gateway.checkpoint.note"]
    forged = Made(tmp_path / "forged").add(30).close()
    assert forged.writer == honest.writer
    assert verify([forged.directory], trusting()).verdict == "intact"
    [finding] = tampering(verify([forged.directory], trusting(anchors=[anchor])))
    assert finding.kind == "FORKED"


def test_a_forged_key_is_a_bad_signature(tmp_path: Path) -> None:
    forged = Made(tmp_path / "log", seed=2).add(3).close()
    [finding] = tampering(verify([forged.directory], trusting()))
    assert finding.kind == "BAD_SIGNATURE"


def test_without_any_key_for_the_node_nothing_is_proved(made: Made) -> None:
    report = verify([made.directory], trusting(key(1, "test/elsewhere")))
    assert report.verdict == "unproved"
    assert [item.kind for item in report.findings] == ["UNKNOWN_KEY"]


@pytest.mark.parametrize(("begins", "ends"), [(1_795_000_100.0, float("inf")), (0.0, 1_794_999_000.0)])
def test_a_key_outside_its_time_does_not_count(made: Made, begins: float, ends: float) -> None:
    limited = type(key())(key().name, key().public_key, begins, ends)
    [finding] = tampering(verify([made.directory], trusting(limited)))
    assert finding.kind == "KEY_OUT_OF_RANGE"


def test_a_key_of_one_node_does_not_sign_for_another(tmp_path: Path) -> None:
    other = Made(tmp_path / "log", node="gw2").add(3).close()
    report = verify([other.directory], trusting(key(1, "test/gw1")))
    assert [item.kind for item in report.findings] == ["UNKNOWN_KEY"]


def test_a_log_of_another_deployment_is_not_taken_for_ours(tmp_path: Path) -> None:
    other = Made(tmp_path / "log", deployment="elsewhere").add(3).close()
    assert verify([other.directory], trusting()).verdict == "unproved"


@pytest.mark.timeout(1_800)  # tens of thousands of verifications; a busy machine takes its time
def test_every_byte_of_a_log_of_fifty_records_counts(tmp_path: Path) -> None:
    made = Made(tmp_path / "log").add(38, seconds=0.3).close()
    whole = made.path.read_bytes()
    assert len(lines_of(made.path)) >= 50
    starts = [0]
    for line in whole.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    number, missed = 0, []
    options = trusting()
    for offset in range(len(whole)):
        while offset >= starts[number + 1]:
            number += 1
        changed = bytearray(whole)
        changed[offset] ^= 1 + offset % 127
        made.path.write_bytes(changed)
        found = tampering(verify([made.directory], options))
        if len(found) != 1 or not found[0].sequence <= number <= max(found[0].until, found[0].sequence + 1):
            missed.append((offset, number, found))
    assert missed == []


def test_bytes_after_the_end_are_found(made: Made) -> None:
    made.path.write_bytes(made.path.read_bytes() + b'{"a":1}\n')
    [finding] = tampering(verdict(made))
    assert finding.kind == "EDITED"


def test_records_after_a_crash_under_no_checkpoint_are_not_proved(tmp_path: Path) -> None:
    made = Made(tmp_path / "log").add(3, seconds=0.01).crash()
    report = verify([made.directory], trusting())
    assert report.verdict == "unproved"
    [finding] = report.findings
    assert (finding.kind, finding.sequence, finding.until) == ("UNSEALED_TAIL", 3, 4)


def test_half_a_line_after_a_crash_is_information(tmp_path: Path) -> None:
    made = Made(tmp_path / "log").add(3, seconds=2).crash()
    data = made.path.read_bytes()
    made.path.write_bytes(data + data.splitlines()[2][:300])
    report = verify([made.directory], trusting())
    assert [item.kind for item in report.findings] == ["TORN_TAIL"]


def test_a_running_writer_may_have_an_unsealed_tail(tmp_path: Path) -> None:
    made = Made(tmp_path / "log").add(3, seconds=0.01)
    report = verify([made.directory], trusting(is_live=lambda path: True))
    assert [item.kind for item in report.findings] == ["LIVE"]
    made.crash()


def test_the_leaf_hash_is_that_of_rfc_6962(made: Made) -> None:
    line = lines_of(made.path)[0][:-1]
    assert leaf_hash(line) == sha256(b"\x00" + line).digest()
    assert f'"gateway.prev":"{b64(leaf_hash(line))}"'.encode() in lines_of(made.path)[1]
