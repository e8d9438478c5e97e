"""Old and new chat beside each other: each visitor on one side, both sides counted, each call at its widget."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.static.conftest import NONCE, Visit

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

# What Zendesk's script leaves on a page, as far as a page can see it.
ZENDESK_DOUBLE = """
window.theirs = { calls: [], on: {}, id: document.currentScript.id, nonce: document.currentScript.nonce };
window.zE = window.zEmbed = (...args) => {
  theirs.calls.push(args.map((each) => (typeof each === 'function' ? 'function' : each)));
  if (args[0] === 'messenger:on') { theirs.on[args[1]] = args[2]; return () => { theirs.stopped = args[1]; }; }
  if (args[1] === 'loginUser') args[2]((jwt) => { theirs.jwt = jwt; args[3]?.(null); });
};
zE.hide = () => theirs.calls.push(['zE.hide']);
window.$zopim = (fn) => fn();
$zopim.livechat = { window: { show: () => theirs.calls.push(['livechat.window.show']) } };
"""


async def load(visit: Visit, share: float, tag: str = "", after: str = "", salt: str = "s") -> None:
    """Load the page with this share of visitors in the new chat."""
    url = f"{visit.gateway.url}/genesys.min.js"  # any address that plays a script
    visit.gateway.genesys_script = ZENDESK_DOUBLE
    visit.gateway.settings = {
        "migration": {"share": share, "salt": salt, "oldScript": url},
        "zendesk": {"fields": {}, "departments": {}},
    }
    visit.site.tag = tag
    visit.site.after = "window.ready = new Promise((done) => gateway.on('ready', done));" + after
    await visit.page.goto(visit.site.url)
    await visit.run("await window.ready;")


async def arm(visit: Visit) -> str:
    """Which widget is on the page."""
    return str(await visit.run("return window.theirs ? 'old' : 'new';"))


@pytest.mark.parametrize(("share", "side"), [(0, "old"), (99.999999, "new")])
async def test_a_share_of_nothing_and_of_nearly_everybody(visit: Visit, share: float, side: str) -> None:
    await load(visit, share, tag='data-visitor="visitor-1"')
    assert await arm(visit) == side


async def test_one_visitor_stays_on_one_side_and_a_larger_share_takes_nobody_back(visit: Visit) -> None:
    await load(visit, 50)
    first = await arm(visit)
    for _ in range(3):
        await visit.page.reload()
        await visit.run("await window.ready;")
        assert await arm(visit) == first
    places = await places_of(visit, 300)
    for small, large in ((5, 20), (20, 60), (60, 95)):
        assert {n for n, place in enumerate(places) if place < small} <= {
            n for n, place in enumerate(places) if place < large
        }


async def places_of(visit: Visit, count: int, salt: str = "s") -> list[float]:
    """Where visitors fall between 0 and 100, by the script's own function."""
    script = (
        f"const {{ placeOf }} = await import('{visit.gateway.url}/static/split.js');"
        f" return Array.from({{ length: {count} }}, (_, n) => placeOf('{salt}\\n' + n) / 100);"
    )
    found: list[float] = await visit.run(script)
    return found


async def test_the_share_is_the_share(visit: Visit) -> None:
    await visit.page.goto(visit.site.url)
    places = await places_of(visit, 20_000)
    for share in (1, 10, 50, 90):
        assert abs(sum(place < share for place in places) / 200 - share) < 1.2
    other = await places_of(visit, 20_000, "another salt")
    both = sum(a < 50 and b < 50 for a, b in zip(places, other, strict=True)) / 200
    assert abs(both - 25) < 1.5  # another salt is another draw


async def test_the_old_side_is_zendesks_own_script_with_the_pages_nonce_and_its_id(visit: Visit) -> None:
    await load(visit, 0, tag='id="ze-snippet"')
    assert await visit.run("return [theirs.id, theirs.nonce];") == ["ze-snippet", NONCE]
    assert await visit.run("return document.querySelectorAll('#ze-snippet').length;") == 1
    await expect(visit.page.locator("gateway-chat")).to_have_count(0)
    assert visit.gateway.calls == []


