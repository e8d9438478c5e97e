"""The script that a page embeds: a good guest on somebody's page, also when things go wrong."""

import gzip
import json
from typing import Any

import pytest
from playwright.async_api import expect

from tests.static.conftest import Visit
from tests.static.stand_in import ASSETS, STATIC_DIR, Refusal

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

SOURCE = (STATIC_DIR / "widget.js").read_text()
LOAD_AGAIN = (
    "await new Promise((done) => { const tag = document.createElement('script');"
    " tag.src = document.querySelector('script[src]').src; tag.onload = done; document.head.append(tag); });"
)


async def own_button_works(visit: Visit) -> bool:
    """The page's own script still runs and its own button can be pressed."""
    script = "return await new Promise((done) => { own.onclick = () => done(true); own.click(); });"
    return bool(await visit.run(script))


async def test_the_script_is_small() -> None:
    assert len(SOURCE.splitlines()) < 300
    assert len(gzip.compress(SOURCE.encode(), 9)) <= 4096


async def test_the_place_of_the_settings_stands_once() -> None:
    assert SOURCE.count("{} /* site settings */") == 1
    assert SOURCE.rstrip().endswith("})({} /* site settings */);")


async def test_it_adds_one_global(visit: Visit) -> None:
    visit.site.before = "window.namesBefore = Object.getOwnPropertyNames(window);"
    await visit.go()
    added = await visit.run("return Object.getOwnPropertyNames(window).filter((name) => !namesBefore.includes(name));")
    assert set(added) - {"namesBefore", "own"} == {"gateway"}


async def test_nothing_is_opened_at_the_gateway_before_the_visitor_opens_the_chat(visit: Visit) -> None:
    await visit.go()
    assert visit.gateway.calls == []


async def test_calls_made_before_the_chat_is_there_are_kept(visit: Visit) -> None:
    visit.site.after = "window.gateway.open(); window.gateway.setContext({ cart: 2 });"
    await visit.page.goto(visit.site.url)
    await visit.online()
    await visit.write("hi")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["hi"])
    assert visit.gateway.frames[-1]["message"]["channel"]["metadata"]["customAttributes"] == {"cart": "2"}


async def test_calls_queued_before_the_script_itself_are_taken_over(visit: Visit) -> None:
    visit.site.before = "window.gateway = [['open']];"
    await visit.page.goto(visit.site.url)
    await visit.online()


async def test_loaded_twice_there_is_one_chat_and_one_socket(visit: Visit) -> None:
    await visit.chat()
    await visit.run(LOAD_AGAIN)
    await visit.write("hi")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["hi"])
    await expect(visit.page.locator("gateway-chat")).to_have_count(1)
    assert len(visit.gateway.sockets) == 1


async def test_removed_by_the_page_and_loaded_again_it_comes_back_with_its_thread(visit: Visit) -> None:
    await visit.chat()
    await visit.write("before")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["before"])
    await visit.run(
        f"delete window.gateway; document.querySelector('gateway-chat').remove(); {LOAD_AGAIN} window.gateway.open();"
    )
    await visit.log.get_by_text("before").wait_for()
    assert len(visit.gateway.sockets) == 1


async def test_under_a_strict_policy_it_works_without_a_single_violation(visit: Visit) -> None:
    visit.site.csp = visit.site.strict_csp()
    await visit.chat()
    await visit.write("hi")
    await visit.gateway.say("welcome")
    await visit.log.get_by_text("welcome").wait_for()
    assert visit.console.faults == []


async def test_with_the_gateway_down_the_page_is_unharmed_and_one_line_says_why(visit: Visit) -> None:
    await visit.page.route("**/static/*", lambda route: route.abort())
    visit.site.after = "window.gateway.open(); window.gateway.signIn('x'); window.gateway.hide();"
    await visit.page.goto(visit.site.url)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert "payload.unavailable" in visit.console.ours[0]
    assert await own_button_works(visit)
    await visit.gateway.until(lambda: len(visit.gateway.beacons) == 1)
    assert visit.gateway.beacons == [{"kind": "failure", "name": "payload.unavailable"}]


async def test_a_payload_that_was_changed_on_the_way_does_not_run(visit: Visit) -> None:
    async def change(route: Any) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=await answer.text() + "\nwindow.stolen = true;")

    await visit.page.route("**/static/client.*", change)
    await visit.page.goto(visit.site.url)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert "payload.unavailable" in visit.console.ours[0]
    assert await visit.run("return window.stolen;") is None


async def test_a_page_of_an_unlisted_origin_shows_no_chat_and_says_why_in_one_line(visit: Visit) -> None:
    visit.gateway.origin_refusal = Refusal(403, "origin.not_allowed")
    visit.site.after = "window.gateway.open();"
    await visit.page.goto(visit.site.url)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    url = visit.site.url
    said = f"gateway: origin.not_allowed (403): {url}: Refused by the test. Request id: req-test-1"
    assert visit.console.ours == [said]
    await expect(visit.page.locator("gateway-chat")).to_have_count(0)
    assert await own_button_works(visit)
    assert visit.gateway.calls == []


