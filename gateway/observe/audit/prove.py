"""Proofs of single records: a C2SP tlog-proof that shows one record under a signed checkpoint, without the others.

https://c2sp.org/tlog-proof. Leaves whole logs to verify.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.errors import GatewayError
from gateway.observe.audit.chain import leaf_hash, split_sealed
from gateway.observe.audit.notes import (
    Checkpoint,
    NoteError,
    VerifierKey,
    b64,
    open_note,
    parse_checkpoint,
    split_note,
    unb64,
)
from gateway.observe.audit.plan import plan_of
from gateway.observe.audit.segments import by_writer, find_segments, read_lines
from gateway.observe.audit.tree import inclusion_path, is_included

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"


class ProofError(GatewayError):
    """A proof cannot be made, or does not hold; the message says why."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One record, its place, the hashes that lead to the root, and the signed checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    note: str

    def text(self) -> str:
        """The proof as its file form."""
        lines = [FIRST_LINE, f"index {self.index}", *map(b64, self.hashes)]
        return "\n".join(lines) + f"\n\n{self.note}"


def prove(directories: Sequence[Path], writer: str, sequence: int) -> tuple[bytes, Proof]:
    """Return the record's line and its proof under the next checkpoint; raises ProofError, OSError."""
    segments = by_writer(find_segments(directories)).get(writer)
    if not segments:
        raise ProofError(f"no log of {writer}")
    plan = plan_of(segments)
    if not plan.steps:
        raise ProofError(f"the log of {writer} has no readable header")
    start = plan.steps[0].start
    leaves: list[bytes] = []
    found = b""
    for step in plan.steps:
        offset = 0
        for whole in read_lines(step.segment.path):
            if not whole.endswith(b"\n") or (step.end is not None and offset >= step.end):
                break
            offset += len(whole)
            line = whole[:-1]
            number = start.sequence + len(leaves)
            if number == sequence:
                found = line
            sealed = split_sealed(line)
            if sealed is not None and found:
                size = parse_checkpoint(split_note(sealed[1])[0]).size
                if size > sequence:
                    path = inclusion_path(start.edge, leaves, size, sequence)
                    return found, Proof(sequence, tuple(path), sealed[1])
            leaves.append(leaf_hash(line))
    raise ProofError(f"record {sequence} of {writer} is not there, or under no checkpoint yet")


def parse_proof(text: str) -> Proof:
    """Read a proof; raises ProofError."""
    head, gap, note = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines[0] != FIRST_LINE or len(lines) < 2:
        raise ProofError("not a tlog-proof")
    if lines[1].startswith("extra "):
        del lines[1]
    number = lines[1].removeprefix("index ")
    if not lines[1].startswith("index ") or not (number.isascii() and number.isdecimal()) or str(int(number)) != number:
        raise ProofError("the proof has no index")
    try:
        return Proof(int(number), tuple(unb64(line) for line in lines[2:]), note)
    except NoteError as exc:
        raise ProofError("the proof's hashes are not base64") from exc


def check_proof(line: bytes, proof: Proof, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Return the checkpoint under which the record stands; raises ProofError when the proof does not hold."""
    try:
        text, key = open_note(proof.note, keys)
        checkpoint = parse_checkpoint(text)
    except NoteError as exc:
        raise ProofError(str(exc)) from exc
    if not checkpoint.origin.startswith(f"{key.name}-"):
        raise ProofError(f"{key.name} signed for {checkpoint.origin}")
    if not is_included(leaf_hash(line), proof.index, checkpoint.size, proof.hashes, checkpoint.root):
        raise ProofError("the record is not under this checkpoint")
    return checkpoint
