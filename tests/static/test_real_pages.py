"""Page code as real sites have it around Zendesk's tag, copied in spirit: each must go on working with ours."""

import pytest

from tests.static.conftest import Visit

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]
SRC = "document.querySelector('script[src*=widget]').src"

# name: (code before the tag, code after it); each sets window.done when what it waited for has come.
PAGES = {
    "polls_for_zE_every_100_ms_and_gives_up_after_ten_seconds": (
        (
            "let tries = 0; const timer = setInterval(() => { tries += 1; if (window.zE) { clearInterval(timer);"
            " window.zE('messenger', 'open'); window.done = true; }"
            " else if (tries > 100) clearInterval(timer); }, 100);"
        ),
        "",
    ),
    "polls_for_livechat_and_opens_its_window": (
        (
            "const timer = setInterval(() => { if (window.$zopim && window.$zopim.livechat) { clearInterval(timer);"
            " $zopim.livechat.setName('Ada'); $zopim.livechat.window.show(); window.done = true; } }, 100);"
        ),
        "",
    ),
    "zopims_inline_snippet_stands_before_the_tag": (
        (
            "window.$zopim || (function () { const z = window.$zopim = function (c) { z._.push(c); };"
            " z.set = function (o) { z.set._.push(o); }; z._ = []; z.set._ = []; })();"
            " $zopim(function () { $zopim.livechat.window.show(); window.done = true; });"
        ),
        "",
    ),
    "a_queue_of_its_own_stands_in_for_zE": (
        "window.zE = window.zE || function () { (zE.q = zE.q || []).push(arguments); }; zE('messenger', 'open');",
        "window.done = true;",
    ),
    "settings_come_with_a_jwt_function": (
        (
            "window.zESettings = { webWidget: { authenticate: { chat: { jwtFn: (give) => { give('ada.jwt');"
            " window.done = true; } } }, chat: { tags: ['vip'], departments: { select: 'Sales' } } } };"
        ),
        "zE('webWidget', 'open');",
    ),
    "looks_for_the_snippet_by_its_id_and_waits_for_its_load": (
        "",
        (
            "document.getElementById('ze-snippet').addEventListener('load', () => { zE('messenger', 'open');"
            " window.done = true; });"
        ),
    ),
    "a_wrapper_makes_the_tag_itself_and_waits_for_onload": (
        "",
        (
            f"const s = document.createElement('script'); s.id = 'ze-snippet'; s.async = true; s.src = {SRC};"
            " s.onload = () => { zE('messenger:set', 'zIndex', 5); zE('messenger', 'open'); window.done = true; };"
            " document.body.appendChild(s);"
        ),
    ),
    "a_plugin_deletes_zE_and_loads_again": (
        "",
        (
            f"const src = {SRC}; delete window.zE; document.getElementById('ze-snippet').remove();"
            " const s = document.createElement('script'); s.id = 'ze-snippet'; s.src = src;"
            " s.onload = () => { window.zE('messenger', 'open'); window.done = true; }; document.head.appendChild(s);"
        ),
    ),
    "asks_whether_listening_gives_back_a_function": (
        "",
        (
            "if (typeof zE('messenger:on', 'unreadMessages', () => {}) === 'function') { zE('messenger', 'open');"
            " window.done = true; }"
        ),
    ),
    "takes_zero_unread_messages_for_content_that_is_rendered": (
        "",
        (
            "zE('messenger:on', 'unreadMessages', (count) => { if (count === 0) window.done = true; });"
            " zE('messenger', 'open');"
        ),
    ),
    "hides_first_and_shows_by_a_button_of_its_own": (
        "",
        (
            "zE('messenger', 'hide'); own.onclick = () => { zE('messenger', 'show'); zE('messenger', 'open');"
            " window.done = true; }; setTimeout(() => own.click(), 50);"
        ),
    ),
    "keeps_a_reference_from_before_the_chat_was_there": (
        "",
        (
            "const { zE: kept, $zopim: old } = window; const { livechat } = old; window.gateway.on('ready', () => {"
            " kept('messenger', 'show'); livechat.window.show(); window.done = true; });"
        ),
    ),
}


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("name", sorted(PAGES))
async def test_a_page_that(visit: Visit, name: str, mode: str) -> None:
    """The chat opens, once, and a message goes through one socket."""
    before, after = PAGES[name]
    waits = name.startswith(("polls", "zopims", "looks")) or "window.zE = window.zE ||" in before
    if mode == "async" and not waits:
        after = f"addEventListener('load', () => {{ {after} }});"  # the documented tag may also be async
    visit.gateway.settings = {"zendesk": {"fields": {}, "departments": {"Sales": "sales"}}}
    visit.site.tag = f'id="ze-snippet" {"async" if mode == "async" else ""}'
    visit.site.before, visit.site.after = before, after
    await visit.page.goto(visit.site.url)
    if name.startswith("looks") and mode == "sync":
        await visit.run("document.getElementById('ze-snippet').dispatchEvent(new Event('load'));")  # it loaded before
    await visit.page.wait_for_function("window.done === true")
    await visit.online()
    await visit.write("hello")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["hello"])
    assert len(visit.gateway.sockets) == 1
    assert await visit.page.locator("gateway-chat").count() == 1
    assert visit.console.ours == []
