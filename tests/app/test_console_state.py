"""What the console is told of a running gateway: by names and numbers, and nothing that a part hides."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.app import console_state
from gateway.app.console_state import Console
from tests.journeys.guest_client import connected
from tests.stack import BACKEND_KEY, DEPLOYMENT, PAGE, whole_stack
from tests.telemetry.drive import WAIT, ask


async def test_the_state_tells_traffic_tokens_upstreams_sockets_and_the_log(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        console = Console(stack.gateway)
        assert await ask(stack, "GET", WAIT, bearer=BACKEND_KEY, origin=None) == 200
        assert await ask(stack, "GET", WAIT, bearer="gwb_" + "A" * 43, origin=None) == 401
        async with connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
            await guest.configure()
            state = console.state()
        last = state["traffic"][-1]
        assert (last["ok"], last["client_error"]) == (2, 1)  # a call, and the upgrade of the socket
        assert state["refused"] == {"backend.invalid": 1}
        (reader,) = [token for token in state["tokens"] if token["client"] == "reader"]
        assert (reader["state"], reader["failure"], reader["previous_secret"]) == ("fresh", None, False)
        assert reader["expires_in_s"] > 60
        assert "routing:queue:view" in reader["permissions"]
        api = {one["upstream"]: one for one in state["upstreams"]}["api"]
        assert api["answers"] >= 1
        assert api["breaker_open"] is False
        assert state["sockets"] == {"open": 1, "by_site": {"shop": 1}}
        assert state["audit"]["fault"] is None
        assert state["audit"]["writer"] == stack.gateway.audit.writer_name
        for token in stack.mock.world.access_tokens:
            assert token not in json.dumps(state)


async def test_a_refusal_comes_with_its_explanation_and_is_found_by_request_id(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        console = Console(stack.gateway)
        async with stack.call("POST", "/session", origin="https://evil.example", json={}) as answer:
            request_id = answer.headers["X-Request-Id"]
        await stack.records()
        (refusal,) = console.state()["refusals"]
        assert (refusal["code"], refusal["status"], refusal["request_id"]) == ("origin.not_allowed", 403, request_id)
        assert refusal["means"]
        assert refusal["remedy"]
        (record,) = console.request(request_id)
        assert record["event.action"] == "origin.denied"
        assert console.request("another") == []


async def test_counters_are_read_while_nobody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_state, "SAMPLE_EVERY_S", 0.0)
    async with whole_stack(tmp_path) as stack:
        console = Console(stack.gateway)
        sampled = asyncio.Event()
        monkeypatch.setattr(console._hour, "sample", lambda _now: sampled.set())
        task = asyncio.create_task(console.watch())
        await asyncio.wait_for(sampled.wait(), 30)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_node_serves_its_console(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack, stack.client.get(f"{stack.admin_url}/console/state") as answer:
        (state,) = await answer.json()
        assert state["node"] == "node"
