"""Names of writers and segments, and reading them."""

import gzip
from pathlib import Path

import pytest

from gateway.observe.audit import segments
from tests.observe.audit.making import START

WRITER = "gw1-20261118T110640Z-0a0b0c0d"


def test_names() -> None:
    assert segments.writer_name("gw1", START, b"\x0a\x0b\x0c\x0d\xff") == WRITER
    assert segments.segment_name(WRITER, 3) == f"{WRITER}.000003.jsonl"
    assert segments.node_of("a-b-20261118T110640Z-0a0b0c0d") == "a-b"


@pytest.mark.parametrize("node", ["", "a/b", "a b", "x" * 65, "\n"])
def test_nodes_that_cannot_stand_in_a_file_name(node: str) -> None:
    with pytest.raises(ValueError, match="node name"):
        segments.writer_name(node, START, bytes(4))


def test_segments_are_found_in_order_and_strangers_left_alone(tmp_path: Path) -> None:
    other = "gw0-20261118T110640Z-0a0b0c0d"
    for name in (
        f"{WRITER}.000010.jsonl",
        f"{WRITER}.000002.jsonl.gz",
        f"{other}.000000.jsonl",
        "x.jsonl",
        f"{WRITER}.recovered",
    ):
        (tmp_path / name).write_bytes(b"")
    found = segments.find_segments([tmp_path])
    assert [(item.writer, item.index) for item in found] == [(other, 0), (WRITER, 2), (WRITER, 10)]
    assert found[1].name == f"{WRITER}.000002.jsonl"
    assert list(segments.by_writer(found)) == [other, WRITER]


def test_lines_keep_their_ends_and_gzip_makes_no_difference(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(b"one\ntwo\nto")
    packed.write_bytes(gzip.compress(b"one\ntwo\nto"))
    for path in (plain, packed):
        assert list(segments.read_lines(path)) == [b"one\n", b"two\n", b"to"]
        assert list(segments.read_lines(path, 4)) == [b"two\n", b"to"]
        assert segments.first_line(path) == b"one\n"


def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * (segments.MAX_LINE_BYTES + 5))
    assert [len(line) for line in segments.read_lines(path)] == [segments.MAX_LINE_BYTES, 5]
