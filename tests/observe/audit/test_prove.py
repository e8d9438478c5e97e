"""One record is proved without the others."""

from pathlib import Path

import pytest

from gateway.observe.audit.prove import ProofError, check_proof, parse_proof, prove
from tests.observe.audit.making import Made, key, lines_of, settings_for


@pytest.fixture
def made(tmp_path: Path) -> Made:
    made = Made(tmp_path, settings=settings_for(tmp_path, segment_max_bytes=6_000)).add(6, seconds=0.4)
    made.ledger.tick()
    return made.add(4, seconds=0.4).close()


def test_every_record_can_be_proved_but_the_closing_one(made: Made) -> None:
    lines = [line[:-1] for segment in made.segments for line in lines_of(segment.path)]
    for number, line in enumerate(lines[:-1]):
        found, proof = prove([made.directory], made.writer, number)
        assert found == line
        again = parse_proof(proof.text())
        assert again == proof
        assert check_proof(line, again, [key()]).origin == made.ledger.origin
        with pytest.raises(ProofError, match="not under this checkpoint"):
            check_proof(line + b" ", again, [key()])
    with pytest.raises(ProofError, match="under no checkpoint"):
        prove([made.directory], made.writer, len(lines) - 1)


def test_a_proof_needs_only_the_segments_that_are_left(made: Made) -> None:
    first, second = made.segments
    number = len(lines_of(first.path)) + 2
    _, whole = prove([made.directory], made.writer, number)
    first.path.unlink()
    line, proof = prove([made.directory], made.writer, number)
    assert proof == whole
    assert check_proof(line, proof, [key()]).size > number
    with pytest.raises(ProofError):
        prove([made.directory], made.writer, 0)
    assert second.path.exists()


@pytest.mark.parametrize("text", ["", "x\n\ny", "c2sp.org/tlog-proof@v1\nindex 01\n\nx",
    "c2sp.org/tlog-proof@v1\nindex 1\n!\n\nx",
                                  "c2sp.org/tlog-proof@v1\n\nx"])  # fmt: skip
def test_what_is_no_proof(text: str) -> None:
    with pytest.raises(ProofError):
        parse_proof(text)


def test_extra_data_is_passed_over(made: Made) -> None:
    line, proof = prove([made.directory], made.writer, 1)
    text = proof.text().replace("\nindex", "\nextra QUJD\nindex", 1)
    assert check_proof(line, parse_proof(text), [key()]).size > 1


def test_a_proof_signed_by_nobody_we_trust(made: Made) -> None:
    line, proof = prove([made.directory], made.writer, 1)
    with pytest.raises(ProofError, match="UNKNOWN_KEY"):
        check_proof(line, proof, [key(2)])


def test_no_log_no_proof(tmp_path: Path) -> None:
    with pytest.raises(ProofError, match="no log"):
        prove([tmp_path], "nobody", 0)