async def test_a_refused_origin_is_one_line_with_the_request_id(visit: Visit) -> None:
    visit.gateway.refuse("session", 403, "origin.not_allowed", times=9)
    await visit.go()
    await visit.page.get_by_role("button", name="Open chat").click()
    await visit.page.get_by_text("Chat is not available right now.").wait_for()
    (line,) = visit.console.ours
    assert line == "gateway: origin.not_allowed (403): Refused by the test. Request id: req-test-1"


async def test_a_gateway_that_cannot_be_reached_is_one_line_however_often_it_is_tried(visit: Visit) -> None:
    await visit.go()
    await visit.page.route("**/sites/shop/session", lambda route: route.abort())
    await visit.page.get_by_role("button", name="Open chat").click()
    failed = "window.failures = (window.failures ?? 0) + 1"
    await visit.run(f"window.gateway.on('problem', () => {{ {failed}; }});")
    await visit.page.wait_for_function("window.failures >= 2")
    assert [line.split(":")[1].strip() for line in visit.console.ours] == ["gateway.unreachable"]


async def test_a_refused_sign_in_is_told_to_the_page_and_the_console(visit: Visit) -> None:
    await visit.go()
    visit.gateway.refuse("session", 401, "visitor.expired")
    result = await visit.run("return await window.gateway.signIn('old.jwt');")
    assert result == {
        "ok": False,
        "code": "visitor.expired",
        "detail": "Refused by the test.",
        "status": 401,
        "requestId": "req-test-1",
    }
    assert len(visit.console.ours) == 1


async def test_signing_in_later_keeps_the_thread(visit: Visit) -> None:
    await visit.chat()
    await visit.write("as a guest")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["as a guest"])
    assert (await visit.run("return await window.gateway.signIn(() => 'ada.jwt');"))["ok"]
    await visit.page.get_by_text("Signed in").wait_for()
    await visit.log.get_by_text("as a guest").wait_for()


async def test_a_fault_in_a_page_listener_does_not_stop_the_chat(visit: Visit) -> None:
    visit.site.after = "window.gateway.on('open', () => { throw new Error('mine'); });"
    await visit.chat()
    await visit.write("hi")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["hi"])
    assert visit.console.faults == ["mine"]
    visit.console.faults.clear()


async def test_the_page_may_stop_listening(visit: Visit) -> None:
    await visit.go()
    script = (
        "const heard = []; const stop = gateway.on('open', () => heard.push(1)); gateway.open(); "
        "await new Promise((done) => gateway.on('open', done)); stop(); "
        "gateway.close(); gateway.open(); await gateway.setContext({}); return heard.length;"
    )
    assert await visit.run(script) == 1


async def test_lazily_nothing_is_loaded_until_the_visitor_does_something(visit: Visit) -> None:
    visit.site.tag = "data-lazy"
    loaded: list[str] = []
    visit.page.on("request", lambda request: loaded.append(request.url))
    await visit.page.goto(visit.site.url)
    assert not any("/static/" in url for url in loaded)
    await visit.page.locator("#own").click()
    await expect(visit.page.locator("gateway-chat")).to_be_attached()


async def test_without_consent_nothing_is_loaded_or_stored_and_refusing_takes_it_away(visit: Visit) -> None:
    visit.site.tag = 'data-consent="required"'
    visit.site.after = "window.gateway.open();"
    await visit.page.goto(visit.site.url)
    await visit.page.locator("#own").click()
    assert await visit.page.locator("gateway-chat").count() == 0
    await visit.run("window.gateway.consent(true);")
    await visit.online()
    await visit.run("window.gateway.consent(false);")
    await visit.page.wait_for_function("sessionStorage.length === 0")
    await expect(visit.page.locator("gateway-chat")).to_be_hidden()
    assert visit.gateway.sessions == {}
    await visit.page.reload()
    assert await visit.run("return sessionStorage.length;") == 0


KEPT = (  # what an earlier visit may have left, beside what is not ours
    "try { localStorage['gateway.visitor'] = 'v'; localStorage.theirs = 'stays'; sessionStorage['gateway.shop'] = '{}';"
    " indexedDB.open('gateway', 1).onupgradeneeded = ({ target }) => target.result.createObjectStore('keys'); }"
    " catch { /* about:blank */ }"
)
STORED = (
    "const databases = await indexedDB.databases(); return [...Object.keys(localStorage),"
    " ...Object.keys(sessionStorage), ...databases.map(({ name }) => name)];"
)


