"""Each setting of a route does what it says at the running gateway: size, time, retry, cache, limit, query, body."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.app.running import reload
from tests.conversations import put_conversation
from tests.stack import BACKEND_KEY, QUEUE, Stack, compiled, mock_flags, whole_stack
from tests.telemetry.drive import visitor_token

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """A whole gateway with a mock behind it."""
    async with whole_stack(tmp_path) as running:
        yield running


async def setting(stack: Stack, **flags: Any) -> None:
    """Put the shipped configuration with these keys of its routes in force."""
    changes = {f"routes.{name[1]}.{name[3:]}": value for name, value in flags.items()}
    assert await reload(stack.gateway, lambda: compiled({**mock_flags(stack.mock), **changes}), time.time)


async def call(stack: Stack, method: str = "GET", path: str = WAIT, **more: Any) -> tuple[int, dict[str, Any]]:
    async with stack.call(method, path, bearer=BACKEND_KEY, origin=None, **more) as answer:
        return answer.status, await answer.json() if answer.status != 204 else {}


def sent(stack: Stack, path: str = WAIT) -> int:
    return sum(entry.path == path for entry in stack.mock.world.recorder.entries)


async def test_the_limit_of_a_route_is_each_callers_own(stack: Stack) -> None:
    await setting(stack, r0_limit_per_min=3)
    statuses = [(await call(stack))[0] for _ in range(6)]
    assert (statuses[0], statuses[-1]) == (200, 429)
    assert sent(stack) == statuses.count(200)


async def test_a_body_above_the_routes_size_is_refused(stack: Stack) -> None:
    await setting(stack, r3_max_body_bytes=20)
    path = f"/api/v2/conversations/messages/{put_conversation(stack.mock.world).id}"
    status, body = await call(stack, "PATCH", path, json={"state": "disconnected"})
    assert (status, body["code"]) == (413, "request.body_too_large")
    assert sent(stack, path) == 0


async def test_an_upstream_slower_than_the_routes_time_is_a_504(stack: Stack) -> None:
    await setting(stack, r0_timeout_s=0.3)
    stack.mock.world.faults.add("api", "slow", seconds=30.0)
    status, body = await call(stack)
    assert (status, body["code"]) == (504, "upstream.timeout")


@pytest.mark.parametrize(("retry", "status", "calls"), [("auto", 200, 2), ("never", 503, 1)])
async def test_a_token_that_died_early_is_replaced_only_where_the_route_may_repeat(
    stack: Stack, retry: str, status: int, calls: int
) -> None:
    await setting(stack, r0_retry=retry)
    stack.mock.world.access_tokens.clear()
    assert (await call(stack))[0] == status
    assert sent(stack) == calls


async def test_an_answer_is_kept_for_as_long_as_the_route_says_and_per_target(stack: Stack) -> None:
    await setting(stack, r0_cache_s=60, r0_query=["conversationId"])
    for _ in range(3):
        assert (await call(stack))[0] == 200
    assert sent(stack) == 1
    assert (await call(stack, path=f"{WAIT}?conversationId=1"))[0] == 200
    assert sent(stack) == 2


async def test_only_listed_query_parameters_pass_each_once(stack: Stack) -> None:
    await setting(stack, r0_query=["conversationId"])
    assert (await call(stack, path=f"{WAIT}?conversationId=1"))[0] == 200
    assert stack.mock.world.recorder.entries[-1].query == {"conversationId": "1"}
    for query in ("?other=1", "?conversationId=1&conversationId=2"):
        assert (await call(stack, path=WAIT + query))[1]["code"] == "route.query_not_allowed"


async def test_the_body_of_the_route_goes_in_place_of_the_callers(stack: Stack) -> None:
    conversation = put_conversation(stack.mock.world)
    path = f"/api/v2/conversations/messaging/{conversation.id}/close"
    assert (await call(stack, "POST", path, json={"state": "connected", "evil": True}))[0] == 200
    entry = next(e for e in reversed(stack.mock.world.recorder.entries) if e.method == "PATCH")
    assert (entry.raw_body, entry.path) == (
        b'{"state":"disconnected"}', f"/api/v2/conversations/messages/{conversation.id}",
    )  # fmt: skip


async def test_the_routes_body_is_filled_in_and_no_visitor_gets_out_of_its_text(stack: Stack) -> None:
    hostile = 'ada","state":"connected","x":"{site}'
    body = {"state": "disconnected", "note": "{conversationId} of {guest_id} at {site}", "who": ["{external_id}"],
            "verified": "{verified}", "literal": "{{site}}"}  # fmt: skip
    flags = {"routes.2.callers": ["guest"], "routes.2.body": body, "backends.servicenow.routes": ["queue-wait"]}
    assert await reload(stack.gateway, lambda: compiled({**mock_flags(stack.mock), **flags}), time.time)
    session = await stack.session(visitor_token(external_id=hostile))
    guest = session["guest"]["id"]
    conversation = put_conversation(stack.mock.world, "shop", guest)
    path = f"/api/v2/conversations/messaging/{conversation.id}/close"
    async with stack.call("POST", path, bearer=session["session_token"], json={"state": "connected"}) as answer:
        assert answer.status == 200, await answer.text()
    entry = next(e for e in reversed(stack.mock.world.recorder.entries) if e.method == "PATCH")
    assert orjson.loads(entry.raw_body) == {
        "state": "disconnected", "note": f"{conversation.id} of {guest} at shop", "who": [hostile],
        "verified": "true", "literal": "{site}",
    }  # fmt: skip
    assert int(entry.raw_headers["Content-Length"]) == len(entry.raw_body)
