"""The gateway goes away in mid chat and comes back at the same address: what was typed meanwhile is sent once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.journeys.stage import Stage, staged
from tests.journeys.window import window_of
from tests.store.conftest import RedisServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """A redis-server of this room's own."""
    server = RedisServer()
    yield server
    server.stop()


async def test_what_is_typed_while_the_gateway_is_down_is_sent_once_when_it_is_back(
    stage: Stage, browser: Browser
) -> None:
    """The visitor sees "Reconnecting", the waiting message, then its answer; the thread stays on the page.

    With the memory store the session is gone: the client opens a new one by itself, so Genesys sees a second
    conversation. A shared store (redis://) keeps the session, and with it the conversation.
    """
    async with window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        await window.write("Before")
        await window.hears("You said: Before")
        await stage.stop()
        await expect(window.page.get_by_text("Reconnecting … your messages wait and will be sent.")).to_be_visible()
        await window.write("In between")
        await expect(window.log.get_by_text("Waiting to be sent")).to_be_visible()
        await stage.start()
        await window.hears("You said: In between")
        await window.write("After")
        await window.hears("You said: After")
        await window.hears("Before")
        assert stage.guest_texts() == ["Before", "In between", "After"]
        assert len(stage.mock.world.conversations) == 2


async def test_with_a_shared_store_the_conversation_goes_on(
    tmp_path: Path, browser: Browser, redis_server: RedisServer
) -> None:
    """Signed in before, signed in after; Genesys sees one conversation, and each text of it once."""
    async with staged(tmp_path, store__url=redis_server.url) as stage, window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        await window.page.get_by_role("button", name="Sign in as Ada").click()
        await expect(window.status).to_have_text("Signed in")
        await window.write("Before")
        await window.hears("You said: Before")
        await stage.stop()
        await expect(window.page.get_by_text("Reconnecting … your messages wait and will be sent.")).to_be_visible()
        await window.write("In between")
        await stage.start()
        await window.hears("You said: In between")
        assert stage.guest_texts() == ["Before", "In between"]
        assert len(stage.mock.world.conversations) == 1
        assert stage.conversation().custom_attributes["gateway.verified"] == "true"


async def test_an_open_socket_is_told_that_the_gateway_goes_away(stage: Stage, browser: Browser) -> None:
    """1001, recorded as closed by the gateway; nothing is left open at Genesys."""
    async with window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        await window.write("Still there?")
        await window.hears("You said: Still there?")
        async with window.page.expect_event("websocket"):  # the next one, after the restart
            await stage.stop()
            closed = stage.audit("ws.closed")
            await stage.start()
        assert [one["gateway.ws.code"] for one in closed] == [1001]
        assert [one["gateway.ws.initiator"] for one in closed] == ["gateway"]
