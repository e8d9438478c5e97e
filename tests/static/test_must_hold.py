"""The cases of docs/embedding.md, "When something is wrong": what the page and the visitor see, each by its name."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright, expect

from tests.static.conftest import CHROMIUM, FLAGS, NONCE, Console, Site, Visit
from tests.static.stand_in import Refusal
from tests.static.test_outline import OUTLINES
from tests.static.test_panel import CARD, QUICK_REPLIES

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]
ROOT = Path(__file__).resolve().parents[2]
OLD_CALLS = (
    "zE('messenger', 'open'); $zopim.livechat.say('x'); zE('messenger:on', 'open', () => {}); window.ran = true;"
)
PDF = {"id": "1", "url": "https://shop.example/f.pdf", "filename": "f.pdf", "mime": "application/pdf"}
EVERY_KIND: list[dict[str, Any]] = [
    *({"contentType": kind, **content} for kind, (content, _, _) in OUTLINES.items()),
    {"contentType": "Card", "card": CARD},
    {"contentType": "Carousel", "carousel": {"cards": [CARD, CARD, CARD]}},
    {"contentType": "Attachment", "attachment": PDF},
    QUICK_REPLIES[0],
]
ZENDESK: dict[str, Any] = {"zendesk": {"fields": {}, "departments": {}}}


async def unharmed(visit: Visit) -> None:
    """The page's own script ran to its end, and its own button works."""
    assert await visit.run("return window.ran;") is True
    assert await visit.run("return await new Promise((done) => { own.onclick = () => done(true); own.click(); });")


async def test_case_blocked_by_csp(visit: Visit) -> None:
    """connect-src lacks the gateway: one line that names directive and cure; the visitor reads why; page unharmed."""
    visit.gateway.settings = ZENDESK
    visit.site.after = OLD_CALLS
    visit.site.csp = visit.site.strict_csp().replace(f"connect-src {visit.gateway.url}", "connect-src 'self'")
    await visit.page.goto(visit.site.url)
    await (
        visit.page.get_by_text("Chat is not available right now.")
        .or_(visit.page.get_by_text("Reconnecting"))
        .first.wait_for()
    )
    csp = [line for line in visit.console.ours if "page.csp" in line]
    assert len(csp) == 1
    assert "connect-src" in csp[0]
    assert "gateway csp" in csp[0]
    await unharmed(visit)
    await visit.page.goto("about:blank")
    visit.console.faults.clear()  # the browser's own words about the policy


async def test_case_script_blocked_altogether(visit: Visit) -> None:
    """An ad blocker takes the script: no chat, and only code that does not ask whether zE is there fails, as before."""
    await visit.page.route("**/widget.js", lambda route: route.abort())
    visit.site.after = "window.zE?.('messenger', 'open'); window.gateway = window.gateway || []; window.ran = true;"
    await visit.page.goto(visit.site.url)
    await unharmed(visit)
    assert visit.console.faults == []


async def test_case_gateway_down(visit: Visit) -> None:
    """Nothing answers: one line, no launcher that could not work, the old calls harmless."""
    visit.gateway.settings = ZENDESK
    await visit.page.route("**/static/*", lambda route: route.abort("connectionrefused"))
    await visit.page.route("**/origin", lambda route: route.abort("connectionrefused"))
    visit.site.after = OLD_CALLS
    await visit.page.goto(visit.site.url)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert "payload.unavailable" in visit.console.ours[0]
    await expect(visit.page.locator("gateway-chat")).to_have_count(0)
    await unharmed(visit)


async def test_case_origin_refused(visit: Visit) -> None:
    """The origin is not listed: one line with origin, code and request id; no launcher; the old calls harmless."""
    visit.gateway.settings = ZENDESK
    visit.gateway.origin_refusal = Refusal(403, "origin.not_allowed")
    visit.site.after = OLD_CALLS
    await visit.page.goto(visit.site.url)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert visit.site.url in visit.console.ours[0]
    assert "origin.not_allowed (403)" in visit.console.ours[0]
    assert "req-test-1" in visit.console.ours[0]
    await expect(visit.page.locator("gateway-chat")).to_have_count(0)
    await unharmed(visit)


