"""Random lives of a log: batches, rotations, faults, crashes, restarts.

It always verifies, both verifiers agree, and nothing that was acknowledged is lost.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.observe.audit import recovery
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.ledger import AuditWriteFailedError
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.verify import verify
from tests.observe import independent_verifier as independent
from tests.observe.audit.making import START, Hand, Made, key, settings_for, trusting, use


class Flaky(FileSystem):
    """Fails the next so many writes or syncs."""

    def __init__(self) -> None:
        self.writes = 0
        self.syncs = 0

    def write(self, fd: int, data: bytes) -> int:
        if self.writes:
            self.writes -= 1
            return super().write(fd, data[: len(data) // 3])
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        if self.syncs:
            self.syncs -= 1
            raise OSError(5, "EIO")
        super().sync(fd)


def insist(job: Callable[[], object]) -> None:
    """Try again after a failure, as the writer thread does; two faults at once are the most that a step prepares."""
    for _ in range(3):
        with suppress(AuditWriteFailedError):
            job()
            return
    raise AssertionError("the log did not come back")


STEPS = st.lists(st.one_of(
    st.tuples(st.just("batch"), st.integers(1, 30)), st.tuples(st.just("wait"), st.integers(1, 120)),
    st.tuples(st.just("tick"), st.just(0)), st.tuples(st.just("write"), st.just(1)), st.tuples(st.just("sync"),
        st.just(1)),
    st.tuples(st.just("crash"), st.integers(0, 200)),
), min_size=1, max_size=14)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.booleans())
def test_whatever_happens_the_log_is_whole(steps: list[tuple[str, int]], closes: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        files, hand = Flaky(), Hand()
        acknowledged: list[str] = []
        number, starts = 0, 0

        def fresh() -> Made:
            options = settings_for(directory, segment_max_bytes=9_000, checkpoint_max_records=20)
            made = Made(directory, files=files, hand=hand, settings=options, tag=starts.to_bytes(4, "big"))
            remains = recovery.find_remains([directory], files, made.writer)
            made.write([item.record(hand.now) for item in remains])
            recovery.mark([directory], remains, made.writer)
            return made

        made = fresh()
        for what, size in steps:
            if what == "batch":
                batch = [use(number + offset, hand.now) for offset in range(size)]
                insist(partial(made.ledger.append, batch))
                acknowledged += [f"r{number + offset}" for offset in range(size)]
                number += size
            elif what == "wait":
                hand.move(size)
            elif what == "tick":
                insist(made.ledger.tick)
            elif what == "write":
                files.writes = 1
            elif what == "sync":
                files.syncs = 1
            else:
                made.crash()
                torn = made.segments[-1].path
                torn.write_bytes(torn.read_bytes() + b'{"@timestamp":"2026' * bool(size) + b"x" * size)
                starts += 1
                hand.move(1)
                files.writes = files.syncs = 0
                made = fresh()
        files.writes = files.syncs = 0
        if closes:
            made.close()
        else:
            made.crash()
        found = [
            item.document["http.request.id"]
            for item in search([directory], Filter(actions=frozenset(["proxy.allowed"])))
        ]
        assert found == acknowledged
        ours = verify([directory], trusting())
        theirs = independent.verify(directory, [independent.Key(key().vkey)], [])
        assert ours.verdict == theirs.verdict
        assert [item for item in ours.findings if item.severity == "tampered"] == []
        assert hand.now >= START
        if closes:
            assert ours.verdict == "intact"
