"""Too much at once, too often, or towards somebody who is ill: refused early, saying which limit and when again."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from gateway.app.running import Running
from tests.must_hold.test_regions import read, two_regions, waits
from tests.must_hold.wire import ORIGIN, WAYS, Behind, running_wire
from tests.upstream.misbehaving import Peer

SESSION: Final = (
    f"POST /sites/shop/session HTTP/1.1\r\nHost: a\r\nOrigin: {ORIGIN}\r\nContent-Type: application/json\r\n"
    "Content-Length: 2\r\n\r\n{}"
).encode()
BREAKER: Final = re.compile(r'gateway_circuit_breaker_open\{region="([^"]*)",upstream="api"\} (\S+)')
LIMITERS: Final = {
    "address": "limits.requests_per_address_per_min",
    "origin": "limits.requests_per_origin_per_min",
    "site": "limits.requests_per_site_per_min",
    "guest": "limits.requests_per_guest_per_min",
    "route": "routes.0.limit_per_min",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limiter", LIMITERS)
async def test_each_limit_refuses_with_its_name_and_the_time_to_come_again(
    tmp_path: Path, limiter: str, way: str
) -> None:
    async with running_wire(tmp_path, {LIMITERS[limiter]: 8}) as wire:
        passed, refused = 0, None
        for _ in range(20):
            answer = await wire.ask(wire.post(), way)
            if answer.status != 200:
                refused = answer
                break
            passed += 1
            assert answer.headers["ratelimit"].startswith('"')
        assert refused is not None
        assert 0 < passed <= 8
        assert (refused.status, refused.code) == (429, "limit.rate")
        assert limiter in str(refused.body)
        assert refused.headers["ratelimit"].startswith(f'"{limiter}";r=0;t=')
        assert refused.headers["ratelimit-policy"].startswith(f'"{limiter}";')
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["access-control-allow-origin"] == ORIGIN
        assert len(wire.behind.seen) == passed


async def test_sessions_of_one_address_have_a_limit_of_their_own(tmp_path: Path) -> None:
    async with running_wire(tmp_path, {"limits.sessions_per_address_per_min": 4}) as wire:
        statuses = [(await wire.ask(SESSION)).status for _ in range(6)]
        assert statuses == [201] * statuses.count(201) + [429] * statuses.count(429)
        assert 429 in statuses
        assert (await wire.ask(wire.post())).status == 200  # the guests that are here are not held up


@pytest.mark.parametrize("way", WAYS)
async def test_more_calls_at_once_than_the_node_takes_are_shed_at_once_and_not_queued(tmp_path: Path, way: str) -> None:
    release, under_way = asyncio.Event(), asyncio.Semaphore(0)

    async def script(peer: Peer) -> None:
        under_way.release()
        await release.wait()
        await Behind().script(peer)

    async with running_wire(tmp_path, {"limits.concurrent_requests": 3}, script) as wire:
        calls = [asyncio.create_task(wire.ask(wire.post(), WAYS[0])) for _ in range(3)]
        async with asyncio.timeout(60):
            for _ in calls:
                await under_way.acquire()
        shed = await wire.ask(wire.post(), way)
        assert (shed.status, shed.code, shed.headers["retry-after"]) == (503, "limit.overloaded", "1")
        assert len(wire.behind.seen) == 3
        release.set()
        assert [answer.status for answer in await asyncio.gather(*calls)] == [200] * 3
        assert (await wire.ask(wire.post(), way)).status == 200
        assert (await wire.refusals())["limit.overloaded"] == 1


async def breakers(run: Running) -> dict[str, float]:
    """Whether calls to the API are held back, by region, as metrics tell it."""
    async with aiohttp.ClientSession() as client, client.get(f"{run.admin_url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    found = {match[1]: float(match[2]) for line in lines if (match := BREAKER.fullmatch(line))}
    assert found, lines
    return found


async def test_a_breaker_opens_for_one_upstream_in_one_region_and_a_probe_closes_it(tmp_path: Path) -> None:
    async with two_regions(tmp_path) as (run, ireland, tokyo):
        for site in ("shop", "bank"):
            assert (await read(run, site))[0] == 200
        ireland.world.faults.add("api", "reset", count=None)
        async with asyncio.timeout(60):
            while (await breakers(run))["eu-west-1"] != 1.0:
                status, body = await read(run, "shop")
                assert (status, str(body["code"]).partition(".")[0]) in {(502, "upstream"), (503, "upstream")}
        assert (await breakers(run))["ap-northeast-1"] == 0.0
        assert (await read(run, "bank"))[0] == 200  # the other region goes on
        assert waits(tokyo) == 2
        ireland.world.faults.orders.clear()
        async with asyncio.timeout(60):
            while (await read(run, "shop"))[0] != 200:
                await asyncio.sleep(0.05)  # the breaker's pause is real time
        assert (await breakers(run))["eu-west-1"] == 0.0
