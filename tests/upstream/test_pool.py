"""Who gets a connection next: in order, within the bound, and nobody's place is lost when someone goes away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
import uvloop

from gateway.upstream.answer import Answer
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.http import HttpLeg
from gateway.upstream.pool import Pool
from tests.upstream.misbehaving import Peer, upstream_of
from tests.upstream.test_http import OK, PATIENT, ask, echo, leg_to, pause

ONE = replace(PATIENT, max_connections=1)


async def test_those_who_wait_are_served_in_order() -> None:
    order: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            _, _, body = await peer.request()
            order.append(body)
            await peer.answer(body)

    async with leg_to(script, ONE) as (leg, upstream):
        tasks = [asyncio.create_task(ask(leg, "POST", b"%d" % number)) for number in range(20)]
        await asyncio.gather(*tasks)
        assert order == [b"%d" % number for number in range(20)]
        assert upstream.connections == 1


async def test_place_of_a_lost_connection_goes_to_the_next_in_line() -> None:
    arrived = asyncio.Event()

    async def script(peer: Peer) -> None:
        _, _, body = await peer.request()
        if peer.number == 1:
            arrived.set()
            await peer.reader.read(1)
        await peer.answer(body)

    async with leg_to(script, ONE) as (leg, _):
        first = asyncio.create_task(ask(leg, "POST", b"first"))
        await arrived.wait()
        second = asyncio.create_task(ask(leg, "POST", b"second"))
        await asyncio.sleep(0)
        first.cancel()
        assert await (await second).read(9) == b"second"


class Paper(asyncio.Transport):
    """A transport that takes everything and sends nothing."""

    def write(self, data: object) -> None:
        """Take it."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Stay."""


async def test_connection_handed_to_one_who_leaves_in_that_instant_goes_to_the_next() -> None:
    loop = asyncio.get_running_loop()

    async def open_(factory: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        protocol = factory()
        protocol.connection_made(Paper())
        return protocol

    pool = Pool(loop, ONE, open_)
    connection = await pool.acquire(loop.time() + 9)
    exchange = asyncio.create_task(connection.exchange("GET", b"GET / HTTP/1.1\r\n\r\n", loop.time() + 9))
    second, third = (asyncio.create_task(pool.acquire(loop.time() + 9)) for _ in range(2))
    await asyncio.sleep(0)
    connection.data_received(OK + b"Content-Length: 0\r\n\r\n")  # hands it to the second
    second.cancel()
    assert await asyncio.wait_for(third, 30) is connection
    assert (await exchange).status == 200
    assert second.cancelled()
    connection.connection_lost(None)
    assert (pool.stats().active, pool.stats().waiting) == (0, 0)
    await pool.close()


async def test_idle_connection_makes_room_for_a_fresh_one() -> None:
    async def script(peer: Peer) -> None:
        while True:
            _, _, body = await peer.request()
            if peer.number == 1 and body == b"":
                peer.reset()
            await peer.answer(b"ok")

    async with leg_to(script, ONE) as (leg, upstream):
        await (await ask(leg, "POST", b"x")).read(9)
        assert await (await ask(leg, "GET")).read(9) == b"ok"  # cut, then repeated on a fresh connection
        assert upstream.connections == 2


async def test_closing_refuses_those_who_wait_and_cuts_what_is_under_way() -> None:
    arrived = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await peer.gone()

    async with leg_to(script, ONE) as (leg, _):
        under_way = asyncio.create_task(ask(leg, "POST"))
        await arrived.wait()
        waiting = asyncio.create_task(ask(leg, "POST"))
        await asyncio.sleep(0)
        await leg.close()
        for task, kind in ((under_way, FaultKind.RESET), (waiting, FaultKind.POOL_EXHAUSTED)):
            with pytest.raises(UpstreamFault) as caught:
                await task
            assert caught.value.kind is kind


async def test_leg_closed_before_its_first_request_refuses() -> None:
    leg = HttpLeg("http://127.0.0.1:1")
    assert leg.stats().idle == 0
    await leg.close()
    with pytest.raises(UpstreamFault, match="closed"):
        await ask(leg)


async def crowd(seed: int) -> None:
    """Many callers, few connections, an upstream that cuts some, callers who leave; nothing may be left over."""
    chance = random.Random(seed)

    async def script(peer: Peer) -> None:
        while True:
            _, _, body = await peer.request()
            mood = body[:1]
            if mood == b"r":
                peer.reset()
                return
            if mood == b"s":
                await pause(0.01)
            if mood == b"c":
                await peer.answer(body, extra=b"Connection: close\r\n")
                return
            await peer.answer(body)

    async def caller(leg: HttpLeg, number: int) -> None:
        body = b"%b-%d" % (chance.choice([b"r", b"s", b"c", b"o", b"o"]), number)
        task = asyncio.create_task(ask(leg, chance.choice(["POST", "PUT"]), body))
        if chance.random() < 0.3:
            asyncio.get_running_loop().call_later(chance.random() * 0.02, task.cancel)
        with suppress(UpstreamFault, asyncio.CancelledError):
            answer = await task
            assert isinstance(answer, Answer)
            assert await answer.read(99) == body  # never another caller's

    settings = replace(PATIENT, max_connections=3)
    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url, settings)
        await asyncio.gather(*(caller(leg, number) for number in range(150)))
        body = b"o-last"
        assert await (await ask(leg, "POST", body)).read(99) == body
        stats = leg.stats()
        assert (stats.active, stats.waiting) == (0, 0)
        assert 1 <= stats.idle <= 3
        await leg.close()
        assert leg.stats().idle == 0


@pytest.mark.parametrize("seed", range(4))
async def test_crowd_leaves_nothing_behind_and_nobody_gets_anothers_answer(seed: int) -> None:
    await crowd(seed)


def test_crowd_on_uvloop() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(crowd(99))


async def test_deadline_ends_waiting_before_the_pools_own_patience() -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await go.wait()
        await echo(peer)

    async with leg_to(script, ONE) as (leg, _):
        holder = asyncio.create_task(ask(leg, "POST"))
        await asyncio.sleep(0)
        with pytest.raises(UpstreamFault, match="no connection came free"):
            await ask(leg, "POST", within_s=0.05)
        holder.cancel()
        go.set()
