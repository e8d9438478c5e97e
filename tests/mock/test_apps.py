"""The stand-in script, over sockets and in a real Chromium."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, async_playwright

from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.provider import Provider

BOOT = """
(function (g, e, n, es, ys) {
  g._genesysJs = e; g[e] = g[e] || function () { (g[e].q = g[e].q || []).push(arguments); };
  g[e].t = 1 * new Date(); g[e].c = es; ys = document.createElement('script'); ys.async = 1; ys.src = n;
  ys.charset = 'utf-8'; document.head.appendChild(ys);
})(window, 'Genesys', '%(script)s', %(options)s);
window.seen = [];
"""
EARLY = """
Genesys('subscribe', 'Database.ready', function (e) { seen.push(['database', e.publisher]); });
Genesys('command', 'Database.set', { messaging: { customAttributes: { plan: 'gold' } } });
"""


@pytest.fixture
async def browser_page() -> AsyncIterator[Page]:
    """One page of a headless Chromium."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page()
        yield page
        await browser.close()


@pytest.fixture
def site(mock: RunningMock, aiohttp_server: Callable[..., Awaitable[TestServer]]) -> Callable[[str], Awaitable[str]]:
    """Serve a page that boots the stand-in and runs a script after the snippet."""

    async def serve(script: str) -> str:
        options = json.dumps({"environment": "prod-euw1", "deploymentId": DEFAULT_DEPLOYMENT})
        address = f"{mock.endpoints.apps}/genesys-bootstrap/genesys.min.js"
        text = BOOT % {"script": address, "options": options} + script

        async def page(request: web.Request) -> web.Response:
            return web.Response(text=f"<!doctype html><body><script>{text}</script>", content_type="text/html")

        app = web.Application()
        app.router.add_get("/", page)
        server = await aiohttp_server(app)
        return str(server.make_url("/"))

    return serve


async def test_the_script_says_that_it_is_a_mock_and_knows_the_addresses(
    mock: RunningMock, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{mock.endpoints.apps}/genesys-bootstrap/genesys.min.js") as answer:
        text = await answer.text()
        assert answer.content_type == "application/javascript"
    assert text.startswith("/*\n * MOCK.")
    assert mock.endpoints.cdn in text
    assert not re.search(r"__[A-Z_]+__", text)


async def test_queued_calls_run_and_a_chat_reaches_the_agent(
    mock: RunningMock, browser_page: Page, site: Callable[[str], Awaitable[str]]
) -> None:
    mock.world.agent.enabled = True
    await browser_page.goto(await site(EARLY))
    await browser_page.click("#mock-genesys-launcher")
    await browser_page.wait_for_selector("#mock-genesys-messenger input", state="visible")
    await browser_page.wait_for_function("seen.length > 0")
    assert await browser_page.evaluate("seen") == [["database", "Database"]]
    await browser_page.fill("#mock-genesys-messenger input", "hello")
    await browser_page.press("#mock-genesys-messenger input", "Enter")
    await browser_page.wait_for_selector("text=You said: hello")
    (conversation,) = mock.world.conversations.values()
    assert conversation.custom_attributes == {"plan": "gold"}
    upgrade = next(entry for entry in mock.world.recorder.entries if entry.path == "/v1")
    assert upgrade.headers["Origin"] == browser_page.url.rstrip("/")


async def test_an_auth_provider_signs_the_visitor_in(
    mock: RunningMock, provider: Provider, browser_page: Page, site: Callable[[str], Awaitable[str]]
) -> None:
    script = """
    Genesys('registerPlugin', 'AuthProvider', function (P) {
      P.registerCommand('getAuthCode', function (e) {
        e.resolve({ authCode: 'c-1', redirectUri: 'https://shop.example/', nonce: 'n-1' });
      });
      P.ready();
    });
    Genesys('subscribe', 'Auth.authenticated', function (e) {
      Genesys('command', 'MessagingService.startConversation', {}, function () {
        Genesys('command', 'MessagingService.sendMessage', { message: 'me' }, function () { seen.push('sent'); });
      });
    });
    """
    await browser_page.goto(await site(script))
    await browser_page.wait_for_function("seen.length > 0")
    (session,) = mock.world.sessions.values()
    assert session.subject == "ana"
    assert provider.calls() == ["discovery", "token", "keys"]


async def test_a_failing_provider_is_told_and_logout_revokes(
    mock: RunningMock, provider: Provider, browser_page: Page, site: Callable[[str], Awaitable[str]]
) -> None:
    script = """
    Genesys('registerPlugin', 'AuthProvider', function (P) {
      P.registerCommand('getAuthCode', function (e) {
        e.resolve({ authCode: 'c-1', redirectUri: 'https://shop.example/', nonce: 'n-1' });
      });
      P.ready();
    });
    Genesys('subscribe', 'Auth.authError', function (e) { seen.push(e.data.status); });
    Genesys('subscribe', 'Auth.authenticated', function () { Genesys('command', 'Auth.logout'); });
    Genesys('subscribe', 'Auth.loggedOut', function () { seen.push('out'); });
    """
    address = await site(script)
    provider.token_status = 400
    await browser_page.goto(address)
    await browser_page.wait_for_function("seen.length > 0")
    assert await browser_page.evaluate("seen") == [401]
    provider.token_status = 200
    await browser_page.reload()
    await browser_page.wait_for_function("seen.length > 0")
    assert await browser_page.evaluate("seen") == ["out"]
    assert all(grant.revoked for grant in mock.world.grants.values())


async def test_a_page_whose_host_is_not_allowed_runs_nothing(
    mock: RunningMock, browser_page: Page, site: Callable[[str], Awaitable[str]]
) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].allowed_domains = ["shop.example"]
    async with browser_page.expect_response("**/domains.json"):
        await browser_page.goto(await site(EARLY))
    await browser_page.wait_for_load_state("networkidle")
    assert await browser_page.evaluate("seen") == []
    assert not [entry for entry in mock.world.recorder.entries if entry.path.endswith("config.json")]


async def test_messenger_and_launcher_open_close_hide_and_show(
    browser_page: Page, site: Callable[[str], Awaitable[str]]
) -> None:
    await browser_page.goto(await site(EARLY))
    await browser_page.wait_for_selector("#mock-genesys-launcher")
    command = "name => new Promise((ok, no) => Genesys('command', name, {}, () => ok('ok'), fault => ok('failed')))"
    for name, expected in (
        ("Messenger.open", "ok"),
        ("Messenger.open", "failed"),
        ("Messenger.close", "ok"),
        ("Messenger.close", "failed"),
        ("Launcher.hide", "ok"),
        ("Nothing.here", "failed"),
    ):
        assert await browser_page.evaluate(command, name) == expected, name
    assert not await browser_page.is_visible("#mock-genesys-launcher")
    await browser_page.evaluate(command, "Launcher.show")
    assert await browser_page.is_visible("#mock-genesys-launcher")
