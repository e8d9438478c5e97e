"""What crashed writers leave behind is measured exactly, and nobody's files are changed."""

from pathlib import Path

from gateway.observe.audit import recovery
from gateway.observe.audit.files import FileSystem
from tests.observe.audit.making import Made, lines_of

FILES = FileSystem()


def remains(directory: Path) -> list[recovery.Remains]:
    return recovery.find_remains([directory], FILES, "")


def test_closed_and_living_logs_leave_nothing(tmp_path: Path) -> None:
    Made(tmp_path, tag=b"\0\0\0\1").add(2).close()
    living = Made(tmp_path, tag=b"\0\0\0\2").add(2)
    assert remains(tmp_path) == []
    living.crash()
    assert [item.writer for item in remains(tmp_path)] == [living.writer]


def test_the_end_is_told_exactly(tmp_path: Path) -> None:
    made = Made(tmp_path).add(4).crash()
    position = made.ledger.position
    before = made.path.read_bytes()
    [found] = remains(tmp_path)
    assert found == (made.writer, position.sequence, position.edge.root(), 0, "clean")
    made.path.write_bytes(before + b'{"torn')
    [found] = remains(tmp_path)
    assert found == (made.writer, position.sequence, position.edge.root(), 6, "torn")
    assert made.path.read_bytes() == before + b'{"torn'


def test_a_log_that_does_not_fit_itself_is_inconsistent(tmp_path: Path) -> None:
    made = Made(tmp_path).add(4).crash()
    lines = lines_of(made.path)
    made.path.write_bytes(b"".join(lines[:2] + lines[3:]))
    [found] = remains(tmp_path)
    assert (found.size, found.state) == (2, "inconsistent")


def test_a_segment_without_a_whole_header_counts_for_nothing(tmp_path: Path) -> None:
    made = Made(tmp_path).add(1).crash()
    made.path.write_bytes(lines_of(made.path)[0][:50])
    [found] = remains(tmp_path)
    assert (found.size, found.torn_bytes, found.state) == (0, 50, "torn")


def test_a_declared_end_is_not_declared_again(tmp_path: Path) -> None:
    Made(tmp_path).add(1).crash()
    recovery.mark([tmp_path], remains(tmp_path), "me")
    assert remains(tmp_path) == []


def test_the_latest_notes_of_others_are_found(tmp_path: Path) -> None:
    made = Made(tmp_path, tag=b"\0\0\0\1").add(4).close()
    [note] = recovery.latest_notes([tmp_path], "other")
    assert made.ledger.origin in note
    assert recovery.latest_notes([tmp_path], made.writer) == []
