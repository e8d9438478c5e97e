"""A visitor's browser window at a shop: what it shows, what its console says, every byte that it was sent.

Leaves the stage to `stage.py`. What the window records is for assertions; nothing here waits by the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, Response, WebSocket, expect


class Window:
    """One page with its console and its traffic."""

    def __init__(self, page: Page, *, keeps_traffic: bool = False) -> None:
        self.page = page
        self.ours: list[str] = []
        self.others: list[str] = []
        self.faults: list[str] = []
        self.received: list[str | bytes] = []
        self.sent: list[str | bytes] = []
        self.requests: list[str] = []
        self._said = asyncio.Condition()
        self._bodies: list[asyncio.Task[None]] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda fault: self.faults.append(str(fault)))
        if not keeps_traffic:
            return
        page.on("response", lambda answer: self._bodies.append(asyncio.ensure_future(self._keep(answer))))
        page.on("websocket", self._listen)

    async def _hear(self, message: ConsoleMessage) -> None:
        async with self._said:
            (self.ours if message.text.startswith("gateway:") else self.others).append(message.text)
            self._said.notify_all()

    async def _keep(self, answer: Response) -> None:
        self.requests.append(f"{answer.request.method} {answer.url} {answer.status}")
        self.received.append(repr(await answer.headers_array()))
        if answer.status < 300 and answer.status not in (101, 204) and answer.request.method != "OPTIONS":
            self.received.append(await answer.body())
        self.sent.append(repr(await answer.request.headers_array()))
        self.sent.append(answer.request.post_data or "")

    def _listen(self, socket: WebSocket) -> None:
        self.received.append(socket.url)
        socket.on("framereceived", self._hear_frame)
        socket.on("framesent", self._see_frame)

    def _hear_frame(self, data: str | bytes) -> None:
        self.received.append(data)

    def _see_frame(self, data: str | bytes) -> None:
        self.sent.append(data)

    async def everything(self) -> bytes:
        """All that came to the browser, and all that it sent, in one piece."""
        await asyncio.gather(*self._bodies)
        parts = [*self.received, *self.sent, *self.requests, *self.ours, *self.others, await self.page.content()]
        storage = await self.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        return b"\n".join(part if isinstance(part, bytes) else part.encode() for part in (*parts, storage))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is true of what the console said."""
        async with asyncio.timeout(30), self._said:
            await self._said.wait_for(holds)

    async def open_chat(self, url: str) -> None:
        """Open the page and the chat, and wait until it is connected."""
        await self.page.goto(url)
        await self.page.get_by_role("button", name="Open chat").click()
        await self.online()

    async def online(self) -> None:
        """Wait until the panel says that it is connected."""
        await expect(self.log).to_have_attribute("aria-live", "polite")
        await expect(self.status).not_to_have_text("Connecting …")

    @property
    def status(self) -> Any:
        """The line below the panel's title."""
        return self.page.get_by_role("dialog").get_by_role("banner").get_by_role("status")

    @property
    def log(self) -> Any:
        """The thread on the screen."""
        return self.page.get_by_role("log")

    async def write(self, text: str) -> None:
        """Write a message and send it."""
        box = self.page.get_by_role("textbox", name="Write a message")
        await box.fill(text)
        await box.press("Enter")

    async def hears(self, text: str) -> None:
        """Wait until the thread holds a text."""
        await expect(self.log.get_by_text(text, exact=True)).to_be_visible()


@asynccontextmanager
async def window_of(browser: Browser, *, keeps_traffic: bool = False) -> AsyncIterator[Window]:
    """A window with an empty profile; a fault in the page fails the test."""
    context = await browser.new_context(viewport={"width": 1100, "height": 760})
    try:
        window = Window(await context.new_page(), keeps_traffic=keeps_traffic)
        yield window
        assert window.faults == []
    finally:
        await context.close()
