"""Whatever the token endpoint does: no expired or foreign token, one fetch at a time, and a 503 that says when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from gateway.app.gateway import Surroundings
from gateway.app.running import reload, running
from gateway.mock.default_world import default_world
from gateway.mock.server import MockSettings, RunningMock, running_mock
from gateway.mock.world import World
from tests.conversations import put_conversation
from tests.stack import BACKEND_KEY, QUEUE, Stack, compiled, mock_flags, running_stack, whole_stack

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"


def by_fault(kind: str, **more: float) -> Callable[[World], None]:
    def order(world: World) -> None:
        world.faults.add("login", kind, count=None, **more)  # type: ignore[arg-type]  # seconds and status alike

    return order


def disabled(world: World) -> None:
    for client in world.clients.values():
        client.active = False


ILLS: dict[str, Callable[[World], None]] = {
    "down": by_fault("reset"), "slow": by_fault("slow", seconds=60.0), "429": by_fault("429"), "503": by_fault("503"),
    "garbage": by_fault("garbage"), "empty": by_fault("empty"), "html": by_fault("html"),
    "wrong region": by_fault("wrong_region"), "disabled client": disabled,
}  # fmt: skip


@pytest.mark.parametrize("ill", ILLS)
async def test_none_to_be_had_is_a_503_that_says_when_and_nothing_goes_to_genesys(tmp_path: Path, ill: str) -> None:
    world = default_world()
    ILLS[ill](world)
    flags = {"routes.0.timeout_s": 2.0}
    async with running_mock(MockSettings.free_ports(), world) as mock:
        config = compiled({**mock_flags(mock), **flags})
        async with running(config, Surroundings(tmp_path)) as run:
            stack = Stack(run.gateway, mock, run.url, run.admin_url, aiohttp.ClientSession())
            async with stack.client:
                answers = await asyncio.gather(*(_ask(stack) for _ in range(30)))
    for status, headers, body in answers:
        assert (status, body["code"]) == (503, "token.unavailable"), body
        assert int(headers["Retry-After"]) >= 1
    assert [e for e in world.recorder.entries if e.target == "api" and e.path == WAIT] == []
    per_client = [e for e in world.recorder.entries if e.target == "login"]
    assert len(per_client) <= 2 * 2 * 4, "two clients, one quick retry each, and a pause of a second in between"


async def _ask(stack: Stack) -> tuple[int, dict[str, str], dict[str, object]]:
    async with stack.client.get(stack.url + WAIT, headers={"Authorization": f"Bearer {BACKEND_KEY}"}) as answer:
        return answer.status, dict(answer.headers), await answer.json()


async def test_a_thousand_concurrent_first_requests_cause_one_fetch(tmp_path: Path) -> None:
    world = default_world()
    world.faults.add("login", "slow", count=None, seconds=0.3)
    async with running_mock(MockSettings.free_ports(), world) as mock:
        flags = {f"limits.requests_per_{who}_per_min": 1_000_000 for who in ("address", "origin", "site")}
        flags["limits.concurrent_requests"] = 2_000
        async with running_stack(compiled({**mock_flags(mock), **flags}), tmp_path, mock) as stack:
            stack.gateway.tokens.replace([])
            stack.gateway.tokens.replace(stack.gateway.rules.credentials)
            before = logins(mock)
            bearers = await asyncio.gather(*(stack.gateway.tokens.bearer("acme", "reader") for _ in range(1_000)))
            assert len({id(bearer) for bearer in bearers}) == 1
            assert logins(mock) - before == 1
            answers = await asyncio.gather(*(_ask(stack) for _ in range(100)))
            assert {status for status, _, _ in answers} == {200}
            assert logins(mock) - before == 1


def logins(mock: RunningMock) -> int:
    return sum(entry.target == "login" for entry in mock.world.recorder.entries)


async def test_a_secret_rotated_under_load_never_puts_a_dead_or_foreign_token_on_the_wire(tmp_path: Path) -> None:
    world = default_world()
    world.rates.update({name: replace(rate, count=1_000_000) for name, rate in world.rates.items()})
    wide = {"limits.requests_per_address_per_min": 1_000_000}  # how many calls come depends on the machine
    async with (
        running_mock(MockSettings.free_ports(), world) as mock,
        running_stack(compiled({**mock_flags(mock), **wide}), tmp_path, mock) as stack,
    ):
        reader = world.client_named("reader")
        assert reader is not None
        stop = asyncio.Event()
        statuses: list[int] = []

        async def load() -> None:
            while not stop.is_set():
                statuses.append((await _ask(stack))[0])

        tasks = [asyncio.create_task(load()) for _ in range(4)]
        for number in range(3):
            secret = f"rotated-secret-number-{number}"
            world.rotate_secret(reader, secret)
            changed = {**mock_flags(mock), **wide, "orgs.acme.clients.reader.secret": secret}
            assert await reload(stack.gateway, partial(compiled, changed), time.time)
            assert (await _ask(stack))[0] == 200
        stop.set()
        await asyncio.gather(*tasks)
        assert set(statuses) == {200}
        carried = [e for e in world.recorder.entries if e.path == WAIT]
        assert {e.bearer_of for e in carried} == {"client reader"}
        assert {e.status for e in carried} == {200}


async def test_a_token_that_dies_early_is_dropped_minted_once_and_the_call_replayed(tmp_path: Path) -> None:
    """The idle time-out: 401 before its time. The caller notices nothing."""
    async with whole_stack(tmp_path) as stack:
        before = logins(stack.mock)
        stack.mock.world.access_tokens.clear()
        answers = await asyncio.gather(*(_ask(stack) for _ in range(20)))
        assert {status for status, _, _ in answers} == {200}
        assert logins(stack.mock) - before == 1


async def test_a_token_that_dies_early_keeps_nobody_from_its_own_conversation(tmp_path: Path) -> None:
    """The ownership client's token dies too, and no call of its own would ever replace it."""
    async with whole_stack(tmp_path) as stack:
        conversation = put_conversation(stack.mock.world)
        stack.mock.world.access_tokens.clear()
        path = f"/api/v2/conversations/{conversation.id}"
        async with stack.client.get(stack.url + path, headers={"Authorization": f"Bearer {BACKEND_KEY}"}) as answer:
            assert (answer.status, (await answer.json())["id"]) == (200, conversation.id)
