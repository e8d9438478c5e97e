"""The feed of revocations: followed from the end at first, from where it was left after a loss."""

from __future__ import annotations

import asyncio
from typing import Protocol

import redis

from gateway.store.base import Revocation
from gateway.store.redis import RedisStore
from gateway.store.redis_client import make_client
from gateway.store.redis_feed import RevocationFeed
from tests.patience import within


class Server(Protocol):
    url: str
    port: int

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def flush(self) -> None: ...


async def heard_by(server: Server, subjects: list[str], before: list[str]) -> list[str]:
    """What a feed that starts after `before` hears of `subjects`."""
    writer = RedisStore(server.url, lambda: 5.0, timeout_s=2.0)
    client = make_client(server.url, 2.0, 4)
    feed = RevocationFeed(client, "gateway:revocations:stream")
    heard: asyncio.Queue[Revocation] = asyncio.Queue()
    feed.subscribe(heard.put_nowait)
    try:
        for subject in before:
            await writer.revoke(subject, 60)
        feed.start()
        assert await feed.is_following(2)
        for subject in subjects:
            await writer.revoke(subject, 60)
        return [(await asyncio.wait_for(heard.get(), 30)).subject for _ in subjects]
    finally:
        await feed.close()
        await client.aclose()
        await writer.close()


async def test_it_hears_what_comes_after_it_began_in_order(shared_redis: Server) -> None:
    shared_redis.flush()
    subjects = [f"session:s{number}" for number in range(30)]
    assert await heard_by(shared_redis, subjects, before=["session:old"]) == subjects


async def test_what_came_while_the_connection_was_lost_is_heard_later(own_redis: Server) -> None:
    client = make_client(own_redis.url, 2.0, 4)
    writer = RedisStore(own_redis.url, lambda: 5.0, timeout_s=2.0)
    feed = RevocationFeed(client, "gateway:revocations:stream")
    heard: asyncio.Queue[Revocation] = asyncio.Queue()
    feed.subscribe(heard.put_nowait)
    feed.start()
    assert await feed.is_following(2)
    await writer.revoke("session:first", 60)
    assert (await asyncio.wait_for(heard.get(), 30)).subject == "session:first"
    with redis.Redis(port=own_redis.port) as killer:
        killer.client_kill_filter(_type="normal", skipme=True)
    await writer.close()
    writer = RedisStore(own_redis.url, lambda: 5.0, timeout_s=2.0)
    await writer.revoke("session:meanwhile", 60)
    assert (await asyncio.wait_for(heard.get(), 30)).subject == "session:meanwhile"
    await feed.close()
    await client.aclose()
    await writer.close()


async def test_a_stream_that_began_anew_is_followed_from_its_own_end(own_redis: Server) -> None:
    client = make_client(own_redis.url, 2.0, 4)
    feed = RevocationFeed(client, "gateway:revocations:stream")
    feed._last = b"99999999999999-7"
    feed.start()
    assert await feed.is_following(2)
    assert feed._last == b"0-0"
    await feed.close()
    await client.aclose()


async def test_without_a_store_it_says_that_it_does_not_follow_and_closes_at_once(own_redis: Server) -> None:
    own_redis.stop()
    client = make_client(own_redis.url, 0.2, 4)
    feed = RevocationFeed(client, "gateway:revocations:stream")
    feed.start()
    assert not await feed.is_following(0.1)
    async with within(1):
        await feed.close()
    await client.aclose()
