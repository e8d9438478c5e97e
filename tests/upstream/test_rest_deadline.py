"""One deadline for a whole call: the route's time governs each wait on the way, and each end has its own refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.injection import passed_headers
from gateway.policy.routes import Route
from gateway.upstream.answer import Answer
from gateway.upstream.dial import Dialler
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.http import HttpLeg
from gateway.upstream.login import Denied, Granted
from gateway.upstream.rest import Refuge, RestRelay
from gateway.upstream.settings import LegSettings
from gateway.upstream.token_state import FetchFailure
from gateway.upstream.tokens import WAIT_S, TokenBroker
from tests.upstream.misbehaving import Peer, Script, upstream_of
from tests.upstream.test_rest import CLOSER, OLD_TOKEN, Login, permit_for, route, whole

PATIENT = LegSettings(
    max_connections=1, pool_wait_s=60, connect_timeout_s=60, dns_timeout_s=60, read_timeout_s=60, write_timeout_s=60,
    tick_s=0.01,
)  # fmt: skip
"""No bound of the leg's own ends anything within a test: what ends it is the deadline."""
SOON_S = 0.1


class SilentLogin:
    """A login host that never answers."""

    async def ask(self, client_id: str, secret: str) -> Granted:
        await asyncio.Event().wait()
        raise AssertionError("not reached")


@asynccontextmanager
async def relay_to(script: Script, login: Any = None) -> AsyncIterator[tuple[RestRelay, HttpLeg]]:
    """A relay whose leg has all the time of the world."""
    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url, PATIENT)
        desk = login if login is not None else Login()
        tokens = TokenBroker([CLOSER], lambda _: desk)
        try:
            yield RestRelay(lambda _: leg, tokens), leg
        finally:
            await tokens.close()
            await leg.close()


async def refused(relay: RestRelay, one: Route) -> tuple[Reason, float]:
    """Why the call was refused, and after how many seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(Refusal) as caught:
        await relay.call(permit_for(one), passed=passed_headers([]), body=b"", request_id="r")
    return caught.value.reason, loop.time() - began


async def silent(peer: Peer) -> None:
    """Take the request and say nothing."""
    await peer.request()
    await peer.gone()


async def test_a_token_that_does_not_come_ends_with_the_routes_time() -> None:
    async with relay_to(silent, SilentLogin()) as (relay, _):
        reason, took_s = await refused(relay, route(timeout_s=SOON_S))
    assert reason is errors.TOKEN_UNAVAILABLE
    assert took_s < WAIT_S


async def test_a_place_in_the_pool_that_does_not_come_free_ends_with_the_routes_time() -> None:
    async with relay_to(silent) as (relay, leg):
        loop = asyncio.get_running_loop()
        holder = asyncio.create_task(leg.request("GET", b"/", [], deadline=loop.time() + 60, idempotent=True))
        while leg.stats().active == 0:
            await asyncio.sleep(0)
        reason, took_s = await refused(relay, route(timeout_s=SOON_S))
        holder.cancel()
    assert reason is errors.UPSTREAM_BUSY
    assert took_s < PATIENT.pool_wait_s


async def test_a_connection_that_does_not_come_about_ends_with_the_routes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: Dialler, make: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        await asyncio.Event().wait()
        return make()

    monkeypatch.setattr(Dialler, "open", never)
    async with relay_to(silent) as (relay, _):
        reason, took_s = await refused(relay, route(timeout_s=SOON_S))
    assert reason is errors.UPSTREAM_UNREACHABLE
    assert took_s < PATIENT.connect_timeout_s


async def test_a_head_that_does_not_come_ends_with_the_routes_time() -> None:
    async with relay_to(silent) as (relay, _):
        reason, took_s = await refused(relay, route(timeout_s=SOON_S))
    assert reason is errors.UPSTREAM_TIMEOUT
    assert took_s < PATIENT.read_timeout_s


async def test_a_small_body_that_does_not_end_ends_with_the_routes_time() -> None:
    async def half(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        await peer.gone()

    async with relay_to(half) as (relay, _):
        reason, took_s = await refused(relay, route(timeout_s=SOON_S))
    assert reason is errors.UPSTREAM_TIMEOUT
    assert took_s < PATIENT.read_timeout_s


async def test_a_stream_that_does_not_go_on_ends_with_the_routes_time() -> None:
    async def half(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 900000\r\n\r\n", b"x" * 200)
        await peer.gone()

    async with relay_to(half) as (relay, _):
        permit = permit_for(route(timeout_s=SOON_S))
        answer = await relay.call(permit, passed=passed_headers([]), body=b"", request_id="r")
        with pytest.raises(UpstreamFault) as caught:
            async for _ in answer.stream():
                pass
    assert caught.value.kind is FaultKind.TOTAL_TIMEOUT


async def test_what_breaks_before_an_answer_is_not_a_time_out() -> None:
    async def cut(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with relay_to(cut) as (relay, _):
        reason, _ = await refused(relay, route(timeout_s=30.0, retry="never"))
    assert (reason, reason.status) == (errors.UPSTREAM_UNREACHABLE, 502)


class Deadlines(HttpLeg):
    """Writes down the deadline of each request."""

    def __init__(self, url: str, said: list[float]) -> None:
        super().__init__(url, PATIENT)
        self.said = said

    async def send(self, *request: Any, deadline: float, **more: Any) -> Answer:
        self.said.append(deadline)
        return await super().send(*request, deadline=deadline, **more)


@pytest.mark.parametrize("ill", ["401", "elsewhere"])
async def test_a_second_try_has_what_is_left_and_not_the_routes_time_anew(ill: str) -> None:
    """Neither a new token after a 401 nor another region begins the time again."""
    said: list[float] = []
    answers = iter([whole(OLD_TOKEN, 401), whole(b"{}")] if ill == "401" else [whole(b"{}")])

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(next(answers))

    class FirstOrgHasNone(Login):
        async def ask(self, client_id: str, secret: str) -> Granted | Denied:  # type: ignore[override]  # may deny
            return await super().ask(client_id, secret) if client_id == "id-2" else Denied(FetchFailure.INVALID_CLIENT)

    other = CLOSER.__class__("other", "us-east-1", CLOSER.login_url, "closer", "id-2", "secret")
    async with upstream_of(script) as upstream:
        leg, moved = Deadlines(upstream.url, said), ill == "elsewhere"
        login = FirstOrgHasNone() if moved else Login()
        tokens = TokenBroker([CLOSER, other], lambda _: login)

        loop, begun_again = asyncio.get_running_loop(), [0.0]

        def refuge_of(org: str) -> Refuge | None:
            begun_again[0] = loop.time()
            return ("other", "us-east-1")

        before = loop.time()
        relay = RestRelay(lambda _: leg, tokens, refuge_of=refuge_of)
        answer = await relay.call(permit_for(route(timeout_s=7.0)), passed=passed_headers([]), body=b"", request_id="r")
        if not moved:
            begun_again[0] = loop.time()
        await tokens.close()
        await leg.close()
    assert (answer.status, answer.moved_to) == (200, "us-east-1" if moved else None)
    assert len(said) == (1 if moved else 2)
    assert len(set(said)) == 1
    assert before <= said[0] - 7.0 + 1e-6 < begun_again[0]
