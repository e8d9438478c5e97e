"""The gateway goes away in mid chat and comes back at the same address: what was typed meanwhile is sent once."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.journeys.stage import Stage
from tests.journeys.window import window_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]


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
