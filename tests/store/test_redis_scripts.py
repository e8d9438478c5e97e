"""The arithmetic in Lua and the policy's are the same, whatever is asked."""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.policy import limits
from gateway.store import redis_scripts
from gateway.store.base import LimitAsk
from gateway.store.redis import RedisStore


class Server(Protocol):
    url: str

    def flush(self) -> None: ...


LIMIT_STEPS = st.lists(st.tuples(st.floats(-2.0, 30.0, allow_nan=False), st.integers(1, 3)), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rate=st.floats(0.01, 50.0), burst=st.integers(1, 20), steps=LIMIT_STEPS)
def test_the_limits_in_lua_count_as_the_policy_does(
    shared_redis: Server, rate: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    async def compare() -> None:
        now = 1_790_000_000.0
        shared_redis.flush()
        store = RedisStore(shared_redis.url, lambda: now, timeout_s=2.0)
        state = 0.0
        try:
            for step_s, cost in steps:
                now += step_s
                expected = limits.take(state, now, rate, burst, cost)
                (found,) = await store.take_limits([LimitAsk("k", rate, burst, cost)])
                assert (found.allowed, found.remaining) == (expected.allowed, expected.remaining)
                assert found.retry_after_s == pytest.approx(expected.retry_after_s, abs=1e-6)
                if expected.allowed:
                    state = expected.state
        finally:
            await store.close()

    asyncio.run(compare())


def test_no_script_uses_what_a_replica_or_another_version_would_do_differently() -> None:
    for name, text in vars(redis_scripts).items():
        if name.isupper():
            for odd in ("TIME", "RANDOM", "SCAN", "redis.replicate_commands", "#!lua"):
                assert odd not in text, f"{name} uses {odd}"
            assert "KEYS[1]" in text or "ipairs(KEYS)" in text
