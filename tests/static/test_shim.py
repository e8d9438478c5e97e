"""Zendesk's old calls beyond the rows of the table: order, time, faults, what never leaves the page, both modes."""

import pytest

from tests.static.conftest import Visit
from tests.static.shim_cases import FIELD, OWN_TESTS
from tests.static.shim_window import MODES, ROWS, Seen, call_of, case_of, visit_with

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

COOKIES = {
    "messenger:set cookies": "zE('messenger:set', 'cookies', {});",
    "zESettings cookies": "zE('webWidget', 'updateSettings', {{ cookies: {} }});",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("call", sorted(OWN_TESTS))
async def test_refused_cookies_take_the_chat_away_and_allowed_ones_bring_it_back(
    visit: Visit, call: str, mode: str
) -> None:
    await visit_with(visit, mode)
    await visit.run("await window.ready; zE('messenger', 'sendMessage', 'hi'); await heard('started');")
    await visit.run(COOKIES[call].format("false"))
    if mode == "messenger":
        await visit.page.wait_for_function("seen.commands.some(([name]) => name === 'Messenger.clear')")
        assert await visit.run("return sessionStorage.length;") == 0
        return  # Genesys shuts its Messenger down until the page is loaded again
    await visit.page.wait_for_function("look().hidden && sessionStorage.length === 0")
    await visit.run(COOKIES[call].format("true"))
    await visit.page.wait_for_function("!look().hidden")


@pytest.mark.parametrize("refusal", ["false", "'none'"])
@pytest.mark.parametrize("mode", MODES)
async def test_cookies_refused_before_the_chat_is_there_load_nothing_and_delete_what_was_kept(
    visit: Visit, mode: str, refusal: str
) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    before = "try { sessionStorage['gateway.shop'] = '{}'; } catch { /* about:blank */ }"
    await visit_with(visit, mode, before, f"zE('messenger:set', 'cookies', {refusal}); zE('messenger', 'show');")
    assert await visit.run("return sessionStorage.length;") == 0
    assert not any("/static/" in url for url in asked)
    await visit.run("zE('messenger:set', 'cookies', true); await window.ready;")


@pytest.mark.parametrize("mode", MODES)
async def test_calls_made_before_the_script_was_answered_are_done_in_their_order(visit: Visit, mode: str) -> None:
    calls = "zE('messenger:set', 'conversationTags', ['a']); zE('messenger', 'open'); $zopim(() => { out.z = true; });"
    await visit_with(visit, mode, after=calls + "zE('webWidget', 'chat:addTags', 'b'); zE(() => { out.e = true; });")
    await visit.run("await heard('open');")
    seen = Seen(visit, mode)
    await seen.out({"z": True, "e": True})
    assert (await seen.attributes())["zd_tags"] == "a,b"


@pytest.mark.parametrize("mode", MODES)
async def test_hidden_before_it_is_there_nothing_flashes(visit: Visit, mode: str) -> None:
    watch = (
        "out.shown = false; new MutationObserver(() => { const it = document.querySelector('gateway-chat');"
        " if (it && !it.hidden) out.shown = true; }).observe(document, { childList: true, subtree: true });"
    )
    await visit_with(visit, mode, watch, "zE('messenger', 'hide');")
    await visit.run("await window.ready;")
    assert await visit.run("return out.shown;") is False
    if mode == "proxied":
        assert (await visit.run("return look();"))["hidden"] is True
    else:
        await Seen(visit, mode).command("Launcher.hide")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("mode", MODES)
async def test_listening_gives_back_a_function_that_stops_it_from_the_first_moment(
    visit: Visit, mode: str, when: str
) -> None:
    listen = "out.stop = zE('messenger:on', 'open', () => { out.opened = true; }); out.type = typeof out.stop;"
    await visit_with(visit, mode, after=f"{listen} out.stop();" if when == "before" else listen)
    await visit.run("await window.ready;" + ("" if when == "before" else "out.stop();"))
    await visit.run("zE('messenger', 'open'); await heard('open');")
    assert await visit.run("return [out.type, out.opened ?? false];") == ["function", False]


@pytest.mark.parametrize("mode", MODES)
async def test_the_getters_answer_from_the_first_moment(visit: Visit, mode: str) -> None:
    names = ("display", "chat:isChatting", "chat:department", "chat:departments")
    calls = ", ".join(f"zE('webWidget:get', '{name}')" for name in names)
    await visit_with(
        visit, mode, after=f"out.first = [{calls}].map(String); out.config = zE('messenger:get', 'config');"
    )
    assert await visit.run("return out.first;") == ["hidden", "false", "undefined", "undefined"]
    assert await visit.run("return out.config === undefined;")


@pytest.mark.parametrize("mode", MODES)
async def test_a_refused_login_is_told_in_zendesks_words_with_the_gateways_reason(visit: Visit, mode: str) -> None:
    await visit_with(visit, mode)
    visit.gateway.refuse("session", 401, "visitor.expired", times=3)
    await visit.run(
        "await window.ready; zE('messenger', 'loginUser', (give) => give('old.jwt'), (e) => { out.e = e; });"
    )
    await visit.page.wait_for_function("out.e")
    error = await visit.run("return { ...out.e };")
    assert error == {
        "type": "LoginFailedError",
        "reason": "visitor.expired",
        "message": "Refused by the test.",
        "messsage": "Refused by the test.",
        "requestId": "req-test-1",
    }


async def test_the_old_one_callback_form_of_login_works_and_says_its_failure_in_the_console(visit: Visit) -> None:
    await visit_with(visit, "proxied")
    visit.gateway.refuse("session", 401, "visitor.unknown_key", times=3)
    await visit.run("await window.ready; zE('messenger', 'loginUser', (give) => give('x'));")
    await visit.console.until(lambda: any("visitor.unknown_key" in line for line in visit.console.ours))


async def test_the_callback_is_asked_again_when_a_fresh_token_is_needed(visit: Visit) -> None:
    await visit_with(visit, "proxied")
    await visit.run("await window.ready; let n = 0; zE('messenger', 'loginUser', (give) => give('ada.' + (n += 1)));")
    await visit.gateway.until(lambda: len(visit.gateway.asked("session")) == 1)
    await visit.run("await heard('guest'); zE('messenger', 'open');")
    await visit.online()
    visit.gateway.sessions.clear()
    await visit.gateway.close_sockets(1008)
    await visit.gateway.until(lambda: visit.gateway.proofs() == ["ada.1", "ada.2"])


@pytest.mark.parametrize("mode", MODES)
async def test_a_token_given_as_a_fields_value_goes_nowhere(visit: Visit, mode: str) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    await visit_with(visit, mode)
    await visit.run(
        f"await window.ready; zE('messenger:set', 'conversationFields', [{{ id: '{FIELD}', value: 'id {token}' }}]);"
    )
    assert (await Seen(visit, mode).attributes())["order_number"] == "id [redacted]"
    assert token not in str(visit.console.ours)
    assert any("zendesk.token_redacted" in line for line in visit.console.ours)


@pytest.mark.parametrize("mode", MODES)
async def test_logging_out_takes_fields_and_tags_along(visit: Visit, mode: str) -> None:
    await visit_with(visit, mode)
    calls = (
        f"zE('messenger:set', 'conversationFields', [{{ id: '{FIELD}', value: 'A1' }}]); $zopim.livechat.addTags('a');"
    )
    await visit.run(f"await window.ready; {calls} zE('messenger', 'logoutUser'); zE('messenger:set', 'locale', 'en');")
    assert await Seen(visit, mode).attributes() == {"zd_locale": "en"}


@pytest.mark.parametrize("mode", MODES)
async def test_more_than_genesys_takes_is_left_out_and_said(visit: Visit, mode: str) -> None:
    await visit_with(visit, mode)
    calls = "zE('webWidget', 'chat:addTags', 'kept'); zE('webWidget', 'identify', { name: 'x'.repeat(2000) });"
    await visit.run(f"await window.ready; {calls}")
    assert await Seen(visit, mode).attributes() == {"zd_tags": "kept"}
    assert any("context.too_large" in line for line in visit.console.ours)


@pytest.mark.parametrize("mode", MODES)
async def test_an_unknown_call_does_nothing_and_is_counted_by_its_name(visit: Visit, mode: str) -> None:
    await visit_with(visit, mode)
    kinds = await visit.run(
        "await window.ready; const stop = zE('messenger:on', 'madeUp', () => {}); zE('messenger', 'dance', 'a.secret');"
        " $zopim.livechat.dance('x'); zE('dance'); zE(); $zopim();"
        " return [typeof stop, typeof zE('webWidget:get', 'chat:mood')];"
    )
    assert kinds == ["function", "undefined"]
    await visit.run("window.dispatchEvent(new Event('pagehide'));")
    calls = ["messenger:on madeUp", "messenger dance", "livechat.dance", "dance", "zE ()", "$zopim ()"]
    names = [*calls, "webWidget:get chat:mood"]
    await visit.gateway.until(lambda: visit.gateway.reported("unknown") == names)
    assert "secret" not in str(visit.gateway.beacons)


@pytest.mark.parametrize("mode", MODES)
async def test_a_fault_in_one_call_is_told_and_stops_no_other(visit: Visit, mode: str) -> None:
    calls = "$zopim(() => { throw new Error('mine'); }); zE('messenger', 'loginUser'); zE('messenger', 'open');"
    await visit_with(visit, mode, after=calls)
    await visit.run("await heard('open');")
    (line,) = (line for line in visit.console.ours if "zendesk.call_failed" in line)
    assert "mine" in line
    assert visit.console.faults == []


async def test_without_zendesks_calls_none_of_its_names_is_on_the_page(visit: Visit) -> None:
    visit.gateway.settings = {"zendesk": None}
    await visit.go()
    assert (
        await visit.run("return [typeof zE, typeof zEmbed, typeof $zopim, typeof genesyscloud];") == ["undefined"] * 4
    )


@pytest.mark.parametrize("mode", MODES)
async def test_nothing_of_the_stubs_breaks_when_the_chat_never_comes(visit: Visit, mode: str) -> None:
    await visit.page.route("**/static/*", lambda route: route.abort())
    await visit_with(visit, mode)
    script = "".join(
        f"{call_of(row.call, case_of(row).args)};"
        for row in ROWS
        if row.call not in OWN_TESTS and not row.call.startswith("zESettings")
    )
    assert await visit.run(f"{script} return 'unharmed';") == "unharmed"
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert "payload.unavailable" in visit.console.ours[0]


@pytest.mark.parametrize("mode", MODES)
async def test_the_thing_from_the_forums_is_taken_and_explained(visit: Visit, mode: str) -> None:
    said: list[str] = []
    visit.page.on("console", lambda message: said.append(message.text))
    options = (
        "{ organizationId: 'your-org-id', loginUrl: 'https://x.mygen.com/v2/oauth/token', clientId: 'id',"
        " clientSecret: 's3cr3t', debug: true, theme: 'dark' }"
    )
    await visit_with(visit, mode, after=f"window.genesyscloud.widget.init({options});")
    await visit.run("await window.ready; await heard('ready');")
    for key in ("organizationId", "loginUrl", "clientId", "clientSecret", "theme"):
        assert any(line.startswith(f"gateway: {key}: ") for line in said), key
    assert "s3cr3t" not in "\n".join(said)
    await visit.run("gateway.open(); await heard('open');")
    assert any(line.startswith("gateway: open") for line in said)
