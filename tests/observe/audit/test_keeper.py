"""The tasks around the log: anchors hear the newest checkpoint, peers are witnessed, failures are counted and delay
nothing.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.observe.audit.anchors import AnchorRefusedError
from gateway.observe.audit.keeper import Keeper
from gateway.observe.audit.ledger import Sealed, Written
from gateway.observe.audit.log import AuditLog
from gateway.observe.audit.notes import Checkpoint
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.records import Record
from gateway.observe.audit.verify import verify
from gateway.observe.metrics import Metrics
from tests.observe.audit.making import START, Hand, Made, settings_for, signer, trusting, use

ORIGIN = "test/gw1-20261118T110640Z-aabbccdd"


def sealed(size: int, origin: str = ORIGIN) -> Sealed:
    point = Checkpoint(origin, size, bytes(32))
    return Sealed(point, signer().sign(point.text()), START)


class Remembers:
    """An anchor that keeps what it hears, or fails."""

    name = "store"
    interval_s = 0.0

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[int] = []
        self.error = error
        self.told = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def keep(self, sealed: Sealed) -> None:
        await self.gate.wait()
        self.heard.append(sealed.checkpoint.size)
        self.told.set()
        if self.error is not None:
            raise self.error


class Heads:
    """A source of heads."""

    def __init__(self, notes: Sequence[str], error: Exception | None = None) -> None:
        self.notes, self.error = notes, error

    async def heads(self) -> Sequence[str]:
        if self.error is not None:
            raise self.error
        return self.notes


def keeper(tmp_path: Path, anchor: Remembers, heads: Heads, found: list[Record], **more: Any) -> Keeper:
    return Keeper(
        settings=settings_for(tmp_path, **more), metrics=Metrics(), clock=Hand().clock, anchors=[anchor], heads=heads,
        record=found.append, every_window=lambda: None, own_origin=ORIGIN,
    )  # fmt: skip


async def test_a_slow_anchor_hears_the_newest_and_no_queue_grows(tmp_path: Path) -> None:
    anchor = Remembers()
    anchor.gate.clear()
    tasks = keeper(tmp_path, anchor, Heads([]), [])
    tasks.start()
    for size in range(1, 50):
        tasks.heard(Written([], 0, sealed(size)))
        await asyncio.sleep(0)
    anchor.gate.set()
    async with asyncio.timeout(30):
        while anchor.heard[-1:] != [49]:
            await asyncio.sleep(0)
    await tasks.close()
    assert len(anchor.heard) <= 3


async def test_the_last_checkpoint_is_told_at_the_end(tmp_path: Path) -> None:
    anchor = Remembers()
    tasks = keeper(tmp_path, anchor, Heads([]), [])
    tasks.heard(Written([], 0, sealed(7)))
    await tasks.close()
    assert anchor.heard == [7]


async def test_failures_of_anchors_are_counted(tmp_path: Path) -> None:
    for error, reason in ((AnchorRefusedError("x"), "refused"), (OSError("x"), "other")):
        anchor = Remembers(error)
        tasks = keeper(tmp_path, anchor, Heads([]), [])
        tasks.heard(Written([], 0, sealed(7)))
        await tasks.close()
        assert tasks._metrics.audit_sink_errors.child("store", reason).value == 1


async def test_peers_are_put_on_record(tmp_path: Path) -> None:
    found: list[Record] = []
    other = sealed(3, "test/gw2-20261118T110640Z-00000000").note
    await keeper(tmp_path, Remembers(), Heads([sealed(1).note, other]), found)._witness_peers()
    [record] = found
    assert record.fields == {"gateway.peers": [other]}
    await keeper(tmp_path, Remembers(), Heads([], OSError("down")), found)._witness_peers()
    assert len(found) == 1


async def test_the_self_check_says_what_it_found(tmp_path: Path) -> None:
    found: list[Record] = []
    made = Made(tmp_path).add(3).close()
    tasks = keeper(tmp_path, Remembers(), Heads([]), found, self_check_interval_s=1e9)
    await tasks._self_check()
    assert found[-1].fields == {"gateway.verified.count": 6, "gateway.verified.findings": []}
    assert tasks._metrics.audit_verify_last_success.child().value == START
    made.path.write_bytes(made.path.read_bytes().replace(b"POST", b"PUTT"))
    await tasks._self_check()
    assert found[-1].fields["gateway.verified.findings"] == ["EDITED"]
    assert tasks._metrics.audit_verify_failures.child("EDITED").value == 1


async def test_retention_runs_by_itself(tmp_path: Path) -> None:
    made = Made(tmp_path).add(3).close()
    tasks = keeper(tmp_path, Remembers(), Heads([]), [], retention_days=1)
    tasks._clock = Hand(START + 40 * 86_400).clock
    await tasks._retention()
    assert made.segments == []


async def test_two_logs_of_one_machine_witness_each_other(tmp_path: Path) -> None:
    one = AuditLog(settings_for(tmp_path, peers_interval_s=0.01))
    two = AuditLog(settings_for(tmp_path, peers_interval_s=0.01))
    await one.open()
    await two.open()
    async with asyncio.timeout(30):
        while len({item.writer for item in search([tmp_path], Filter(actions=frozenset(["audit.peers"])))}) < 2:
            await asyncio.sleep(0.01)
    await one.close()
    await two.close()
    report = verify([tmp_path], trusting())
    assert (report.verdict, report.findings) == ("intact", [])


async def test_an_anchor_directory_is_enough_to_prove_the_log(tmp_path: Path) -> None:
    from gateway.observe.audit.anchors import read_anchor_notes

    log = AuditLog(settings_for(tmp_path / "log", anchor_dir=tmp_path / "worm"))
    await log.open()
    assert log.try_use(use(1))
    await log.close()
    notes = [note for path in sorted((tmp_path / "worm").iterdir()) for note in read_anchor_notes(path.read_text())]
    assert verify([tmp_path / "log"], trusting(anchors=notes, strict=True)).verdict == "intact"
    [segment] = (tmp_path / "log").glob("*.jsonl")
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:2]))
    assert verify([tmp_path / "log"], trusting(anchors=notes)).exit_code == 5
