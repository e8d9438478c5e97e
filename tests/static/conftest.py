"""One Chromium for the room, and for each test a fresh stand-in, a fresh web site, and a fresh browser profile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.static.stand_in import DEPLOYMENT_ID, StandIn, serve

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NONCE = "c2hvcA"
expect.set_options(timeout=30_000)


@dataclass
class Site:
    """A web page of a customer, at an origin of its own; tests change what it holds before they open it."""

    url: str = ""
    gateway: StandIn = field(default_factory=StandIn)
    tag: str = ""
    before: str = ""
    after: str = ""
    csp: str = ""
    lang: str = "en"

    async def page(self, _request: web.Request) -> web.Response:
        """The page: some text, a button of its own, and the tag."""
        src = f"{self.gateway.url}/sites/shop/widget.js"
        text = (
            f'<!doctype html><html lang="{self.lang}"><meta charset="utf-8"><title>A shop</title>'
            '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
            f'<script nonce="{NONCE}">{self.before}</script>'
            f'<script nonce="{NONCE}" src="{src}" {self.tag}></script>'
            f'<h1>A shop</h1><button id="own">Own button</button><script nonce="{NONCE}">{self.after}</script>'
        )
        headers = {"Content-Security-Policy": self.csp} if self.csp else {}
        return web.Response(text=text, content_type="text/html", headers=headers)

    def strict_csp(self) -> str:
        """A policy that allows the gateway and nothing else."""
        gateway = self.gateway.url
        return (
            f"default-src 'none'; script-src 'nonce-{NONCE}' 'strict-dynamic'; connect-src {gateway} ws{gateway[4:]}; "
            "style-src 'none'; img-src data:; require-trusted-types-for 'script'; trusted-types gateway"
        )


class Console:
    """What the page said: our lines, and whatever went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.ours: list[str] = []
        self.faults: list[str] = []
        self.said = asyncio.Condition()
        page.on("console", self._hear)
        page.on("pageerror", lambda fault: self.faults.append(str(fault)))

    async def _hear(self, message: ConsoleMessage) -> None:
        async with self.said:
            if message.text.startswith("gateway:"):
                self.ours.append(message.text)
            elif "Content Security Policy" in message.text or "TrustedScript" in message.text:
                self.faults.append(message.text)
            self.said.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is true of what was said."""
        async with asyncio.timeout(30), self.said:
            await self.said.wait_for(holds)


@dataclass
class Visit:
    """A visitor's browser window at the site."""

    site: Site
    page: Page
    context: BrowserContext
    console: Console

    @property
    def gateway(self) -> StandIn:
        """The stand-in that the page talks to."""
        return self.site.gateway

    async def go(self) -> None:
        """Open the page and wait for the launcher."""
        await self.page.goto(self.site.url)
        await expect(self.page.locator("gateway-chat .launcher")).to_be_attached()

    async def chat(self) -> None:
        """Open the page, open the chat, and wait until it is connected."""
        await self.go()
        await self.page.get_by_role("button", name="Open chat").click()
        await self.online()

    async def online(self) -> None:
        """Wait until the panel says that it is connected (the log then reads new messages aloud)."""
        await expect(self.log).to_have_attribute("aria-live", "polite")

    @property
    def log(self) -> Any:
        """The thread on the screen."""
        return self.page.get_by_role("log")

    @property
    def input(self) -> Any:
        """Where the visitor writes."""
        return self.page.get_by_role("textbox", name="Write a message")

    async def write(self, text: str) -> None:
        """Write a message and send it."""
        await self.input.fill(text)
        await self.input.press("Enter")

    def client_script(self, options: str = "") -> str:
        """JavaScript that puts a bare Client into `window.client`, for tests of the client without a panel."""
        return (
            f"const {{ Client }} = await import('{self.gateway.url}/static/client.js');"
            f"window.client = new Client({{ base: '{self.gateway.url}/sites/shop', site: 'shop',"
            f" deploymentId: '{DEPLOYMENT_ID}', {options} }});"
        )

    async def run(self, script: str) -> Any:
        """Run statements in the page; `return` gives the value."""
        async with asyncio.timeout(30):
            return await self.page.evaluate(f"async () => {{ {script} }}")


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, once for all tests of the room."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    """A site and its gateway, at two origins."""
    site = Site()
    app = web.Application()
    app.router.add_get("/", site.page)
    async with serve(site.gateway.app()) as gateway_url, serve(app) as site_url:
        site.gateway.url, site.url = gateway_url, site_url
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, site: Site) -> AsyncIterator[Visit]:
    """A window with an empty profile; a fault in the page fails the test."""
    context = await browser.new_context(viewport={"width": 1100, "height": 760})
    page = await context.new_page()
    window = Visit(site, page, context, Console(page))
    yield window
    await context.close()
    assert window.console.faults == []
