"""The stage itself: a message goes through in one packet and in two, and the gateway reads the two differently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.web.fast_lane import FastLane
from tests.must_hold.wire import API_PATH, WAYS, running_wire


@pytest.mark.parametrize("way", WAYS)
async def test_a_message_goes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    short_ways: list[bool] = []
    recognise = FastLane.recognise

    def noted(lane: FastLane, *given: Any) -> Any:
        found = recognise(lane, *given)
        short_ways.append(found is not None)
        return found

    monkeypatch.setattr(FastLane, "recognise", noted)
    async with running_wire(tmp_path) as wire:
        line = await wire.open()
        for _ in range(3):
            await line.say(wire.post(), way)
            answer = await line.answer()
            assert (answer.status, answer.body) == (200, b'{"id":"1"}')
        assert [first for first, _, _ in wire.behind.seen] == [f"POST {API_PATH} HTTP/1.1"] * 3
    assert short_ways.count(True) == (3 if way == "one packet" else 0)
