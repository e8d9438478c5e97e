"""What stays in the memory of a process for each guest: bounded, small, and nothing more for the next calls.

Counted are the bytes that Python gives out, so that it is the same on every machine.
"""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Final

from tests.must_hold.test_shedding import SESSION
from tests.must_hold.wire import Wire, running_wire

GUESTS: Final = 150
TAIL: Final = 520
"""More records than the log keeps in memory to show."""
SESSION_BYTES: Final = 3_800
"""A session with its handle, in the memory store, in the near-cache and in the audit log's names."""
CALLS_BYTES: Final = 4_500
"""What a guest who calls adds: its limits, and the head of its calls as it is remembered."""

AGAIN_BYTES: Final = 1_200
"""For three further calls of each: nothing of a guest should stay; a leak of 400 bytes a call would show."""


async def open_sessions(wire: Wire, count: int) -> list[str]:
    """The handles of so many new guests."""
    return [str((await wire.ask(SESSION)).json["session_token"]) for _ in range(count)]


async def call_each(wire: Wire, handles: list[str]) -> None:
    """One call of each guest."""
    for wire.handle in handles:
        assert (await wire.ask(wire.post())).status == 200


def taken(wire: Wire) -> int:
    """Bytes that Python has given out, without what the test itself keeps."""
    wire.opened.clear()
    wire.behind.seen.clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def test_a_guest_costs_little_and_no_more_the_longer_it_stays(tmp_path: Path) -> None:
    async with running_wire(tmp_path) as wire:
        tracemalloc.start()
        try:
            await call_each(wire, [wire.handle] * TAIL)
            await open_sessions(wire, 5)
            begun = taken(wire)
            handles = await open_sessions(wire, GUESTS)
            opened = taken(wire)
            await call_each(wire, handles)
            called = taken(wire)
            for _ in range(3):
                await call_each(wire, handles)
            again = taken(wire)
        finally:
            tracemalloc.stop()
        own = sum(len(handle) + 60 for handle in handles)
        assert (opened - begun - own) / GUESTS < SESSION_BYTES
        assert (called - opened) / GUESTS < CALLS_BYTES
        assert (again - called) / GUESTS < AGAIN_BYTES