@pytest.mark.parametrize("opened", [False, True])
async def test_consent_refused_leaves_nothing_of_ours_in_any_storage(visit: Visit, opened: bool) -> None:
    visit.gateway.settings = {"dpop": opened}
    if opened:
        await visit.chat()
        await visit.run("localStorage['gateway.visitor'] = 'v'; localStorage.theirs = 'stays';")
        assert set(await visit.run(STORED)) == {"gateway.visitor", "theirs", "gateway.shop", "gateway"}
    else:
        visit.site.before = f"{KEPT} window.gateway = [['consent', false]];"
        await visit.page.goto(visit.site.url)
    await visit.run("window.gateway.consent(false);")
    await visit.page.wait_for_function(f"(async () => {{ {STORED} }})().then((kept) => kept.join() === 'theirs')")
    assert visit.console.ours == []


async def test_consent_given_again_brings_the_chat_back(visit: Visit) -> None:
    await visit.chat()
    await visit.run("window.gateway.consent(false); window.gateway.consent(true);")
    await visit.page.get_by_role("button", name="Open chat").click()
    await visit.write("here again")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["here again"])


async def test_a_call_that_can_never_be_done_is_answered(visit: Visit) -> None:
    await visit.page.route("**/static/*", lambda route: route.abort())
    await visit.page.goto(visit.site.url)
    result = await visit.run("return await window.gateway.signIn('x');")
    assert (result["ok"], result["code"]) == (False, "payload.unavailable")


async def test_a_site_that_wants_everybody_signed_in_lets_them_in_after_it(visit: Visit) -> None:
    await visit.go()
    visit.gateway.refuse("session", 401, "visitor.missing")
    await visit.page.get_by_role("button", name="Open chat").click()
    await visit.page.get_by_text("Chat is not available right now.").wait_for()
    await visit.run("await window.gateway.signIn('ada.jwt');")
    await visit.page.get_by_text("Signed in").wait_for()
    await expect(visit.input).to_be_enabled()


async def test_a_tag_that_names_another_site_is_told_so(visit: Visit) -> None:
    visit.site.tag = 'data-site="other"'
    await visit.page.goto(visit.site.url)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert "widget.other_site" in visit.console.ours[0]


async def test_the_bare_file_says_that_it_is_not_served(visit: Visit) -> None:
    await visit.page.goto("about:blank")
    await visit.page.add_script_tag(content=SOURCE)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert "widget.not_served" in visit.console.ours[0]


async def test_debug_shows_the_steps_and_no_secret(visit: Visit) -> None:
    visit.site.tag = "data-debug"
    await visit.chat()
    await visit.run("await window.gateway.signIn('ada.jwt.secret');")
    await visit.write("private words")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["private words"])
    await visit.gateway.close_sockets(1001)
    await visit.console.until(lambda: any('socket closed {"code":1001' in line for line in visit.console.ours))
    said = "\n".join(visit.console.ours)
    assert '"mode":"proxied","region":"prod-euw1"' in said
    assert 'login {"step":"proof"}' in said
    assert '"verified":true' in said
    assert "frame out" in said
    assert not any(secret in said for secret in ("private words", "ada.jwt", "gws_", "gwt_", "gwh_"))


async def test_the_language_of_the_tag_wins_over_the_sites(visit: Visit) -> None:
    visit.gateway.settings = {"locale": "fr"}
    visit.site.tag = 'data-locale="de-AT"'
    await visit.go()
    await visit.page.get_by_role("button", name="Chat öffnen").wait_for()


async def test_without_a_locale_the_pages_own_language_is_spoken(visit: Visit) -> None:
    visit.gateway.settings = {"locale": None}
    visit.site.lang = "es"
    await visit.go()
    await visit.page.get_by_role("button", name="Abrir el chat").wait_for()


async def test_every_payload_is_addressed_by_its_hash(visit: Visit) -> None:
    loaded: list[str] = []
    visit.page.on("request", lambda request: loaded.append(request.url))
    await visit.go()
    names = {url.rsplit("/", 1)[1] for url in loaded if "/static/" in url}
    assert names <= set(ASSETS.payloads)
    assert {name.split(".")[0] for name in names} >= {"client", "panel", "session", "thread", "languages"}


async def test_no_file_of_ours_builds_markup_or_code_from_text() -> None:
    dangerous = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", ".cssText")
    for path in STATIC_DIR.glob("*.js"):
        text = path.read_text()
        assert [word for word in dangerous if word in text] == [], path.name


async def test_two_tabs_of_one_visitor_show_the_same_thread(visit: Visit) -> None:
    await visit.chat()
    await visit.write("from the first tab")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["from the first tab"])
    stored = await visit.run("return sessionStorage['gateway.shop'];")
    second = await visit.context.new_page()
    await second.add_init_script(f"sessionStorage['gateway.shop'] ??= {json.dumps(stored)};")
    await second.goto(visit.site.url)
    await second.get_by_role("button", name="Open chat").click()
    await second.get_by_role("log").get_by_text("from the first tab").wait_for()
    await second.get_by_role("textbox", name="Write a message").fill("from the second tab")
    await second.keyboard.press("Enter")
    await visit.log.get_by_text("from the second tab").wait_for()
    assert visit.gateway.sent() == ["from the first tab", "from the second tab"]
