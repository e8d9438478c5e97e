"""Fixtures of the provider's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.store.base import Store
from gateway.store.memory import MemoryStore
from gateway.store.redis import RedisStore
from tests.provider.parts import Bench, Clock, Entropy, People, Trail, ring_in
from tests.store.conftest import RedisServer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def entropy() -> Entropy:
    return Entropy()


@pytest.fixture
def trail() -> Trail:
    return Trail()


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Store]:
    """Every rule that meets the store is held over both."""
    made: Store = MemoryStore(clock)
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        server.flush()
        made = RedisStore(server.url, clock, timeout_s=2.0)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def bench(store: Store, clock: Clock, tmp_path: Path) -> Bench:
    return Bench(store, clock, ring_in(tmp_path / "keys"))
