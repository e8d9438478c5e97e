"""What is hashed, and the one form of a line that carries a checkpoint."""

from base64 import b64encode
from hashlib import sha256

import pytest

from gateway.observe.audit.chain import NOTE_KEY, Position, binding, genesis, is_bound, leaf_hash, split_sealed
from gateway.observe.audit.notes import Checkpoint

HEAD = b'{"@timestamp":"x"'
LINE = HEAD + NOTE_KEY + b'"a\\nb \xe2\x80\x94"}'


def test_hashes_are_those_of_the_document() -> None:
    assert genesis("d/w") == sha256(b"audit/1\nd/w\n").digest()
    assert leaf_hash(b"line") == sha256(b"\0line").digest()
    assert binding(b"head") == "audit/1 record " + b64encode(sha256(b"head").digest()).decode()


def test_a_position_steps_over_records() -> None:
    position = Position.start("d/w")
    assert (position.sequence, position.prev) == (0, b64encode(genesis("d/w")).decode())
    before = position.copy()
    position.advance(b"one")
    assert (position.sequence, position.leaf) == (1, leaf_hash(b"one"))
    assert before.sequence == 0


def test_a_sealed_line_is_cut_into_head_and_note() -> None:
    assert split_sealed(LINE) == (HEAD, "a\nb \u2014")


@pytest.mark.parametrize(
    "line",
    [HEAD + b"}", LINE[:-1], LINE + b" ", HEAD + NOTE_KEY + b' "a"}', HEAD + NOTE_KEY + b'"\\u0061"}', HEAD +
    NOTE_KEY + b"1}",
     HEAD + NOTE_KEY + b'"a","x":"y"}', HEAD + NOTE_KEY + b'"a\xff"}'],
)  # fmt: skip
def test_any_other_spelling_is_none(line: bytes) -> None:
    assert split_sealed(line) is None


def test_a_checkpoint_binds_one_head_only() -> None:
    point = Checkpoint("o", 1, bytes(32), (binding(HEAD),))
    assert is_bound(HEAD, point)
    assert not is_bound(HEAD + b" ", point)
    assert not is_bound(HEAD, Checkpoint("o", 1, bytes(32), (binding(HEAD), "more")))
