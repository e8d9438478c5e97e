"""What store tests share: a clock that is set by hand, a real Redis on a free port, and one store of each sort."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from gateway.store.base import Store
from gateway.store.memory import MemoryStore
from gateway.store.redis import RedisStore
from tests.ports import free_port


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class RedisServer:
    """A redis-server of our own, that a test may stop, freeze and start again."""

    def __init__(self) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            pytest.fail("these tests need redis-server (or valkey-server) on the PATH; install it", pytrace=False)
        self._program = program
        self.port = free_port()
        self.process: subprocess.Popen[bytes]
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([self._program, *options], stdout=subprocess.DEVNULL)
        with redis.Redis(port=self.port) as client:
            for _ in range(200):
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    time.sleep(0.02)
        pytest.fail("redis-server did not start", pytrace=False)

    def stop(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(10)

    def flush(self) -> None:
        """Forget everything."""
        with redis.Redis(port=self.port) as client:
            client.flushall()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that a test may do anything to."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, clock: Hand) -> AsyncIterator[Store]:
    """Each contract test runs over each store."""
    made: Store
    if request.param == "memory":
        made = MemoryStore(clock)
    else:
        server = request.getfixturevalue("shared_redis")
        server.flush()
        made = RedisStore(server.url, clock, timeout_s=2.0)
    await made.start()
    yield made
    await made.close()
