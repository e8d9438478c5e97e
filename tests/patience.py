"""How long a test waits for what must come: long, for the machine that runs the tests may stand still for seconds.

A wait that ends early costs nothing, so the bound is generous. What is promised within a time is bounded in turns of
the event loop instead of the wall clock: a stalled machine stalls both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

PATIENCE_S: Final = 30.0
TURN_S: Final = 0.02


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError when the block takes longer than this, counted in turns that the loop could really take."""

    async def count(limit: asyncio.Timeout) -> None:
        for _ in range(round(seconds / TURN_S)):
            await asyncio.sleep(TURN_S)
        limit.reschedule(asyncio.get_running_loop().time())

    async with asyncio.timeout(None) as limit:
        counting = asyncio.create_task(count(limit))
        try:
            yield
        finally:
            counting.cancel()
