"""The writer thread: batches, order, and what it does when the loop is gone."""

import asyncio
import threading
from pathlib import Path

from gateway.observe.audit.ledger import Clock, Ledger
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.writer import Batch, Gap, Grant, Writer
from gateway.observe.metrics import Metrics
from tests.observe.audit.making import START, settings_for, signer, use

WRITER = "gw1-20261118T110640Z-00000001"


def writer_for(directory: Path, heard: list[Batch], metrics: Metrics | None = None, **more: object) -> Writer:
    settings = settings_for(directory, **more)
    ledger = Ledger(settings, signer(), WRITER)
    writer = Writer(ledger, settings, metrics or Metrics(), heard.append, Clock())
    directory.mkdir(exist_ok=True)
    writer.first_write([])
    return writer


def ids(directory: Path) -> list[str]:
    return [
        item.document["http.request.id"] for item in search([directory], Filter(actions=frozenset(["proxy.allowed"])))
    ]


def test_everything_queued_is_written_in_order_before_the_end(tmp_path: Path) -> None:
    writer = writer_for(tmp_path, [])
    writer.start()
    for number in range(3_000):
        writer.push(use(number))
    writer.stop()
    assert ids(tmp_path) == [f"r{number}" for number in range(3_000)]
    assert not writer.is_alive


def test_uses_that_nobody_waits_for_share_a_write(tmp_path: Path) -> None:
    metrics = Metrics()
    writer = writer_for(tmp_path, [], metrics, linger_s=0.2)
    for number in range(100):
        writer.push(use(number))
    writer.start()
    writer.stop()
    batches = sum(metrics.audit_batch_records.child().counts)
    assert batches <= 4


async def test_a_grant_cuts_the_linger_short(tmp_path: Path) -> None:
    done = threading.Event()
    heard: list[Batch] = []

    class Heard(list[Batch]):
        def append(self, batch: Batch) -> None:
            super().append(batch)
            if batch.grants:
                done.set()

    heard = Heard()
    writer = writer_for(tmp_path, heard, linger_s=30.0)
    writer.start()
    writer.push(use(1))
    writer.push_grant(Grant(use(2), asyncio.get_running_loop().create_future()))
    writer.urge()
    assert await asyncio.to_thread(done.wait, 5)
    await asyncio.to_thread(writer.stop)
    assert ids(tmp_path) == ["r1", "r2"]
    [batch] = [batch for batch in heard if batch.grants]
    assert b'"http.request.id":"r2"' in batch.grants[0][1]


def test_a_gap_is_counted_once() -> None:
    gap = Gap()
    assert gap.take(START) is None
    gap.add(START)
    gap.add(START + 1)
    record = gap.take(START + 2)
    assert record is not None
    assert record.fields["gateway.gap.count"] == 2
    assert record.fields["gateway.gap.last"] == "2026-11-18T11:06:41.000000Z"
    assert gap.take(START + 3) is None


def test_bytes_are_counted_by_class(tmp_path: Path) -> None:
    writer = writer_for(tmp_path, [])
    writer.start()
    writer.push(use(1))
    writer.stop()
    assert writer.bytes_today["B"] > 0
    assert writer.bytes_today["C"] == 0
