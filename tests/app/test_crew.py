"""Who is replaced when, and what all workers do together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.app import crew as crew_module
from gateway.app.crew import LOOK_EVERY_S, Crew
from gateway.app.worker_process import WorkerFailed
from gateway.config.load import Loaded, load
from gateway.config.shipped import shipped_config
from gateway.errors import ConfigFault
from gateway.observe.supervisor_metrics import SupervisorMetrics
from tests.app.hands import Hand, Hire, Sleeps


def loaded(**flags: object) -> Loaded:
    return load(shipped_config(), {}, {"server.drain_s": 0, **{k.replace("__", "."): v for k, v in flags.items()}})


class Post:
    """A crew, those it hires, and what it counts."""

    def __init__(self) -> None:
        self.hire, self.sleeps, self.metrics = Hire(), Sleeps(), SupervisorMetrics()
        self.left: list[int] = []
        self.crew = Crew(self.hire, loaded(), self.metrics, self.left.append, self.sleeps)

    def exits(self, reason: str) -> float:
        return self.metrics.exits.child(reason).value

    def hand(self, slot: int) -> Hand:
        found = self.crew.serving[slot]
        assert isinstance(found, Hand)
        return found


@asynccontextmanager
async def manned(count: int) -> AsyncIterator[Post]:
    post = Post()
    await post.crew.fill(count)
    yield post
    await post.crew.stop()


async def until(holds: Any) -> None:
    """Let the others go on until something holds."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0)


async def test_each_slot_has_a_worker() -> None:
    async with manned(3) as post:
        assert sorted(post.crew.serving) == [0, 1, 2]
        assert post.crew.wanted == 3
        assert b"gateway_workers 3.0" in post.metrics.exposition("")[0]
        assert b"gateway_workers_wanted 3.0" in post.metrics.exposition("")[0]
    assert post.crew.serving == {}
    assert all(hand.is_told_to_end for hand in post.hire.hands)


async def test_a_worker_that_does_not_come_up_at_the_start_ends_the_start() -> None:
    post = Post()
    post.hire.refuse = [ConfigFault([("audit.dir", "cannot be written")])]
    with pytest.raises(ConfigFault, match=r"audit\.dir"):
        await post.crew.fill(3)
    assert len(post.hire.hands) == 2
    assert all(hand.is_told_to_end for hand in post.hire.hands)


@pytest.mark.parametrize(("status", "reason"), [(-11, "signal"), (1, "status"), (0, "status")])
async def test_a_worker_that_ends_is_counted_and_replaced(status: int, reason: str) -> None:
    async with manned(2) as post:
        gone = post.hand(1)
        gone.end(status)
        await post.hire.another()
        await until(lambda: 1 in post.crew.serving)
        assert post.hand(1) is not gone
        assert post.exits(reason) == 1
        assert post.left == [1]
        assert post.sleeps.lengths == [0.0]


async def test_one_that_keeps_ending_is_replaced_ever_more_slowly() -> None:
    async with manned(1) as post:
        for _ in range(4):
            before = len(post.hire.hands)
            post.hand(0).end(1)
            post.sleeps.over()
            await until(lambda before=before: len(post.hire.hands) > before and 0 in post.crew.serving)
        assert post.sleeps.lengths == [0.0, 0.5, 1.0, 2.0]


async def test_a_replacement_that_does_not_come_up_is_tried_again() -> None:
    async with manned(1) as post:
        post.hire.refuse = [WorkerFailed("no memory"), WorkerFailed("no memory")]
        gone = post.hand(0)
        gone.end(-9)
        post.sleeps.over(2)
        await until(lambda: post.crew.serving.get(0) not in {None, gone})
        assert post.metrics.start_failures.value == 2
        assert post.sleeps.lengths == [0.0, 0.5, 1.0]


async def test_a_restart_starts_each_successor_before_its_worker_leaves() -> None:
    async with manned(2) as post:
        old = [post.hand(0), post.hand(1)]
        told: list[list[bool]] = []
        post.hire.prepare = lambda _hand: told.append([one.is_told_to_end for one in old])
        assert await post.crew.restart() is True
        assert told == [[False, False], [True, False]]
        assert all(one.is_told_to_end for one in old)
        assert not {post.hand(0), post.hand(1)} & set(old)
        assert post.metrics.restarts.value == 2
        assert post.exits("signal") + post.exits("status") == 0


