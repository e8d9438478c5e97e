"""The promises of the audit log to the gateway: grants wait for the disk, uses for room, refusals for nothing."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.errors import AUDIT_UNAVAILABLE, Refusal
from gateway.observe.audit import records
from gateway.observe.audit.aggregate import LevelRule
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.keys import AuditKeyError
from gateway.observe.audit.ledger import AuditWriteFailedError
from gateway.observe.audit.log import AuditLog
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.records import Record
from gateway.observe.audit.verify import verify
from gateway.observe.audit.writer import Writer
from gateway.observe.metrics import Metrics
from tests.observe.audit.making import START, Made, settings_for, trusting, use


class Gate(FileSystem):
    """A disk whose fsync waits at a gate, or fails."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.error: int | None = None

    def sync(self, fd: int) -> None:
        self.entered.set()
        assert self.open.wait(20)
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        super().sync(fd)


@asynccontextmanager
async def opened(directory: Path, files: FileSystem | None = None, **more: Any) -> AsyncIterator[AuditLog]:
    log = AuditLog(settings_for(directory, **more), files=files)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


def documents(directory: Path, *actions: str) -> list[dict[str, Any]]:
    return [item.document for item in search([directory], Filter(actions=frozenset(actions)))]


def issued(number: int = 0) -> Record:
    return records.session_issued(
        at=START,
        who=records.subject(site="shop"),
        auth_method="oidc",
        session_ref=f"h:{number:032x}",
        expires_at=START + 60,
    )


