"""Two verifiers, one document: ours and the one written from docs/audit-format.md alone agree on every case."""

import random
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from gateway.observe.audit.compress import compress
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.ledger import validity
from gateway.observe.audit.notes import FOREVER
from gateway.observe.audit.records import sealing
from gateway.observe.audit.recovery import find_remains
from gateway.observe.audit.verify import verify
from tests.observe import independent_verifier as independent
from tests.observe.audit.making import START, Hand, Made, key, lines_of, settings_for, trusting


def agree(directory: Path, anchors: list[str] | None = None) -> independent.Outcome:
    """Both verifiers say the same; returns what they say."""
    ours = verify([directory], trusting(anchors=anchors or []))
    theirs = independent.verify(directory, [independent.Key(key().vkey)], anchors or [])
    first: dict[str, tuple[str, int, int]] = {}
    for item in ours.findings:
        if item.severity == "tampered":
            first.setdefault(item.writer, (item.kind, item.sequence, max(item.until, item.sequence)))
    assert theirs.tampering == first
    assert theirs.verdict == ours.verdict
    assert theirs.unproved == {item.kind for item in ours.findings if item.severity == "unproved"}
    return theirs


def two_segments(directory: Path) -> Made:
    made = Made(directory, settings=settings_for(directory, segment_max_bytes=6_000)).add(6, seconds=0.4)
    made.ledger.tick()
    return made.add(4, seconds=0.4).close()


def note_of(made: Made) -> str:
    note: str = orjson.loads(lines_of(made.segments[-1].path)[-1])["gateway.checkpoint.note"]
    return note


def replace_line(path: Path, number: int, change: Callable[[bytes], bytes]) -> None:
    lines = lines_of(path)
    path.write_bytes(b"".join([*lines[:number], change(lines[number]), *lines[number + 1 :]]))


def test_on_an_intact_log(tmp_path: Path) -> None:
    made = two_segments(tmp_path)
    assert agree(tmp_path, [note_of(made)]).verdict == "intact"


def test_on_gzipped_segments_whole_and_damaged(tmp_path: Path) -> None:
    made = two_segments(tmp_path)
    assert len(compress(settings_for(tmp_path))) == 2
    assert agree(tmp_path).verdict == "intact"
    packed = made.segments[0].path
    packed.write_bytes(packed.read_bytes()[:-30])
    theirs = independent.verify(tmp_path, [independent.Key(key().vkey)], [])
    assert theirs.verdict == verify([tmp_path], trusting()).verdict == "tampered"
    assert theirs.tampering[made.writer][0] == "EDITED"


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("attack", ["edit", "remove", "twice", "swap", "seq", "prev"])
def test_on_every_attack_at_every_record(tmp_path: Path, attack: str, number: int) -> None:
    made = Made(tmp_path).add(9, seconds=0.4).close()
    lines = lines_of(made.path)
    changed = {
        "edit": [*lines[:number], lines[number].replace(b"success", b"failure"), *lines[number + 1 :]],
        "remove": lines[:number] + lines[number + 1 :],
        "twice": [*lines[: number + 1], lines[number], *lines[number + 1 :]],
        "swap": [*lines[:number], *lines[number : number + 2][::-1], *lines[number + 2 :]],
        "seq": [*lines[:number], lines[number].replace(b'sequence":', b'sequence":9'), *lines[number + 1 :]],
        "prev": [*lines[:number], lines[number][:80] + b"AAAA" + lines[number][84:], *lines[number + 1 :]],
    }[attack]
    made.path.write_bytes(b"".join(changed))
    assert agree(tmp_path).verdict == "tampered"


def test_on_a_thousand_random_bytes(tmp_path: Path) -> None:
    made = Made(tmp_path).add(9, seconds=0.4).close()
    whole = made.path.read_bytes()
    chance = random.Random(7)
    for _ in range(1000):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] ^= chance.randrange(1, 256)
        made.path.write_bytes(changed)
        assert agree(tmp_path).verdict == "tampered"


