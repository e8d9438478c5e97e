"""Signing in, in Chromium and in both modes: reload, lapse under an accelerated clock, two tabs, logout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.journeys.stage import Stage, staged
from tests.journeys.window import Window, window_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]
MESSENGER: dict[str, object] = {"sites__shop__mode": "messenger", "sites__shop__visitors__genesys_login": False}


def pass_time(stage: Stage, seconds: float) -> None:
    """For gateway and mock alike."""
    stage.clock.ahead_s += seconds
    stage.mock.world.clock.advance(seconds)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what only the other side shows; bounded."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def messenger_tabs(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser at the shop, whose CSP holds: a violation is a line in a console that must stay empty."""
    context = await browser.new_context()
    refused: list[str] = []
    context.on("console", lambda line: refused.append(line.text) if "Content Security" in line.text else None)
    try:
        yield context
        assert refused == []
    finally:
        await context.close()


async def sign_in(page: Page) -> None:
    """Press the shop's button and wait until Genesys has authenticated the visitor."""
    async with page.expect_response("**/oauthcodegrantjwtexchange") as exchange:
        await page.get_by_role("button", name="Sign in as Ada").click()
    assert (await exchange.value).status == 200


async def open_messenger(page: Page, url: str) -> None:
    """Go to the shop and wait for the stand-in's launcher."""
    await page.goto(url)
    await expect(page.locator("#mock-genesys-launcher")).to_be_visible()


async def write(page: Page, text: str) -> None:
    """Write with the stand-in's panel, and wait for the agent."""
    await page.get_by_label("Message", exact=True).fill(text)
    await page.get_by_label("Message", exact=True).press("Enter")
    await expect(page.get_by_role("log")).to_contain_text(f"You said: {text}")


def signed_in_subjects(stage: Stage) -> set[str | None]:
    return {session.subject for session in stage.mock.world.sessions.values()}


def verified_in(stage: Stage) -> list[str]:
    """The pseudonyms of all sessions of visitors who proved themselves."""
    issued = stage.audit("session.issued")
    return [record["user.id"] for record in issued if record["gateway.auth.method"] != "anonymous"]


async def test_the_stock_messenger_signs_the_visitor_in_and_a_reload_keeps_it(tmp_path: Path, browser: Browser) -> None:
    async with staged(tmp_path, **MESSENGER) as stage, messenger_tabs(browser) as tabs:
        page = await tabs.new_page()
        await open_messenger(page, stage.shop.url)
        await sign_in(page)
        await page.locator("#mock-genesys-launcher").click()
        await write(page, "Hello")
        (subject,) = signed_in_subjects(stage)
        assert subject is not None
        assert "customer-1815" not in subject
        await page.reload()
        await expect(page.locator("#mock-genesys-launcher")).to_be_visible()
        await until(lambda: len([e for e in stage.mock.world.exchanges if e["outcome"] == "granted"]) >= 2)
        await page.locator("#mock-genesys-launcher").click()
        await expect(page.get_by_role("log")).to_contain_text("You said: Hello")
        await write(page, "Still me")
        assert stage.guest_texts() == ["Hello", "Still me"]
        assert signed_in_subjects(stage) == {subject}


async def test_an_anonymous_conversation_becomes_the_visitors(tmp_path: Path, browser: Browser) -> None:
    async with staged(tmp_path, **MESSENGER) as stage, messenger_tabs(browser) as tabs:
        page = await tabs.new_page()
        await open_messenger(page, stage.shop.url)
        await page.locator("#mock-genesys-launcher").click()
        await write(page, "Before")
        assert signed_in_subjects(stage) == {None}
        await sign_in(page)
        await until(lambda: None not in signed_in_subjects(stage))
        await write(page, "After")
        assert len(stage.mock.world.conversations) == 1
        assert stage.guest_texts() == ["Before", "After"]


async def test_the_sign_in_is_refreshed_before_it_lapses_and_after_sleep(tmp_path: Path, browser: Browser) -> None:
    async with staged(tmp_path, **MESSENGER) as stage, messenger_tabs(browser) as tabs:
        page = await tabs.new_page()
        await page.clock.install()
        await open_messenger(page, stage.shop.url)
        await sign_in(page)

        def refreshed() -> int:
            return len([e for e in stage.mock.world.exchanges if (e["kind"], e["outcome"]) == ("refresh", "granted")])

        pass_time(stage, 845)  # a minute before the end of the quarter of an hour
        await page.clock.run_for(845_000)
        await until(lambda: refreshed() == 1)
        pass_time(stage, 1_200)  # the device slept: no timer ran, and the visitor comes back
        await page.clock.pause_at(await page.evaluate("Date.now()") + 1_200_000)
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await until(lambda: refreshed() >= 2)


async def test_signing_out_ends_the_sign_in_at_genesys_and_the_session_here(tmp_path: Path, browser: Browser) -> None:
    async with staged(tmp_path, **MESSENGER) as stage, messenger_tabs(browser) as tabs:
        page = await tabs.new_page()
        await open_messenger(page, stage.shop.url)
        await sign_in(page)
        async with page.expect_response(lambda a: a.url.endswith("/session") and a.request.method == "DELETE") as ended:
            await page.get_by_role("button", name="Sign out").click()
        assert (await ended.value).status == 204
        assert all(grant.revoked for grant in stage.mock.world.grants.values())
        assert len(await stage.settled_audit("session.ended")) == 1