def denied(client: str = "198.51.100.1", reason: str = "origin.not_allowed") -> Record:
    return records.origin_denied(at=START, who=records.subject(site="shop", client_ip=client), reason=reason)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.001)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many grants had been let in whenever a write was asked for."""
    found: list[int] = []
    urge = Writer.urge

    def counted(writer: Writer) -> None:
        found.append(writer.grants_pushed)
        urge(writer)

    monkeypatch.setattr(Writer, "urge", counted)
    return found


async def test_a_write_is_asked_for_once_while_the_loop_lets_in_more_grants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int]
) -> None:
    monkeypatch.setattr("gateway.observe.audit.log.GATHER_S", 60.0)

    async def after(log: AuditLog, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await log.grant(issued(turns))

    async with opened(tmp_path, grant_timeout_s=60.0) as log:
        await asyncio.gather(*(after(log, turns) for turns in range(20)))
        assert asked == [20]
        await log.grant(issued(20))
        assert asked == [20, 21]


async def test_a_grant_does_not_wait_for_more_for_ever(tmp_path: Path, asked: list[int]) -> None:
    async with opened(tmp_path, grant_timeout_s=60.0) as log:
        let_in: list[asyncio.Task[None]] = []
        while not asked:  # each turn of the loop brings one more
            let_in.append(asyncio.create_task(log.grant(issued(len(let_in)))))
            await asyncio.sleep(0)
        await asyncio.gather(*let_in)
    assert len(documents(tmp_path, "session.issued")) == len(let_in)


async def test_a_grant_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await log.grant(issued(7))
        assert [item["gateway.ref.session"] for item in documents(tmp_path, "session.issued")] == [f"h:{7:032x}"]
    assert verify([tmp_path], trusting()).verdict == "intact"


async def test_a_thousand_grants_at_once_are_all_there_in_few_writes(tmp_path: Path) -> None:
    metrics = Metrics()
    log = AuditLog(settings_for(tmp_path), metrics)
    await log.open()
    await asyncio.gather(*(log.grant(issued(number)) for number in range(1000)))
    await log.close()
    assert {item["gateway.ref.session"] for item in documents(tmp_path, "session.issued")} == {
        f"h:{n:032x}" for n in range(1000)
    }
    assert sum(metrics.audit_batch_records.child().counts) < 100
    assert metrics.audit_records.child("session.issued").value == 1000


async def test_a_grant_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files) as log:
        files.error = errno.EIO
        with pytest.raises(Refusal) as caught:
            await log.grant(issued())
        assert caught.value.reason is AUDIT_UNAVAILABLE
        assert caught.value.retry_after_s
        files.error = None
        await log.grant(issued(1))
    assert [item["gateway.ref.session"] for item in documents(tmp_path, "session.issued")][-1] == f"h:{1:032x}"
    assert verify([tmp_path], trusting()).verdict == "intact"


async def test_a_grant_that_takes_too_long_is_refused_and_declared_undone(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files, grant_timeout_s=0.05) as log:
        files.open.clear()
        files.entered.clear()
        with pytest.raises(Refusal):
            await log.grant(issued())
        assert files.entered.is_set()
        files.open.set()
        await until(lambda: bool(documents(tmp_path, "audit.undone")))
    [undone] = documents(tmp_path, "audit.undone")
    [grant] = documents(tmp_path, "session.issued")
    assert undone["gateway.undone.id"] == grant["event.id"]


async def test_a_grant_given_up_before_it_was_written_leaves_no_trace(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files, grant_timeout_s=0.05) as log:
        files.open.clear()
        files.entered.clear()
        assert log.try_use(use(1))
        await until(files.entered.is_set)
        with pytest.raises(Refusal):
            await log.grant(issued())
        files.open.set()
    assert documents(tmp_path, "session.issued", "audit.undone") == []


async def test_a_use_never_waits_for_the_disk(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files) as log:
        files.open.clear()
        assert all(log.try_use(use(number)) for number in range(100))
        files.open.set()
    assert len(documents(tmp_path, "proxy.allowed")) == 100


async def test_uses_survive_a_failing_disk_in_order(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files) as log:
        files.error = errno.ENOSPC
        for number in range(50):
            assert log.try_use(use(number))
        await until(lambda: log._writer is not None and log._writer.failing_since is not None)
        assert log.ready(log._clock.wall() + 11) is not None
        assert log.ready(log._clock.wall()) is None
        files.error = None
    assert [item["http.request.id"] for item in documents(tmp_path, "proxy.allowed")] == [
        f"r{number}" for number in range(50)
    ]
    assert verify([tmp_path], trusting()).verdict == "intact"


async def test_without_room_a_use_is_refused(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files, queue_max_records=4, use_wait_s=0.05) as log:
        files.open.clear()
        files.entered.clear()
        assert log.try_use(use(0))
        await until(files.entered.is_set)
        for number in range(1, 5):
            assert log.try_use(use(number))
        assert not log.try_use(use(5))
        with pytest.raises(Refusal):
            await log.use(use(5))
        files.open.set()
    assert len(documents(tmp_path, "proxy.allowed")) == 5


async def test_a_use_waits_for_room(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files, queue_max_records=1, use_wait_s=5.0) as log:
        files.open.clear()
        files.entered.clear()
        assert log.try_use(use(0))
        await until(files.entered.is_set)
        assert log.try_use(use(1))
        waiting = asyncio.create_task(log.use(use(2)))
        await until(lambda: log._room_waiters == 1)
        files.open.set()
        await waiting
    assert len(documents(tmp_path, "proxy.allowed")) == 3


async def test_degraded_uses_pass_and_are_declared_as_a_gap(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files, queue_max_records=2, use_wait_s=0.01, on_failure="degrade") as log:
        files.open.clear()
        files.entered.clear()
        assert log.try_use(use(0))
        await until(files.entered.is_set)
        for number in range(1, 6):
            await log.use(use(number))
        files.open.set()
        await until(lambda: bool(documents(tmp_path, "audit.gap")))
    [gap] = documents(tmp_path, "audit.gap")
    assert gap["gateway.gap.count"] == 3
    assert gap["event.reason"] == "queue_full"


async def test_refusals_are_folded_by_network_and_never_wait(tmp_path: Path) -> None:
    metrics = Metrics()
    log = AuditLog(settings_for(tmp_path), metrics)
    await log.open()
    for number in range(200):
        log.refuse(denied(f"198.51.100.{number}"))
        log.refuse(denied("203.0.113.9"))
    await log.close()
    assert len(documents(tmp_path, "origin.denied")) == 40
    [summary] = documents(tmp_path, "audit.suppressed")
    assert summary["gateway.suppressed.count"] == 360
    assert summary["gateway.suppressed.clients"] == 2
    assert metrics.audit_suppressed.child("origin.denied").value == 360


async def test_refusals_take_a_quarter_of_the_queue_at_most(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files, queue_max_records=40) as log:
        files.open.clear()
        files.entered.clear()
        log.refuse(denied())
        await until(files.entered.is_set)
        for number in range(100):
            log.refuse(denied(f"10.{number}.0.1"))
        assert log._writer is not None
        assert len(log._writer.queue) == 10
        files.open.set()


async def test_a_refusal_is_given_also_when_the_log_is_closed(tmp_path: Path) -> None:
    log = AuditLog(settings_for(tmp_path))
    log.refuse(denied())
    assert log.ready(START) == "audit log is not open"
    assert not log.try_use(use(1))
    with pytest.raises(Refusal):
        await log.grant(issued())
    with pytest.raises(Refusal):
        await log.use(use(1))


async def test_a_stuck_disk_makes_the_node_unready(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files) as log:
        files.open.clear()
        files.entered.clear()
        assert log.try_use(use(1))
        await until(files.entered.is_set)
        assert "waits for the disk" in str(log.ready(log._clock.wall() + 11))
        files.open.set()


class Shrinking(FileSystem):
    """A disk that says how much is left."""

    free = 10**12

    def free_bytes(self, path: Path) -> int:
        return self.free

    def total_bytes(self, path: Path) -> int:
        return 10**12


async def test_the_last_hundredth_of_the_disk_is_kept_for_the_log_itself(tmp_path: Path) -> None:
    files = Shrinking()
    async with opened(tmp_path, files, use_wait_s=0.01) as log:
        writer = log._writer
        assert writer is not None
        files.free = 10**9
        await until(lambda: writer.is_disk_full)
        assert log.ready(START) == "audit disk is nearly full"
        with pytest.raises(Refusal):
            await log.grant(issued())
        with pytest.raises(Refusal):
            await log.use(use(1))
        log.refuse(denied())
        files.free = 10**12
        await until(lambda: not writer.is_disk_full)
        await log.grant(issued(2))
    assert len(documents(tmp_path, "session.issued")) == 1
    assert documents(tmp_path, "audit.suppressed")[0]["gateway.suppressed.count"] == 1
    assert verify([tmp_path], trusting()).verdict == "intact"


async def test_the_tail_shows_the_newest_records(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await log.grant(issued(1))
        await log.grant(issued(2))
        assert [item["gateway.ref.session"] for item in log.tail(2) if "gateway.ref.session" in item][
            -1
        ] == f"h:{2:032x}"
        assert log.tail(0) == []


async def test_without_a_key_the_log_does_not_open(tmp_path: Path) -> None:
    log = AuditLog(settings_for(tmp_path, key_pem=None))
    with pytest.raises(AuditKeyError, match="keygen"):
        await log.open()


async def test_in_dev_mode_a_key_is_made_once(tmp_path: Path) -> None:
    for _ in range(2):
        async with opened(tmp_path, key_pem=None, dev=True):
            pass
    assert (tmp_path / "audit-signing.pem").stat().st_mode & 0o777 == 0o600
    assert len({item["gateway.key.vkey"] for item in documents(tmp_path, "audit.opened")}) == 1


async def test_without_a_directory_that_takes_it_the_log_does_not_open(tmp_path: Path) -> None:
    files = Gate()
    files.error = errno.EIO
    log = AuditLog(settings_for(tmp_path), files=files)
    with pytest.raises(AuditWriteFailedError):
        await log.open()


async def test_a_crashed_predecessor_is_declared_once(tmp_path: Path) -> None:
    crashed = Made(tmp_path).add(3, seconds=0.01).crash()
    for _ in range(2):
        async with opened(tmp_path):
            pass
    [recovered] = documents(tmp_path, "audit.recovered")
    assert recovered["gateway.recovered.writer"] == crashed.writer
    assert verify([tmp_path], trusting()).verdict == "intact"


async def test_several_logs_in_one_directory_do_not_meet(tmp_path: Path) -> None:
    async with opened(tmp_path) as one, opened(tmp_path) as two:
        await asyncio.gather(*(log.grant(issued(number)) for number in range(20) for log in (one, two)))
    report = verify([tmp_path], trusting())
    assert (report.verdict, len(report.writers)) == ("intact", 2)
    assert report.findings == []


async def test_calls_are_summed_up_where_a_rule_says_so_and_found_again(tmp_path: Path) -> None:
    rules = (LevelRule("aggregate", routes=frozenset(["close"])),)
    async with opened(tmp_path, levels=rules) as log:
        for number in range(5):
            assert log.try_use(use(number))
        await log.grant(issued())
        assert documents(tmp_path, "proxy.allowed", "proxy.aggregated") == []
    [found] = documents(tmp_path, "proxy.aggregated")
    assert found["gateway.aggregate.count"] == 5
    assert verify([tmp_path], trusting()).verdict == "intact"


async def test_a_full_log_takes_no_sum_either(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files, levels=(LevelRule("aggregate"),), queue_max_records=0, use_wait_s=0.01) as log:
        with pytest.raises(Refusal):
            await log.use(use(1))


async def test_other_rules_take_over_and_nothing_summed_is_lost(tmp_path: Path) -> None:
    async with opened(tmp_path, levels=(LevelRule("aggregate"),)) as log:
        assert log.try_use(use(1))
        log.apply(settings_for(tmp_path))
        assert log.try_use(use(2))
    assert [item["event.action"] for item in documents(tmp_path, "proxy.allowed", "proxy.aggregated")] == [
        "proxy.aggregated",
        "proxy.allowed",
    ]


async def test_the_queue_is_bounded_by_bytes_too(tmp_path: Path) -> None:
    files = Gate()
    async with opened(tmp_path, files, queue_max_bytes=20_000, use_wait_s=0.01) as log:
        files.open.clear()
        taken = 0
        while log.try_use(use(taken)):
            taken += 1
            assert taken < 1_000
        with pytest.raises(Refusal):
            await log.room("shop")
        files.open.set()
        await until(lambda: log.try_use(use(taken)))
    assert len(documents(tmp_path, "proxy.allowed")) == taken + 1


async def test_ends_have_a_reserve_and_beyond_it_are_a_declared_gap(tmp_path: Path) -> None:
    files, metrics = Gate(), Metrics()
    log = AuditLog(settings_for(tmp_path, queue_max_records=8), metrics, files=files)
    await log.open()
    files.open.clear()
    files.entered.clear()
    log.end(use(0))
    await until(files.entered.is_set)
    for number in range(1, 20):
        log.end(use(number))
    dropped = int(metrics.audit_dropped.child("B", "queue_full").value)
    assert 0 < dropped <= 10
    assert not log.try_use(use(20))
    files.open.set()
    await log.close()
    log.end(use(21))
    assert metrics.audit_dropped.child("B", "closing").value == 1
    assert len(documents(tmp_path, "proxy.allowed")) == 20 - dropped
    [gap] = documents(tmp_path, "audit.gap")
    assert gap["gateway.gap.count"] == dropped


async def test_the_heads_of_earlier_logs_are_told(tmp_path: Path) -> None:
    made = Made(tmp_path).add(3).close()
    async with opened(tmp_path) as log:
        [head] = log.predecessors()
    assert head.startswith(f"{made.ledger.origin} {made.ledger.position.sequence - 1} ")


async def test_of_site_and_deployment_the_stricter_counts(tmp_path: Path) -> None:
    more: dict[str, Any] = {"queue_max_records": 0, "use_wait_s": 0.01, "on_failure": "degrade"}
    async with opened(tmp_path, refusing_sites=frozenset(["bank"]), **more) as log:
        await log.room("shop")
        with pytest.raises(Refusal):
            await log.room("bank")
        with pytest.raises(Refusal):
            await log.use(records.ws_opened(at=START, who=records.subject(site="bank"), site="bank"))


async def test_every_record_keeps_to_the_schema(tmp_path: Path) -> None:
    import jsonschema

    schema = orjson.loads((Path(__file__).parents[3] / "gateway/data/audit-schema.json").read_bytes())
    validator = jsonschema.Draft202012Validator(schema)
    async with opened(tmp_path) as log:
        await log.grant(issued())
        log.refuse(denied())
        assert log.try_use(use(1))
    for document in documents(tmp_path):
        validator.validate(document)
