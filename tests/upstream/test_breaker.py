"""The breaker as a script and as properties: when it opens, who probes, and that it never stays shut out."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.breaker import (
    Admission,
    Breaker,
    BreakerRules,
    BreakerState,
    Phase,
    admit,
    failed,
    given_up,
    succeeded,
)
from gateway.upstream.budget import RetryBudget
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.http import HttpLeg
from tests.upstream.misbehaving import Peer, upstream_of
from tests.upstream.test_http import Heard, ask, pause

RULES = BreakerRules(failures_to_open=3, open_s=1.0, open_max_s=2.5, probe_s=10.0)
OPEN = BreakerState(Phase.OPEN, openings=1, until=1.0)


def test_opens_after_a_row_of_failures_and_any_success_breaks_the_row() -> None:
    state = BreakerState()
    for _ in range(2):
        state = failed(state, RULES, Admission.PASS, 0.0)
    state = succeeded(state, Admission.PASS)
    for number in range(3):
        assert state.phase is Phase.CLOSED, number
        state = failed(state, RULES, Admission.PASS, 0.0)
    assert (state.phase, state.until) == (Phase.OPEN, 1.0)


def test_one_probe_at_a_time_after_the_pause() -> None:
    assert admit(OPEN, RULES, 0.9)[1] is Admission.REFUSED
    state, first = admit(OPEN, RULES, 1.0)
    state, second = admit(state, RULES, 1.0)
    assert (first, second) == (Admission.PROBE, Admission.REFUSED)


def test_probe_decides() -> None:
    state, probe = admit(OPEN, RULES, 1.0)
    assert succeeded(state, probe) == BreakerState()
    again = failed(state, RULES, probe, 1.5)
    assert (again.phase, again.until) == (Phase.OPEN, 3.5)
    for now in (3.5, 7.0, 12.0):
        half, probe = admit(again, RULES, now)
        again = failed(half, RULES, probe, now)
        assert again.until == now + RULES.open_max_s


def test_old_requests_prove_nothing_about_now() -> None:
    half, _ = admit(OPEN, RULES, 1.0)
    for state in (OPEN, half):
        assert succeeded(state, Admission.PASS) is state
        assert failed(state, RULES, Admission.PASS, 1.0) is state
        assert given_up(state, Admission.PASS, 1.0) is state


def test_probe_whose_caller_went_away_frees_its_place() -> None:
    half, probe = admit(OPEN, RULES, 1.0)
    assert admit(given_up(half, probe, 1.1), RULES, 1.1)[1] is Admission.PROBE


def test_probe_that_never_reports_does_not_lock_the_door() -> None:
    half, _ = admit(OPEN, RULES, 1.0)
    assert admit(half, RULES, 10.9)[1] is Admission.REFUSED
    assert admit(half, RULES, 11.0)[1] is Admission.PROBE


MOVES = st.lists(st.tuples(st.sampled_from(["ok", "bad", "gone"]), st.floats(0, 3)), max_size=60)


@given(moves=MOVES)
def test_at_most_one_probe_is_out_and_a_healed_upstream_is_found_in_bounded_time(
    moves: list[tuple[str, float]],
) -> None:
    state, now = BreakerState(), 0.0
    for move, wait_s in moves:
        now += wait_s
        state, admission = admit(state, RULES, now)
        if admission is Admission.REFUSED:
            assert state.until - now <= RULES.open_max_s + 1e-6  # sums of floats
            continue
        if admission is Admission.PROBE:
            assert admit(state, RULES, now)[1] is Admission.REFUSED
        if move == "ok":
            state = succeeded(state, admission)
            assert state == BreakerState()
        elif move == "bad":
            state = failed(state, RULES, admission, now)
        else:
            state = given_up(state, admission, now)
    now += RULES.open_max_s + 1e-6
    state, admission = admit(state, RULES, now)
    assert admission is not Admission.REFUSED
    assert succeeded(state, admission).phase is Phase.CLOSED


async def test_leg_stops_asking_a_dead_upstream_and_finds_it_again() -> None:
    ill = True

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            if ill:
                peer.reset()
            await peer.answer(b"ok")

    heard = Heard()
    async with upstream_of(script) as upstream:
        leg = HttpLeg(
            upstream.url,
            observer=heard,
            breaker=Breaker(BreakerRules(failures_to_open=2, open_s=0.05, open_max_s=0.05)),
        )
        for _ in range(2):
            with pytest.raises(UpstreamFault, match="reset"):
                await ask(leg, "POST")
        with pytest.raises(UpstreamFault) as caught:
            await ask(leg, "POST")
        assert (caught.value.kind, caught.value.retry_after_s, upstream.connections) == (FaultKind.BREAKER_OPEN, 1, 2)
        assert caught.value.refusal().code == "upstream.busy"
        ill = False
        async with asyncio.timeout(30):
            while ("answered", 200) not in heard.events:
                with suppress(UpstreamFault):  # refused until the pause is over
                    await ask(leg, "POST")
                await pause(0.01)
        assert [event for event in heard.events if event[0] == "breaker"] == [
            ("breaker", "open"), ("breaker", "half_open"), ("breaker", "closed"),
        ]  # fmt: skip
        await leg.close()


async def test_empty_budget_ends_retries() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url, budget=RetryBudget(ratio=0.0, reserve=1.0))
        for connections in (2, 3):
            with pytest.raises(UpstreamFault, match="reset"):
                await ask(leg, "GET")
            assert upstream.connections == connections
        await leg.close()


async def test_answers_of_an_ill_upstream_open_the_breaker_and_a_probe_given_up_frees_its_place() -> None:
    arrived, silent = asyncio.Event(), False

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            arrived.set()
            if silent:
                await peer.gone()
            await peer.answer(b"", 503)

    breaker = Breaker(BreakerRules(failures_to_open=2, open_s=0.001, open_max_s=0.001))
    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url, breaker=breaker)
        for _ in range(2):
            assert (await ask(leg, "POST")).status == 503
        assert str(breaker.state.phase) == "open"
        silent = True
        for _ in range(2):
            await pause(0.01)
            arrived.clear()
            probe = asyncio.create_task(ask(leg, "POST"))
            await arrived.wait()
            assert str(breaker.state.phase) == "half_open"
            probe.cancel()
            await asyncio.wait({probe})
        await leg.close()
