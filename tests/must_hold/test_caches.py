"""The four cache tests: no wrong secret, no broader need, no other grant, and no answer against a denial."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.app.running import reload
from gateway.errors import TOKEN_UNAVAILABLE, Refusal
from tests.journeys.guest_client import connected
from tests.stack import BACKEND_KEY, DEPLOYMENT, PAGE, QUEUE, Stack, compiled, mock_flags, whole_stack

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """A gateway that keeps the answers of queue-wait for an hour."""
    async with whole_stack(tmp_path, {"routes.0.cache_s": 3600}) as running:
        yield running


def calls(stack: Stack) -> int:
    return sum(entry.path == WAIT for entry in stack.mock.world.recorder.entries)


async def read(stack: Stack, bearer: str | None, origin: str | None = None) -> tuple[int, dict[str, object]]:
    async with stack.call("GET", WAIT, bearer=bearer, origin=origin) as answer:
        return answer.status, await answer.json()


async def test_a_wrong_secret_is_never_served_what_the_right_one_got(stack: Stack) -> None:
    """The same client with another secret gets nothing of what is held; and back again, nothing of the wrong one."""
    first = await stack.gateway.tokens.bearer("acme", "reader")
    flags = mock_flags(stack.mock)
    assert await reload(
        stack.gateway, lambda: compiled({**flags, "orgs.acme.clients.reader.secret": "not-the-secret"}), time.time
    )
    with pytest.raises(Refusal) as caught:
        await stack.gateway.tokens.bearer("acme", "reader")
    assert caught.value.reason is TOKEN_UNAVAILABLE
    assert await reload(stack.gateway, lambda: compiled(flags), time.time)
    again = await stack.gateway.tokens.bearer("acme", "reader")
    assert again.reveal() != first.reveal()


async def test_a_narrower_need_is_never_served_by_a_broader_entry(stack: Stack) -> None:
    """Each client has its own token, whatever the other one's role could do as well."""
    reader, closer = [await stack.gateway.tokens.bearer("acme", name) for name in ("reader", "closer")]
    assert reader.key != closer.key
    owners = {token.value: stack.mock.world.clients[token.client_id].name
              for token in stack.mock.world.access_tokens.values()}  # fmt: skip
    assert (owners[reader.reveal()], owners[closer.reveal()]) == ("reader", "closer")
    await read(stack, BACKEND_KEY)
    entry = next(e for e in reversed(stack.mock.world.recorder.entries) if e.path == WAIT)
    assert entry.bearer_of == "client reader"


async def test_other_grants_are_never_kept(stack: Stack) -> None:
    """What a guest's own JWT fetched is asked for anew, each guest gets its own, and no such JWT is held for others."""
    for _ in range(2):
        async with connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
            await guest.configure()
            text = f"only {guest.token} may read this"
            await guest.say(text)
            for _ in range(2):
                page = await guest.history(stack.client, stack.base, PAGE)
                assert [message["text"] for message in page if message["direction"] == "Inbound"] == [text]
    asked = [e for e in stack.mock.world.recorder.entries if e.path == "/api/v2/webmessaging/messages"]
    assert len(asked) == 4, "each reading went to Genesys"
    assert len({entry.raw_headers["Authorization"] for entry in asked}) >= 2
    assert {view.key.client for view in stack.gateway.tokens.snapshot()} == {"reader", "closer"}


async def test_a_denial_beats_what_is_kept(stack: Stack) -> None:
    """An answer is kept, and whoever may not ask is not served from it."""
    assert (await read(stack, BACKEND_KEY))[0] == 200
    assert (await read(stack, BACKEND_KEY))[0] == 200
    assert calls(stack) == 1
    session = await stack.session()
    for bearer, origin, code in (
        (None, PAGE, "backend.missing"),
        (session["session_token"], PAGE, "route.caller_not_allowed"),
        ("gwb_" + "A" * 43, PAGE, "backend.invalid"),
        (BACKEND_KEY, "https://evil.example", "origin.not_allowed"),
    ):
        status, body = await read(stack, bearer, origin)
        assert (body["code"], 400 <= status < 500) == (code, True)
    assert calls(stack) == 1


async def test_a_changed_configuration_forgets_kept_answers(stack: Stack) -> None:
    await read(stack, BACKEND_KEY)
    flags = {**mock_flags(stack.mock), "routes.0.cache_s": 3600}
    assert await reload(stack.gateway, lambda: compiled(flags), time.time)
    await read(stack, BACKEND_KEY)
    assert calls(stack) == 2