async def test_on_the_old_side_calls_from_before_and_after_reach_zendesk(visit: Visit) -> None:
    early = "zE('messenger:set', 'locale', 'de'); zE.hide(); $zopim.livechat.window.show(); window.kept = zE;"
    await load(visit, 0, after=early)
    await visit.run("kept('messenger', 'open'); zE('messenger', 'close'); gateway.show();")
    calls = await visit.run("return theirs.calls.filter(([name]) => name !== 'messenger:on');")
    assert calls == [
        ["messenger:set", "locale", "de"],
        ["zE.hide"],
        ["livechat.window.show"],
        ["messenger", "open"],
        ["messenger", "close"],
        ["messenger", "show"],
    ]


async def test_on_the_old_side_our_own_calls_reach_zendesk_too(visit: Visit) -> None:
    await load(visit, 0, after="window.opened = new Promise((done) => gateway.on('open', done));")
    assert await visit.run("return await gateway.signIn(() => 'ada.jwt');") == {"ok": True}
    assert await visit.run("return theirs.jwt;") == "ada.jwt"
    await visit.run("theirs.on.open(); await window.opened; await gateway.signOut();")
    assert ["messenger", "logoutUser"] in await visit.run("return theirs.calls;")


@pytest.mark.parametrize(("share", "side"), [(0, "old"), (99.999999, "new")])
async def test_both_sides_are_counted_by_what_becomes_of_them(visit: Visit, share: float, side: str) -> None:
    await load(visit, share)
    opens = "theirs.on.open();" if side == "old" else "gateway.open();"
    await visit.run(opens)
    names: Any = lambda: [told["name"] for told in visit.gateway.beacons if told["kind"] == "migration"]  # noqa: E731
    await visit.gateway.until(lambda: names() == [f"{side}.assigned", f"{side}.loaded", f"{side}.opened"])
    await visit.page.reload()
    await visit.run("await window.ready;")
    await visit.gateway.until(lambda: names().count(f"{side}.loaded") == 2)
    assert names().count(f"{side}.assigned") == 1


async def test_an_old_script_that_does_not_load_is_counted_and_one_line(visit: Visit) -> None:
    await visit.page.route("**/genesys.min.js", lambda route: route.abort())
    visit.gateway.settings = {
        "migration": {"share": 0, "salt": "", "oldScript": f"{visit.gateway.url}/genesys.min.js"},
        "zendesk": {"fields": {}, "departments": {}},
    }
    await visit.page.goto(visit.site.url)
    await visit.console.until(lambda: len(visit.console.ours) == 1)
    assert "migration.old_unavailable" in visit.console.ours[0]
    await visit.gateway.until(lambda: {"kind": "migration", "name": "old.failed"} in visit.gateway.beacons)


@pytest.mark.parametrize(("tag", "side"), [('data-arm="new"', "new"), ('data-arm="old"', "old")])
async def test_a_test_may_name_the_side(visit: Visit, tag: str, side: str) -> None:
    await load(visit, 50, tag=tag)
    assert await arm(visit) == side


async def test_where_nothing_can_be_kept_the_old_widget_stays(visit: Visit) -> None:
    denied = "{ get() { throw new DOMException('no', 'SecurityError'); } }"
    visit.site.before = f"Object.defineProperty(window, 'localStorage', {denied});"
    await load(visit, 99.9)
    assert await arm(visit) == "old"


async def test_before_consent_nothing_is_kept_and_nobody_is_drawn(visit: Visit) -> None:
    visit.gateway.settings = {"migration": {"share": 50, "salt": "", "oldScript": "https://old.example/s.js"}}
    visit.site.tag = 'data-consent="required"'
    await visit.page.goto(visit.site.url)
    assert await visit.run("return localStorage.length;") == 0