async def test_case_expired_token(visit: Visit) -> None:
    """The page's token has expired: the page's callback learns the reason; what was written goes on as a guest."""
    visit.gateway.settings = ZENDESK
    await visit.chat()
    await visit.write("before")
    visit.gateway.refuse("session", 401, "visitor.expired", times=2)
    await visit.run(
        "zE('messenger', 'loginUser', (give) => give('old'), (error) => { window.reason = error.reason; });"
    )
    await visit.page.wait_for_function("window.reason === 'visitor.expired'")
    await visit.write("after")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["before", "after"])


@pytest.mark.parametrize("kind", ["sessionStorage", "localStorage"])
async def test_case_storage_disabled(visit: Visit, kind: str) -> None:
    """The browser forbids storage: the chat works until the page is left; nothing is thrown."""
    deny = f"Object.defineProperty(window, '{kind}', {{ get() {{ throw new DOMException('no', 'SecurityError'); }} }});"
    visit.gateway.settings = ZENDESK
    visit.site.before = deny
    await visit.chat()
    await visit.write("without storage")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["without storage"])
    assert visit.console.ours == []


async def test_case_third_party_cookies_blocked(visit: Visit) -> None:
    """No cookie is set, sent or needed: blocking them changes nothing."""
    sent: list[str] = []

    async def look(route: Any) -> None:
        sent.extend(name for name in await route.request.all_headers() if name == "cookie")
        await route.continue_()

    await visit.context.add_cookies([{"name": "c", "value": "1", "url": visit.gateway.url}])
    await visit.page.route(lambda url: visit.gateway.url in url and "widget.js" not in url, look)
    await visit.chat()
    await visit.write("no cookies")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["no cookies"])
    assert sent == []
    assert [cookie["name"] for cookie in await visit.context.cookies()] == ["c"]


async def test_case_offline_and_back(visit: Visit) -> None:
    """The visitor reads that it waits; it is sent once when the network is back."""
    await visit.chat()
    await visit.context.set_offline(True)
    await visit.page.get_by_text("You are offline.").wait_for()
    await visit.write("from the tunnel")
    await visit.context.set_offline(False)
    await visit.gateway.until(lambda: visit.gateway.sent() == ["from the tunnel"])
    await expect(visit.page.get_by_text("You are offline.")).to_be_hidden()


async def test_case_two_tabs(visit: Visit) -> None:
    """A tab opened anew by an anonymous visitor is a chat of its own: nothing crosses, nothing is sent twice.

    A duplicated tab: `test_two_tabs_of_one_visitor_show_the_same_thread` of test_widget.py; tabs of a visitor who is
    signed in: tests/journeys/test_sign_in.py.
    """
    await visit.chat()
    second = await visit.context.new_page()
    await second.goto(visit.site.url)
    await second.get_by_role("button", name="Open chat").click()
    await expect(second.get_by_role("log")).to_have_attribute("aria-live", "polite")
    await second.get_by_role("textbox", name="Write a message").fill("second")
    await second.keyboard.press("Enter")
    await visit.write("first")
    await visit.gateway.until(lambda: sorted(visit.gateway.sent()) == ["first", "second"])
    assert len({id(guest) for guest in visit.gateway.sessions.values()}) == 2
    await expect(second.get_by_role("log").get_by_text("first")).to_have_count(0)
    await expect(visit.log.get_by_text("second")).to_have_count(0)
    await second.close()


async def test_case_back_forward_cache(site: Site) -> None:
    """Away and Back, out of the browser's own cache: the chat is as it was left, connects again, and sends once."""
    async with async_playwright() as playwright:
        # Playwright switches this cache off unless it is told not to.
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, ignore_default_args=["--disable-back-forward-cache"]
        )
        page = await chromium.new_page()
        visit = Visit(site, page, page.context, Console(page))
        await visit.chat()
        await visit.write("before")
        await visit.gateway.until(lambda: visit.gateway.sent() == ["before"])
        await visit.run("window.keptInMemory = true;")
        await visit.page.goto(f"{visit.gateway.url}/static/client.d.ts")
        await visit.page.evaluate("history.back()")
        await visit.page.wait_for_url(f"{site.url}/", wait_until="commit")
        assert await visit.run("return window.keptInMemory;") is True, "the page was loaded anew, not restored"
        await visit.log.get_by_text("before").wait_for()
        await visit.write("after")
        await visit.gateway.until(lambda: visit.gateway.sent() == ["before", "after"])
        assert visit.console.faults == []
        await chromium.close()


