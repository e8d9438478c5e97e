"""What store tests share: a clock that is set by hand, and one store of each sort."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.store.base import Store
from gateway.store.memory import MemoryStore


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture(params=["memory"])
async def store(request: pytest.FixtureRequest, clock: Hand) -> AsyncIterator[Store]:
    """Each contract test runs over each store."""
    made = MemoryStore(clock)
    await made.start()
    yield made
    await made.close()