def test_on_every_cut(tmp_path: Path) -> None:
    made = Made(tmp_path).add(5, seconds=0.4).close()
    whole, anchor = made.path.read_bytes(), note_of(made)
    for size in range(1, len(whole), 97):
        made.path.write_bytes(whole[:size])
        is_whole_but_for_its_end = whole[:size].count(b"\n") == whole.count(b"\n") - 1
        assert agree(tmp_path, [anchor]).verdict == ("intact" if is_whole_but_for_its_end else "tampered")
        assert agree(tmp_path).verdict in {"unproved", "intact"}


@pytest.mark.parametrize("which", [0, 1])
def test_on_missing_segments(tmp_path: Path, which: int) -> None:
    made = two_segments(tmp_path)
    anchor = note_of(made)
    made.segments[which].path.unlink()
    agree(tmp_path)
    assert agree(tmp_path, [anchor]).verdict == "tampered"


def test_on_disk_faults_that_are_declared(tmp_path: Path) -> None:
    class Fault(FileSystem):
        left = 0

        def sync(self, fd: int) -> None:
            if self.left:
                self.left -= 1
                raise OSError(5, "EIO")
            super().sync(fd)

    files = Fault()
    made = Made(tmp_path, files=files).add(3, seconds=0.4)
    files.left = 1
    made.add(3, seconds=0.4).close()
    assert len(made.segments) == 2
    assert agree(tmp_path).verdict == "intact"


def test_on_crashes_and_what_became_of_them(tmp_path: Path) -> None:
    crashed = Made(tmp_path).add(4, seconds=0.01).crash()
    assert agree(tmp_path).unproved == {"UNSEALED_TAIL"}
    [remains] = find_remains([tmp_path], FileSystem(), "")
    Made(tmp_path, hand=Hand(START + 60)).write([remains.record(START + 60)]).close()
    assert agree(tmp_path).verdict == "intact"
    lines = lines_of(crashed.path)
    crashed.path.write_bytes(b"".join(lines[:-1]))
    assert agree(tmp_path).tampering[crashed.writer][0] == "TRUNCATED"
    crashed.path.write_bytes(b"".join(lines) + lines[-1][:100])
    assert agree(tmp_path).verdict == "intact"


def test_on_peers_rewrites_and_new_keys(tmp_path: Path) -> None:
    first = Made(tmp_path, tag=b"\0\0\0\1").add(9, seconds=0.5).close()
    begins, ends = validity(START, FOREVER)
    said = {"gateway.key.next_vkey": key(2).vkey, "gateway.key.not_before": begins, "gateway.key.not_after": ends}
    peers = sealing("audit.peers", START, {"gateway.peers": [note_of(first)]})
    Made(tmp_path, tag=b"\0\0\0\2").write([peers, sealing("audit.key", START, dict(said))]).close()
    Made(tmp_path, tag=b"\0\0\0\3", seed=2, hand=Hand(START + 60)).add(2).close()
    assert agree(tmp_path).verdict == "intact"
    Made(tmp_path, tag=b"\0\0\0\4", seed=3, hand=Hand(START + 90)).add(2).close()
    assert "BAD_SIGNATURE" in {kind for kind, _, _ in agree(tmp_path).tampering.values()}
    first.path.unlink()
    assert agree(tmp_path).tampering[first.writer][0] == "MISSING"
    Made(tmp_path, tag=b"\0\0\0\1").add(30, seconds=0.4).close()
    assert agree(tmp_path).tampering[first.writer][0] == "FORKED"


def test_on_a_foreign_deployment(tmp_path: Path) -> None:
    Made(tmp_path, deployment="elsewhere").add(3).close()
    assert agree(tmp_path).unproved == {"UNKNOWN_KEY"}


def test_the_second_verifier_imports_nothing_of_the_gateway() -> None:
    text = Path(independent.__file__).read_text(encoding="utf-8")
    assert "import gateway" not in text
    assert "from gateway" not in text