async def test_a_restart_whose_successor_does_not_come_up_keeps_the_old_workers() -> None:
    async with manned(2) as post:
        old = [post.hand(0), post.hand(1)]
        post.hire.refuse = [WorkerFailed("the new version does not start")]
        assert await post.crew.restart() is False
        assert [post.hand(0), post.hand(1)] == old
        assert not any(one.is_told_to_end for one in old)
        assert post.metrics.start_failures.value == 1


async def test_one_that_does_not_end_in_time_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "LAST_WORDS_S", 0.0)
    async with manned(1) as post:
        post.hand(0).minds_sigterm = False
        assert await post.crew.restart() is True
        assert post.exits("overdue") == 1


async def test_a_configuration_takes_force_in_all_or_in_none() -> None:
    async with manned(2) as post:
        post.hand(1).says["prepare"] = {"says": "refused", "reason": "ConfigFault", "keys": ["a.b"]}
        assert await post.crew.reload(loaded(sites__shop__locale="de"), 2) is False
        for slot in (0, 1):
            assert [message["do"] for message in post.hand(slot).heard] == ["prepare", "reject"]
        assert post.hand(0).heard[1] == {"do": "reject", "reason": "ConfigFault", "keys": ["a.b"]}
        post.hand(0).end(-9)
        await post.hire.another()
        await until(lambda: 0 in post.crew.serving)
        assert post.hand(0).loaded == loaded()  # the one in force, not the one refused


async def test_one_that_cannot_take_what_all_have_prepared_is_replaced_by_one_that_has_it() -> None:
    async with manned(2) as post:
        failing, new = post.hand(1), loaded(sites__shop__locale="de")
        failing.says["take"] = {"says": "kept"}
        assert await post.crew.reload(new, 2) is True
        await until(lambda: post.crew.serving.get(1) not in {None, failing})
        assert post.hand(1).loaded == new


async def test_one_that_hangs_while_all_prepare_is_replaced() -> None:
    async with manned(2) as post:
        hanging, new = post.hand(0), loaded(sites__shop__locale="de")
        hanging.says["prepare"] = None
        assert await post.crew.reload(new, 2) is True
        await until(lambda: post.crew.serving.get(0) not in {None, hanging})
        assert post.hand(0).loaded == new
        assert post.exits("overdue") == 1


async def test_what_was_not_even_offered_is_noted_by_all() -> None:
    async with manned(2) as post:
        await post.crew.reject("ConfigFault", ["nonsense"])
        assert all(
            hand.heard == [{"do": "reject", "reason": "ConfigFault", "keys": ["nonsense"]}] for hand in post.hire.hands
        )


async def test_a_reload_may_ask_for_more_or_fewer() -> None:
    async with manned(1) as post:
        assert await post.crew.reload(loaded(), 3) is True
        assert sorted(post.crew.serving) == [0, 1, 2]
        leaving = post.hand(2)
        assert await post.crew.reload(loaded(), 2) is True
        assert sorted(post.crew.serving) == [0, 1]
        assert leaving.is_told_to_end
        assert post.left == [2]
        post.hire.refuse = [WorkerFailed("no memory")]
        assert await post.crew.reload(loaded(), 3) is True
        await until(lambda: 2 in post.crew.serving)  # tried again, as for one that ended


async def test_one_that_does_not_answer_three_times_in_a_row_is_replaced() -> None:
    async with manned(2) as post:
        looking = asyncio.create_task(post.crew.look_after())
        hanging = post.hand(1)
        hanging.shows["/healthz"] = None
        for times in (1, 2):
            await until(lambda times=times: post.sleeps.lengths.count(LOOK_EVERY_S) == times)
            post.sleeps.over()
        await until(lambda: post.sleeps.lengths.count(LOOK_EVERY_S) == 3)
        assert post.hand(1) is hanging
        hanging.shows["/healthz"] = b"ok\n"
        post.sleeps.over()
        for times in (4, 5, 6):  # what was missed before does not count any more
            await until(lambda times=times: post.sleeps.lengths.count(LOOK_EVERY_S) == times)
            hanging.shows["/healthz"] = None
            post.sleeps.over()
        await until(lambda: post.crew.serving.get(1) not in {None, hanging})
        assert post.exits("overdue") == 1
        assert not post.hand(0).is_told_to_end
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def test_nobody_is_replaced_once_all_are_told_to_end() -> None:
    post = Post()
    await post.crew.fill(2)
    post.hire.refuse = [WorkerFailed("never")] * 100
    post.hand(0).end(-9)
    await until(lambda: post.sleeps.lengths == [0.0, 0.5])
    async with asyncio.timeout(30):
        await post.crew.stop()
    assert post.crew.is_stopping
    assert len(post.hire.hands) == 2
