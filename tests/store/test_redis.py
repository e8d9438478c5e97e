"""What only the Redis store does: several nodes, and a server that is slow, frozen, gone or begun anew."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

import pytest
import redis

from gateway import errors
from gateway.errors import Refusal
from gateway.guestbook import Guestbook, GuestKeys, SessionEnd, SiteBook
from gateway.policy.guests import Person, SessionRules
from gateway.policy.handles import digest
from gateway.store.base import LimitAsk, Revocation
from gateway.store.redis import RedisStore
from gateway.store.sealing import Sealer
from tests.patience import within

SHOP = SiteBook("shop", "acme", SessionRules(), anonymous=True)
ANN = Person("zendesk", "ann", "Ann", "ann@shop.example")


class Server(Protocol):
    url: str
    port: int
    process: object

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def flush(self) -> None: ...


class Hand(Protocol):
    now: float

    def __call__(self) -> float: ...


@asynccontextmanager
async def node(server: Server, clock: Callable[[], float], timeout_s: float = 1.0) -> AsyncIterator[RedisStore]:
    """A store of one node that follows revocations already."""
    store = RedisStore(server.url, clock, timeout_s=timeout_s)
    await store.start()
    try:
        assert await store.ready() is None
        yield store
    finally:
        await store.close()


def book_over(store: RedisStore, clock: Callable[[], float]) -> Guestbook:
    sealer = Sealer({1: b"s" * 32}, os.urandom)
    return Guestbook(store, keys=GuestKeys(b"g" * 32, 1), sealer=sealer, entropy=os.urandom, clock=clock)


async def test_a_revocation_on_one_node_is_heard_on_another_within_a_second(shared_redis: Server, clock: Hand) -> None:
    async with node(shared_redis, clock) as here, node(shared_redis, clock) as there:
        heard: asyncio.Queue[Revocation] = asyncio.Queue()
        there.subscribe(heard.put_nowait)
        for n in range(5):
            await here.revoke(f"guest:g{n}", 60)
            async with within(1):
                revocation = await heard.get()
            assert (revocation.subject, revocation.at) == (f"guest:g{n}", clock.now)


async def test_a_session_opened_on_one_node_lives_and_ends_on_all(shared_redis: Server, clock: Hand) -> None:
    async with node(shared_redis, clock) as first, node(shared_redis, clock) as second:
        here, there = book_over(first, clock), book_over(second, clock)
        ended: asyncio.Queue[SessionEnd] = asyncio.Queue()
        there.on_end(ended.put_nowait)
        admission = await here.admit(SHOP, None, ANN)
        session = await there.session_of(admission.handle, "shop")
        assert session.upstream_token == admission.session.upstream_token
        await here.end(admission.handle, "shop")
        async with within(1):
            assert (await ended.get()).session_id == session.id
        with pytest.raises(Refusal) as refused:
            await there.session_of(admission.handle, "shop")
        assert refused.value.reason is errors.SESSION_INVALID


async def test_of_twenty_redeems_on_four_nodes_exactly_one_gets_in(shared_redis: Server, clock: Hand) -> None:
    async with AsyncExitStack() as nodes:
        books = [book_over(await nodes.enter_async_context(node(shared_redis, clock)), clock) for _ in range(4)]
        admission = await books[0].admit(SHOP, None, ANN)
        ticket = await books[0].issue_ticket(admission.session)
        results = await asyncio.gather(
            *(books[n % 4].redeem_ticket(ticket.handle, "shop") for n in range(20)), return_exceptions=True
        )
        assert sum(not isinstance(result, BaseException) for result in results) == 1
        reasons = {result.reason for result in results if isinstance(result, Refusal)}
        assert reasons == {errors.TICKET_INVALID}


async def test_signing_in_voids_older_handles_on_other_nodes(shared_redis: Server, clock: Hand) -> None:
    async with node(shared_redis, clock) as first, node(shared_redis, clock) as second:
        here, there = book_over(first, clock), book_over(second, clock)
        ended: asyncio.Queue[SessionEnd] = asyncio.Queue()
        there.on_end(ended.put_nowait)
        planted = await here.admit(SHOP, None, None)
        await there.session_of(planted.handle, "shop")
        signed_in = await here.admit(SHOP, planted.handle, ANN)
        async with within(1):
            await ended.get()
        assert there.recall(digest(planted.handle), "shop") is None
        with pytest.raises(Refusal):
            await there.session_of(planted.handle, "shop")
        assert (await there.session_of(signed_in.handle, "shop")).verified


async def test_redis_sees_no_token_no_handle_and_no_person(shared_redis: Server, clock: Hand) -> None:
    shared_redis.flush()
    async with node(shared_redis, clock) as store:
        book = book_over(store, clock)
        admission = await book.admit(SHOP, None, ANN)
        ticket = await book.issue_ticket(admission.session)
        history = await book.keep_history(admission.session, "the.genesys.jwt", clock.now + 60)
        secrets = [admission.session.upstream_token, admission.handle, ticket.handle, history]
        with redis.Redis(port=shared_redis.port) as client:
            content = b"".join(key + (client.dump(key) or b"") for key in client.scan_iter())
        for secret in (*secrets, "the.genesys.jwt", "ann@shop.example"):
            assert secret.encode() not in content
        assert content


async def test_every_key_goes_away_by_itself(shared_redis: Server, clock: Hand) -> None:
    shared_redis.flush()
    async with node(shared_redis, clock) as store:
        book = book_over(store, clock)
        admission = await book.admit(SHOP, None, ANN)
        await book.issue_ticket(admission.session)
        await store.claim("jti", "d", 60)
        await store.take_limits([LimitAsk("a", 1.0, 5)])
        await store.acquire_lease("l", "a", 10)
        await book.end(admission.handle, "shop")
        with redis.Redis(port=shared_redis.port) as client:
            lasting = {key.decode() for key in client.scan_iter() if client.ttl(key) < 0}
        assert lasting == {"gateway:revocations:stream", "gateway:fence:l"}


async def test_a_frozen_store_costs_no_call_more_than_its_time(own_redis: Server, clock: Hand) -> None:
    async with node(own_redis, clock, timeout_s=0.25) as store:
        await store.put_once("ticket", "d", b"1", 30)
        os.kill(own_redis.process.pid, signal.SIGSTOP)  # type: ignore[attr-defined]  # a Popen
        try:
            for use in (lambda: store.take_once("ticket", "d"), lambda: store.revoke("guest:g", 60)):
                async with within(10):  # forty times its time: only a call without one takes longer
                    with pytest.raises(Refusal) as refused:
                        await use()
                assert refused.value.reason is errors.STORE_UNAVAILABLE
            (limited,) = await store.take_limits([LimitAsk("a", 1.0, 5)])
            assert limited.allowed
            assert limited.local
            async with within(10):  # a hundred that each waited their time would take 25 s
                for _ in range(100):
                    assert (await store.take_limits([LimitAsk("a", 1.0, 5)]))[0].local
            assert not (await store.take_limits([LimitAsk("a", 1.0, 5)]))[0].allowed
            assert await store.ready() is not None
        finally:
            os.kill(own_redis.process.pid, signal.SIGCONT)  # type: ignore[attr-defined]
        await answering(store)
        assert not (await store.take_limits([LimitAsk("b", 1.0, 5)]))[0].local


async def answering(store: RedisStore) -> None:
    """Wait until the store is ready again; it must be within three seconds."""
    async with within(3):
        while await store.ready() is not None:
            await asyncio.sleep(0.02)


async def test_a_store_that_went_and_came_back_empty_is_used_and_followed_again(own_redis: Server, clock: Hand) -> None:
    async with node(own_redis, clock) as here, node(own_redis, clock) as there:
        book = book_over(here, clock)
        known = await book.admit(SHOP, None, ANN)
        await here.revoke("guest:before", 60)
        heard: asyncio.Queue[Revocation] = asyncio.Queue()
        there.subscribe(heard.put_nowait)
        own_redis.stop()
        with pytest.raises(Refusal):
            await here.claim("jti", "d", 60)
        assert (await book.session_of(known.handle, "shop")).id == known.session.id
        own_redis.start()
        await answering(here)
        await answering(there)
        await here.revoke("guest:after", 60)
        while (await asyncio.wait_for(heard.get(), 30)).subject != "guest:after":
            pass
        assert await here.claim("jti", "d", 60)