async def test_case_thirty_minutes_asleep(visit: Visit) -> None:
    """The device slept, the session and its socket are gone: what is typed then is sent once, in a session anew."""
    await visit.page.clock.install()
    await visit.chat()
    await visit.write("before")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["before"])
    visit.gateway.sessions.clear()
    await visit.gateway.close_sockets(1001)
    await visit.page.clock.fast_forward(30 * 60_000)
    await visit.run("window.dispatchEvent(new Event('online'));")
    await visit.input.fill("after half an hour")
    await visit.input.press("Enter")
    await visit.page.clock.fast_forward(60_000)
    await visit.gateway.until(lambda: visit.gateway.sent()[-1:] == ["after half an hour"])
    assert visit.gateway.sent().count("after half an hour") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_panel_has_no_violation_of_axe(visit: Visit, scheme: str) -> None:
    """axe-core: closed and open, empty, with every kind of content, asked to end, ended, and refused."""
    subprocess.run([ROOT / ".ci" / "browser-parts"], check=True, timeout=50)  # noqa: ASYNC221  # once, before the page
    axe = (ROOT / ".cache" / "npm" / "node_modules" / "axe-core" / "axe.min.js").read_text()

    async def faultless() -> None:
        found = "(await axe.run('gateway-chat')).violations.map(({ id, nodes }) => [id, nodes.map((n) => n.html)])"
        assert await visit.run(f"return {found};") == []

    async def opened() -> None:
        await visit.go()
        await visit.page.evaluate(axe)
        await visit.page.get_by_role("button", name="Open chat").click()

    await visit.page.emulate_media(reduced_motion="reduce")  # a window that still fades in has no contrast yet
    visit.gateway.settings = {"theme": {"scheme": scheme}}
    await visit.go()
    await visit.page.evaluate(axe)
    await faultless()
    await opened()
    await visit.online()
    await faultless()
    await visit.write("hello")
    for content in EVERY_KIND:
        await visit.gateway.say("Here", type="Structured", content=[content])
    await visit.page.get_by_role("button", name="Yes").wait_for()
    await faultless()
    await visit.page.get_by_role("button", name="End chat").click()
    await faultless()
    await visit.page.get_by_role("button", name="End it").click()
    await visit.page.get_by_text("This chat has ended.").wait_for()
    await faultless()
    visit.gateway.refuse("session", 403, "origin.not_allowed", times=9)
    await visit.run("sessionStorage.clear();")
    await opened()
    await visit.page.get_by_text("Chat is not available right now.").wait_for()
    await faultless()


async def test_loading_costs_little_and_moves_nothing(visit: Visit) -> None:
    """All scripts take under 5 ms of the main thread until the chat is on the page; no layout shift.

    Counted in the thread's own processor time, which stands still while other programs have the processor; the best
    of five loads, for the first one starts the browser's own machinery too.
    """
    visit.gateway.settings = ZENDESK
    visit.site.before = (
        "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries())"
        " shift += entry.value; }).observe({ type: 'layout-shift', buffered: true });"
    )
    session = await visit.context.new_cdp_session(visit.page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def script_ms() -> float:
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        return 1000 * next(float(metric["value"]) for metric in metrics if metric["name"] == "ScriptDuration")

    spent_ms = []
    for _ in range(5):
        await visit.page.goto("about:blank")
        before_ms = await script_ms()
        await visit.go()
        spent_ms.append(await script_ms() - before_ms)
    assert 0 < min(spent_ms) < 5
    assert await visit.run("return shift;") == 0


@pytest.mark.parametrize("nonce", [NONCE])
async def test_trusted_types_and_nonce_hold_in_messenger_mode_too(visit: Visit, nonce: str) -> None:
    """Under the strict policy the stock Messenger's script is loaded with the page's nonce, through the one policy."""
    visit.gateway.settings = {"mode": "messenger", **ZENDESK}
    visit.gateway.genesys_script = "window.arrived = document.currentScript.nonce;"
    visit.site.csp = visit.site.strict_csp()
    await visit.page.goto(visit.site.url)
    wait = "while (!window.arrived) await new Promise((done) => requestAnimationFrame(done));"
    assert await visit.run(f"{wait} return window.arrived;") == nonce
    assert visit.console.faults == []