async def test_two_tabs_are_one_visitor_in_either_mode(tmp_path: Path, browser: Browser) -> None:
    for mode in (MESSENGER, {}):
        directory = tmp_path / str(len(mode))
        directory.mkdir()
        async with staged(directory, **mode) as stage, messenger_tabs(browser) as tabs:
            pages = [await tabs.new_page() for _ in range(2)]
            for page in pages:
                await page.goto(stage.shop.url)
            await pages[0].get_by_role("button", name="Sign in as Ada").click()
            await until(lambda: len(stage.audit("session.issued")) >= 1)
            await pages[1].reload()
            await until(lambda: len(verified_in(stage)) >= 2)
            assert len(set(verified_in(stage))) == 1


async def test_proxied_two_tabs_of_a_signed_in_visitor_show_one_thread_as_it_grows(
    stage: Stage, browser: Browser
) -> None:
    async with messenger_tabs(browser) as tabs:
        first, second = [Window(await tabs.new_page()) for _ in range(2)]
        await first.open_chat(stage.shop.url)
        await first.page.get_by_role("button", name="Sign in as Ada").click()
        await expect(first.status).to_have_text("Signed in")
        await first.write("From the first tab")
        await first.hears("You said: From the first tab")
        await second.open_chat(stage.shop.url)
        await second.hears("You said: From the first tab")
        await second.write("From the second tab")
        await first.hears("From the second tab")
        await first.hears("You said: From the second tab")
        assert stage.guest_texts() == ["From the first tab", "From the second tab"]
        assert len(stage.mock.world.conversations) == 1


async def test_proxied_a_sign_in_that_lapses_is_renewed_without_a_word_to_the_page(
    stage: Stage, browser: Browser
) -> None:
    async with window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        await window.page.get_by_role("button", name="Sign in as Ada").click()
        await expect(window.status).to_have_text("Signed in")
        await window.write("Before the lapse")
        await window.hears("You said: Before the lapse")
        pass_time(stage, 905)
        await window.write("After the lapse")
        await window.hears("You said: After the lapse")
        assert stage.guest_texts() == ["Before the lapse", "After the lapse"]
        assert "refresh" in {exchange["kind"] for exchange in stage.mock.world.exchanges}
        assert window.ours == []


@pytest.mark.parametrize("slept_s", [870, 1_000])
async def test_proxied_a_handle_that_ran_out_while_the_device_slept_is_renewed_without_a_word(
    stage: Stage, browser: Browser, slept_s: int
) -> None:
    """Silent refresh: no timer ran; just before the handle's end it is renewed, after it the page proves anew."""
    object.__setattr__(stage.shop.settings, "now", stage.clock)  # the shop's server did not sleep
    async with window_of(browser) as window:
        await window.page.clock.install()
        await window.open_chat(stage.shop.url)
        await window.page.get_by_role("button", name="Sign in as Ada").click()
        await expect(window.status).to_have_text("Signed in")
        before = len(await stage.settled_audit("session.issued"))
        pass_time(stage, slept_s)
        await window.page.clock.pause_at(await window.page.evaluate("Date.now()") + slept_s * 1_000)
        await window.page.clock.resume()
        await until(lambda: len(stage.audit("session.issued")) > before)
        await window.write("Awake again")
        await window.hears("You said: Awake again")
        assert verified_in(stage)[-1] == verified_in(stage)[0]
        assert stage.guest_texts() == ["Awake again"]


async def test_proxied_after_logout_the_visitor_is_a_new_anonymous_guest(stage: Stage, browser: Browser) -> None:
    async with window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        await window.page.get_by_role("button", name="Sign in as Ada").click()
        await expect(window.status).to_have_text("Signed in")
        await window.write("Mine")
        await window.hears("You said: Mine")
        await window.page.get_by_role("button", name="Sign out").click()
        await until(lambda: all(grant.revoked for grant in stage.mock.world.grants.values()))
        await window.page.reload()
        await window.page.get_by_role("button", name="Open chat").click()
        await window.online()
        await expect(window.log).not_to_contain_text("Mine")
        await window.write("Somebody else")
        await window.hears("You said: Somebody else")
        assert len(stage.mock.world.conversations) == 2


async def test_a_bound_session_lives_through_sign_in_and_reload(tmp_path: Path, browser: Browser) -> None:
    """DPoP: the key cannot be read out, outlives the reload, and every call is proved with it."""
    flags: dict[str, object] = {
        "sites__shop__session__dpop": "required", "sites__shop__visitors__anonymous_socket": False,
    }  # fmt: skip
    async with staged(tmp_path, **flags) as stage, window_of(browser) as window:
        proofs: list[str | None] = []
        window.page.on(
            "request",
            lambda r: (
                proofs.append(r.headers.get("dpop"))
                if r.url.endswith(("/session", "/ticket")) and r.method == "POST"
                else None
            ),
        )
        await window.open_chat(stage.shop.url)
        await window.page.get_by_role("button", name="Sign in as Ada").click()
        await expect(window.status).to_have_text("Signed in")
        await window.write("Bound")
        await window.hears("You said: Bound")
        await window.page.reload()
        await window.page.get_by_role("button", name="Open chat").click()
        await window.hears("You said: Bound")
        assert len(proofs) >= 4
        assert None not in proofs
        assert len(set(proofs)) == len(proofs)
        assert not await window.page.evaluate(
            "new Promise((done) => { const o = indexedDB.open('gateway'); o.onsuccess = () => {"
            " const q = o.result.transaction('keys').objectStore('keys').get('possession.shop');"
            " q.onsuccess = () => done(q.result.privateKey.extractable); }; })"
        )
        assert [r for r in stage.audit() if str(r.get("event.reason", "")).startswith("dpop.")] == []
