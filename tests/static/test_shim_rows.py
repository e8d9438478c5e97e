"""Zendesk's old calls, row by row of static/zendesk-table.js, in both modes: what a page calls, what then happens."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser

from gateway.web.shim_table import ShimRow
from tests.static.conftest import Console, Site, Visit
from tests.static.shim_cases import OWN_TESTS, Case
from tests.static.shim_window import MODES, ROWS, Seen, call_of, case_of, load, settings_of
from tests.static.stand_in import serve

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def page_of_rows(browser: Browser) -> AsyncIterator[Visit]:
    """One window for all rows; each row loads the page afresh, and the stand-in is as new."""
    site = Site()
    app = web.Application()
    app.router.add_get("/", site.page)
    context = await browser.new_context(viewport={"width": 1100, "height": 760})
    page = await context.new_page()
    await page.add_init_script("try { sessionStorage.clear(); } catch { /* about:blank */ }")
    await page.expose_function("network", context.set_offline)
    async with serve(site.gateway.app()) as gateway_url, serve(app) as site_url:
        site.gateway.url, site.url = gateway_url, site_url
        yield Visit(site, page, context, Console(page))
        await context.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("row", [row for row in ROWS if row.call not in OWN_TESTS], ids=lambda row: str(row.call))
async def test_row(page_of_rows: Visit, row: ShimRow, mode: str) -> None:
    """The call does what its row says, gives back what it should, breaks nothing, and is counted."""
    visit, case, seen = page_of_rows, case_of(row), Seen(page_of_rows, mode)
    said: list[str] = []
    hear = lambda message: said.append(message.text)  # noqa: E731  # taken off again below
    visit.page.on("console", hear)
    early = row.call.startswith("zESettings")
    await load(visit, mode, settings_of(row.call, case.args) if early else "")
    call = "undefined" if early else call_of(row.call, case.args)
    value = await visit.run(f"{case.first} window.again = () => {call}; return again() ?? null;")
    if ":on " in row.call:
        assert await visit.run(f"return typeof {call_of(row.call, '() => {}')};") == "function"
    else:
        assert value == case.value
    if case.happens:
        await seen.happen(case.happens)
    await visit.run(case.then)
    await _expect(seen, case)
    if case.console:
        await visit.console.until(lambda: any(case.console in line for line in said))
    visit.page.remove_listener("console", hear)
    await visit.context.set_offline(False)
    await seen.counted(row.call)
    assert visit.console.faults == []


async def _expect(seen: Seen, case: Case) -> None:
    if case.out:
        await seen.out(case.out)
    if seen.mode == "proxied" and case.panel:
        await seen.panel(case.panel)
    if seen.mode == "messenger" and case.command:
        await seen.command(case.command)
    if seen.mode == "proxied" and case.asked:
        await seen.visit.gateway.until(lambda: bool(seen.visit.gateway.asked(case.asked)))
    if case.sent:
        await seen.sent(case.sent)
    if case.token:
        await seen.token(case.token)
    if case.attributes:
        found = await seen.attributes()
        wanted = {name: value for name, value in case.attributes.items() if value is not None}
        assert {name: found.get(name) for name in wanted} == wanted
        assert [name for name, value in case.attributes.items() if value is None and name in found] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.call))
async def test_every_row_has_a_case_that_can_fail(row: ShimRow) -> None:
    """A row that does something expects something; only rows that do nothing, or never fire, expect nothing."""
    if row.call in OWN_TESTS:
        return
    case = case_of(row)
    bare = Case(case.args)
    assert (case != bare) == (row.does != "nothing" and not (row.does == "on" and row.how_far == "lost")) or (
        row.call == "zESettings *"
    )
