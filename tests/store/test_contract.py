"""The contract of `Store`, run over every implementation."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Protocol

import pytest

from gateway.store.base import TOMBSTONE_S, LimitAsk, OnceState, Revocation, Store


class Hand(Protocol):
    now: float

    def __call__(self) -> float: ...


async def test_a_session_is_found_until_its_time_has_passed(store: Store, clock: Hand) -> None:
    await store.put_session("s1", b"one", 60)
    clock.now += 59.9
    assert await store.get_session("s1") == b"one"
    clock.now += 0.1
    assert await store.get_session("s1") is None
    assert await store.get_session("never") is None


async def test_renewing_prolongs_a_living_session_only(store: Store, clock: Hand) -> None:
    await store.put_session("s1", b"one", 60)
    clock.now += 50
    assert await store.renew_session("s1", 60)
    clock.now += 50
    assert await store.get_session("s1") == b"one"
    clock.now += 10
    assert not await store.renew_session("s1", 60)
    assert await store.get_session("s1") is None


async def test_an_ended_session_cannot_be_renewed_or_replaced(store: Store) -> None:
    await store.put_session("s1", b"one", 60)
    assert await store.end_session("s1", 60)
    assert not await store.renew_session("s1", 60)
    assert not await store.replace_session("s1", b"one", b"two", 60)
    assert await store.get_session("s1") is None
    assert not await store.end_session("s1", 60)


async def test_of_two_writers_who_read_the_same_session_one_wins(store: Store) -> None:
    await store.put_session("s1", b"old", 60)
    won = await asyncio.gather(*(store.replace_session("s1", b"old", b"new%d" % n, 60) for n in range(8)))
    assert Counter(won) == {True: 1, False: 7}
    assert await store.get_session("s1") == b"new%d" % won.index(True)


async def test_ending_a_session_tells_the_listeners(store: Store, clock: Hand) -> None:
    heard: asyncio.Queue[Revocation] = asyncio.Queue()
    store.subscribe(heard.put_nowait)
    await store.put_session("s1", b"one", 60)
    await store.end_session("s1", 60)
    revocation = await asyncio.wait_for(heard.get(), 30)
    assert (revocation.subject, revocation.at, revocation.until) == ("session:s1", clock.now, clock.now + 60)
    assert await store.revoked_at(["session:s1", "session:s2"]) == (clock.now, None)


async def test_of_twenty_who_take_a_ticket_exactly_one_gets_it(store: Store) -> None:
    await store.put_once("ticket", "d1", b"secret", 30)
    results = await asyncio.gather(*(store.take_once("ticket", "d1") for _ in range(20)))
    assert Counter(result.state for result in results) == {OnceState.TAKEN: 1, OnceState.USED: 19}
    assert {result.value for result in results} == {b"secret"}


async def test_a_spent_an_expired_and_an_unknown_ticket_are_told_apart(store: Store, clock: Hand) -> None:
    await store.put_once("ticket", "spent", b"1", 30)
    await store.put_once("ticket", "late", b"2", 30)
    assert (await store.take_once("ticket", "spent")).state is OnceState.TAKEN
    clock.now += 30
    assert (await store.take_once("ticket", "spent")).state is OnceState.USED
    late = await store.take_once("ticket", "late")
    assert (late.state, late.value) == (OnceState.EXPIRED, None)
    assert (await store.take_once("ticket", "never")).state is OnceState.UNKNOWN
    assert (await store.take_once("code", "late")).state is OnceState.UNKNOWN


async def test_a_one_use_value_never_shows_in_a_repr(store: Store) -> None:
    await store.put_once("ticket", "d1", b"secret", 30)
    assert "secret" not in repr(await store.take_once("ticket", "d1"))


async def test_a_claim_is_given_once_within_its_time(store: Store, clock: Hand) -> None:
    given = await asyncio.gather(*(store.claim("jti", "d1", 60) for _ in range(20)))
    assert Counter(given) == {True: 1, False: 19}
    assert await store.claim("other", "d1", 60)
    clock.now += 60
    assert await store.claim("jti", "d1", 60)


async def test_values_are_kept_replaced_and_forgotten(store: Store, clock: Hand) -> None:
    await store.put("history", "d1", b"one", 60)
    await store.put("history", "d1", b"two", 60)
    assert await store.get("history", "d1") == b"two"
    assert await store.get("session", "d1") is None
    assert await store.delete("history", "d1")
    assert not await store.delete("history", "d1")
    await store.put("history", "d2", bytes(range(256)), 60)
    assert await store.get("history", "d2") == bytes(range(256))
    clock.now += 60
    assert await store.get("history", "d2") is None


async def test_a_revocation_is_forgotten_when_its_time_has_passed(store: Store, clock: Hand) -> None:
    await store.revoke("guest:g1", 60)
    first = clock.now
    clock.now += 10
    await store.revoke("guest:g1", 60)
    assert await store.revoked_at(["guest:g1"]) == (first + 10,)
    clock.now += 60
    assert await store.revoked_at(["guest:g1"]) == (None,)
    assert await store.revoked_at([]) == ()


async def test_a_lease_has_one_owner_and_a_growing_number(store: Store, clock: Hand) -> None:
    first = await store.acquire_lease("refresh", "a", 10)
    assert first is not None
    assert await store.acquire_lease("refresh", "b", 10) is None
    clock.now += 9
    assert await store.acquire_lease("refresh", "a", 10) == first
    clock.now += 9
    assert await store.acquire_lease("refresh", "b", 10) is None
    await store.release_lease("refresh", "b")
    assert await store.acquire_lease("refresh", "b", 10) is None
    await store.release_lease("refresh", "a")
    second = await store.acquire_lease("refresh", "b", 10)
    assert second is not None
    assert second > first
    clock.now += 10
    third = await store.acquire_lease("refresh", "a", 10)
    assert third is not None
    assert third > second


async def test_a_limit_lets_a_burst_pass_and_then_the_rate(store: Store, clock: Hand) -> None:
    ask = [LimitAsk("address:1", rate_per_s=2.0, burst=3)]
    taken = [(await store.take_limits(ask))[0] for _ in range(4)]
    assert [result.allowed for result in taken] == [True, True, True, False]
    assert [result.remaining for result in taken] == [2, 1, 0, 0]
    assert taken[3].retry_after_s == pytest.approx(0.5, abs=1e-3)
    clock.now += 0.5
    assert (await store.take_limits(ask))[0].allowed
    assert not (await store.take_limits(ask))[0].allowed


async def test_a_refusal_by_one_limit_does_not_use_up_another(store: Store) -> None:
    wide, narrow = LimitAsk("site:1", 1.0, 10), LimitAsk("guest:1", 1.0, 1)
    assert [r.allowed for r in await store.take_limits([wide, narrow])] == [True, True]
    for _ in range(5):
        assert [r.allowed for r in await store.take_limits([wide, narrow])] == [True, False]
    assert (await store.take_limits([wide]))[0].remaining == 8


async def test_concurrent_asks_never_pass_more_than_the_burst(store: Store) -> None:
    ask = [LimitAsk("address:2", 0.001, 7)]
    results = await asyncio.gather(*(store.take_limits(ask) for _ in range(30)))
    assert sum(result.allowed for (result,) in results) == 7


async def test_the_store_is_ready(store: Store) -> None:
    assert await store.ready() is None


async def test_a_tombstone_goes_after_its_time(store: Store, clock: Hand) -> None:
    await store.put_once("ticket", "d9", b"1", 30)
    clock.now += 30 + TOMBSTONE_S
    assert (await store.take_once("ticket", "d9")).state in (OnceState.UNKNOWN, OnceState.EXPIRED)
