"""Finished segments shrink, nothing else is touched, and the log verifies as before."""

import errno
import gzip
import zlib
from pathlib import Path

import pytest

from gateway.observe.audit import compress as compressing
from gateway.observe.audit import recovery
from gateway.observe.audit.compress import compress, finished
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.prune import alone, prune
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.verify import verify
from tests.observe.audit.making import START, Made, settings_for, trusting


def rotated(directory: Path, segments: int = 3) -> Made:
    made = Made(directory)
    for _ in range(segments - 1):
        made.add(4)
        made.ledger.rotate()
    return made.add(2)


def test_finished_segments_shrink_and_the_live_one_stays(tmp_path: Path) -> None:
    made = rotated(tmp_path)
    before = {item.name: item.path.read_bytes() for item in made.segments}
    assert compress(settings_for(tmp_path)) == sorted(before)[:2]
    after = made.segments
    assert [item.path.suffix for item in after] == [".gz", ".gz", ".jsonl"]
    for item in after[:2]:
        assert gzip.decompress(item.path.read_bytes()) == before[item.name]
        assert item.path.stat().st_mode & 0o777 == 0o640
    made.add(3).close()
    assert verify([tmp_path], trusting()).verdict == "intact"
    assert len(list(search([tmp_path], Filter(actions=frozenset(["proxy.allowed"]))))) == 13
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".draft")] == []


def test_the_last_segment_shrinks_once_the_log_is_closed_or_its_crash_is_on_record(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    Made(tmp_path, tag=b"\0\0\0\1").add(2).close()
    crashed = Made(tmp_path, tag=b"\0\0\0\2").add(2).crash()
    assert [item.writer for item in finished(settings)] == ["gw1-20261118T110640Z-00000001"]
    [remains] = recovery.find_remains([tmp_path], FileSystem(), "")
    recovery.mark([tmp_path], [remains], "x")
    assert crashed.segments[0].name in compress(settings)
    assert compress(settings) == []
    assert recovery.latest_notes([tmp_path], "") == recovery.latest_notes([tmp_path], "")
    assert len(recovery.latest_notes([tmp_path], "")) == 2


def test_an_edit_in_a_gzipped_segment_is_found(tmp_path: Path) -> None:
    made = rotated(tmp_path).close()
    compress(settings_for(tmp_path))
    packed = made.segments[0].path
    plain = gzip.decompress(packed.read_bytes())
    packed.write_bytes(gzip.compress(plain.replace(b'status_code":200', b'status_code":201', 1)))
    report = verify([tmp_path], trusting())
    assert report.verdict == "tampered"


@pytest.mark.parametrize("place", range(0, 100, 7))
@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_gzip_counts_as_an_edit_and_is_not_pruned(tmp_path: Path, place: int, number: int) -> None:
    made = rotated(tmp_path, 2).close()
    compress(settings_for(tmp_path))
    segment = made.segments[number]
    whole = segment.path.read_bytes()
    at = len(whole) * place // 100
    segment.path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
    if gzip_bytes(segment.path) != gzip.decompress(whole):
        assert verify([tmp_path], trusting()).verdict == "tampered"
        assert segment.name not in prune(settings_for(tmp_path, retention_days=1), START + 3 * 86_400).segments


@pytest.mark.parametrize("number", [0, 1])
def test_a_cut_gzip_counts_as_an_edit(tmp_path: Path, number: int) -> None:
    made = rotated(tmp_path, 2).close()
    compress(settings_for(tmp_path))
    path = made.segments[number].path
    path.write_bytes(path.read_bytes()[:-40])
    assert verify([tmp_path], trusting()).verdict == "tampered"
    list(search([tmp_path], Filter()))


def gzip_bytes(path: Path) -> bytes | None:
    """What is in there; None when it does not unpack. Some bytes of a header mean nothing."""
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        return None


def test_what_a_crash_left_without_a_header_stays_to_the_byte(tmp_path: Path) -> None:
    made = Made(tmp_path).add(1).close()
    torn = tmp_path / f"{made.writer}.000001.jsonl"
    torn.write_bytes(b'{"@time')
    (tmp_path / f"{made.writer}.recovered").write_text("x")
    compress(settings_for(tmp_path))
    assert torn.read_bytes() == b'{"@time'


def test_a_copy_that_is_not_the_same_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(tmp_path).add(3).close()
    monkeypatch.setattr(compressing, "_digest", lambda packed: b"another")
    with pytest.raises(OSError) as caught:
        compress(settings_for(tmp_path))
    assert caught.value.errno == errno.EIO
    assert [item.path.suffix for item in made.segments] == [".jsonl"]
    assert not list(tmp_path.glob(".*.draft"))


def test_only_one_process_tidies_a_directory(tmp_path: Path) -> None:
    Made(tmp_path).add(3).close()
    with alone(tmp_path):
        assert compress(settings_for(tmp_path)) == []


def test_a_segment_that_was_killed_halfway_is_whole_again_and_prunes_once(tmp_path: Path) -> None:
    made = Made(tmp_path).add(3).close()
    plain = made.segments[0].path
    plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.with_name(f".{plain.name}.draft").write_bytes(b"half")
    settings = settings_for(tmp_path, retention_days=1)
    assert made.segments[0].path == plain
    assert prune(settings, START + 3 * 86_400).segments == [plain.name]
    assert made.segments == []


def test_a_reader_that_found_the_plain_file_reads_the_gzipped_one(tmp_path: Path) -> None:
    made = Made(tmp_path).add(3).close()
    stream = search([tmp_path], Filter())
    compress(settings_for(tmp_path))
    assert len(list(stream)) == made.ledger.position.sequence
