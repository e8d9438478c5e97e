"""What only the memory store does: it is bounded, and says so when it is full."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.store.base import ON_FAILURE, Store
from gateway.store.memory import MemoryStore


async def test_a_full_store_refuses_a_new_session_and_keeps_the_living_ones() -> None:
    store = MemoryStore(lambda: 0.0, max_entries=3)
    for n in range(3):
        await store.put_session(f"s{n}", b"x", 60)
    with pytest.raises(Refusal) as refused:
        await store.put_session("s3", b"x", 60)
    assert refused.value.reason is errors.STORE_UNAVAILABLE
    assert await store.get_session("s0") == b"x"
    assert await store.renew_session("s0", 60)


async def test_a_flood_of_limit_keys_stays_within_its_bound() -> None:
    store = MemoryStore(lambda: 0.0, max_entries=50)
    from gateway.store.base import LimitAsk

    for n in range(500):
        await store.take_limits([LimitAsk(f"address:{n}", 1.0, 5)])
    assert len(store._counts) <= 50


def test_every_use_of_the_store_names_its_rule() -> None:
    uses = {name for name in vars(Store) if not name.startswith("_")} - {"start", "close", "ready", "subscribe"}
    assert uses == set(ON_FAILURE)
