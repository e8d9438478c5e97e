"""The header that `gateway csp` prints, as a page's whole policy: the chat works under it, and nothing is violated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser

from gateway.app.embedding import NONCE, csp, header, snippets
from tests.journeys.stage import Stage, staged
from tests.journeys.window import window_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]

OWN_NONCE = "cGFnZQ"
# What the page itself needs and no chat brings; whatever else the chat asks for must be in the printed header.
REST = {
    "proxied": "default-src 'none'",
    "messenger": "default-src 'none'; style-src 'unsafe-inline'",  # the stand-in for the Messenger styles itself
}


@dataclass
class Page:
    """A page of a site that has no policy but the printed one."""

    url: str = ""
    policy: str = ""
    tag: str = ""
    violations: list[str] = field(default_factory=list)

    async def serve(self, _request: web.Request) -> web.Response:
        """The tag, and a script that collects violations."""
        collect = (
            "window.violations = []; document.addEventListener('securitypolicyviolation',"
            " ({ effectiveDirective: d, blockedURI: u }) => violations.push(`${d} ${u}`));"
        )
        text = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>'
            f'<script nonce="{OWN_NONCE}" src="/own.js"></script>{self.tag}<h1>A page</h1>'
        )
        if _request.path == "/own.js":
            return web.Response(text=collect, content_type="text/javascript")
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": self.policy})


@asynccontextmanager
async def page_server() -> AsyncIterator[Page]:
    """The page at an origin of its own."""
    page = Page()
    app = web.Application()
    app.router.add_get("/{path:.*}", page.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        page.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield page
    finally:
        await runner.cleanup()


def furnish(page: Page, stage: Stage, mode: str, strict: bool) -> None:
    """Give the page the printed tag and the printed header."""
    compiled = stage.gateway.gateway.compiled
    printed = header(csp(compiled, "shop", strict=strict))
    own = "" if strict else f"script-src-elem 'self' {' '.join(csp(compiled, 'shop', strict=False)['script-src'])}; "
    page.policy = f"{own}{printed}; {REST[mode]}".replace(NONCE, OWN_NONCE)
    wanted = "nonce" if strict else "plain"
    (page.tag,) = [s.tag.replace(NONCE, OWN_NONCE) for s in snippets(compiled, "shop") if s.name == wanted]


@pytest.mark.parametrize("strict", [True, False], ids=["nonce", "by-host"])
@pytest.mark.parametrize("mode", ["proxied", "messenger"])
async def test_the_chat_works_under_the_printed_header_without_a_violation(
    tmp_path: Path, browser: Browser, mode: str, strict: bool
) -> None:
    async with page_server() as page:
        flags: dict[str, object] = {
            "sites__shop__mode": mode,
            "sites__shop__origins": [page.url],
            "sites__shop__visitors__genesys_login": mode == "proxied",
            "oidc__clients__genesys__redirect_uris": [f"{page.url}/"],
        }
        async with staged(tmp_path, **flags) as stage, window_of(browser) as window:
            furnish(page, stage, mode, strict)
            await window.page.goto(page.url)
            await window.page.evaluate("new Promise((done) => { window.gateway.on('open', done); gateway.open(); })")
            if mode == "proxied":
                await window.online()
                await window.write("under your policy")
                await window.hears("You said: under your policy")
            else:
                box = window.page.get_by_role("textbox")
                await box.fill("under your policy")
                await box.press("Enter")
                await window.page.get_by_text("You said: under your policy").wait_for()
            assert stage.guest_texts() == ["under your policy"]
            assert await window.page.evaluate("violations") == []
            assert window.ours == []
