"""The stage itself: a message goes through, in one packet and in two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.must_hold.wire import API_PATH, WAYS, running_wire


@pytest.mark.parametrize("way", WAYS)
async def test_a_message_goes_through(tmp_path: Path, way: str) -> None:
    async with running_wire(tmp_path) as wire:
        line = await wire.open()
        for _ in range(3):
            await line.say(wire.post(), way)
            answer = await line.answer()
            assert (answer.status, answer.body) == (200, b'{"id":"1"}')
        line.close()
        assert [first for first, _, _ in wire.behind.seen] == [f"POST {API_PATH} HTTP/1.1"] * 3
