"""A whole journey with everything recorded: what is Genesys' or ours to keep is nowhere that a browser or reader sees.

Searched are the bytes on the wire to the browser (as they passed, and as the browser decoded them), the page and its
storage, the application log at its most talkative, the metrics, and the audit log on disk and as a page.
"""

from __future__ import annotations

import base64
import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from playwright.async_api import Browser, expect

from gateway.observe import log as app_log
from tests.journeys.guest_client import connected
from tests.journeys.stage import BACKEND_ID, BACKEND_KEY, DEPLOYMENT, QUEUE, SHOP_SECRET, Stage
from tests.journeys.window import Window, window_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]

PLAIN_SECRETS = re.compile(r'^\s*(?:secret|key) = "([^"]+)"', re.MULTILINE)
HANDLE = re.compile(rb"gw[a-z]_[A-Za-z0-9_-]{43}")
JWT = re.compile(rb"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@contextmanager
def talkative_log() -> Iterator[io.StringIO]:
    """The application log at level debug, into a buffer; undone at the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    app_log.configure(level="DEBUG", stream=stream, pretty=False)
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


def keep_signed(stage: Stage) -> list[str]:
    """Keep every guest JWT that the mock makes from now on."""
    world, made = stage.mock.world, list[str]()
    sign = world.sign_guest_jwt

    def keeping(kind: str, claims: dict[str, Any], life_s: int) -> tuple[str, int]:
        token, expires_at = sign(kind, claims, life_s)
        made.append(token)
        return token, expires_at

    vars(world)["sign_guest_jwt"] = keeping
    return made


async def play(stage: Stage, window: Window, http: aiohttp.ClientSession) -> None:
    """Chat, attach, reload for the history, sign in, fail in many ways, restart; and a backend's calls beside."""
    await window.open_chat(stage.shop.url)
    await window.write("Who sees this?")
    await window.hears("You said: Who sees this?")
    await window.page.reload()
    await window.page.get_by_role("button", name="Open chat").click()
    await window.hears("You said: Who sees this?")
    await window.page.get_by_role("button", name="Sign in as Ada").click()
    await expect(window.status).to_have_text("Signed in")
    await window.write("who am i?")
    await expect(window.log.get_by_text("You are")).to_be_visible()
    await backend_calls(stage, http)
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        await guest.say("From an app")
        await guest.history(http, stage.url, stage.origin)
        await guest.refusal("resumeToken")
    await stage.stop()
    await stage.start()
    await window.write("Still secret?")
    await expect(window.log.get_by_text("Still secret?", exact=True)).to_be_visible()


async def backend_calls(stage: Stage, http: aiohttp.ClientSession) -> None:
    """Calls of a backend, while Genesys behaves, refuses our token, throws our request back, and breaks off."""
    basic = {"Authorization": aiohttp.encode_basic_auth(BACKEND_ID, BACKEND_KEY)}
    form = {"grant_type": "client_credentials"}
    async with http.post(f"{stage.url}/oauth/token", headers=basic, data=form) as answer:
        bearer = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
    target = f"{stage.url}/sites/shop/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
    for kind in ("", "expired_token", "hostile_echo", "garbage", "html", "503", "429", "reset"):
        if kind:
            stage.mock.world.faults.add("api", kind, match="*estimatedwaittime", count=2)
        async with http.get(target, headers=bearer) as answer:
            await answer.read()
        stage.mock.world.faults.clear()


def secrets_of(stage: Stage, signed: list[str]) -> dict[str, set[str]]:
    """Every secret of the two worlds behind the browser, by kind."""
    world = stage.mock.world
    guest_key = (stage.directory / ".gateway" / "keys" / "guest.key").read_bytes()
    return {
        "Genesys tokens": set(world.access_tokens),
        "client secrets": {secret.value for client in world.clients.values() for secret in client.secrets},
        "guest JWTs": set(signed),
        "upstream guest tokens": set(world.session_by_token),
        "configured secrets": set(PLAIN_SECRETS.findall(Path("config.toml").read_text())),
        "guest key": {guest_key.hex(), base64.b64encode(guest_key).decode(), guest_key.decode("latin-1")},
    }


def found_in(place: bytes, secrets: dict[str, set[str]]) -> list[str]:
    """The kinds of secrets that stand in a place, plainly or in base64."""
    hits = []
    for kind, values in secrets.items():
        for value in values:
            raw = value.encode("latin-1")
            if raw in place or base64.b64encode(raw).rstrip(b"=")[:-1] in place:
                hits.append(kind)
    return hits


async def test_a_whole_journey_shows_no_secret_to_browser_log_metrics_or_audit(
    stage: Stage, browser: Browser, http: aiohttp.ClientSession
) -> None:
    signed = keep_signed(stage)
    with talkative_log() as stream:
        async with window_of(browser, keeps_traffic=True) as window:
            await play(stage, window, http)
            shown = await window.everything()
        async with http.get(f"{stage.gateway.admin_url}/metrics") as answer:
            metrics = await answer.read()
        async with http.get(f"{stage.gateway.admin_url}/audit") as answer:
            page = await answer.read()
        await stage.stop()
        logged = stream.getvalue().encode()
    segments = sorted((stage.directory / ".gateway" / "audit").rglob("*.jsonl"))
    audit = b"".join(path.read_bytes() for path in segments) + page
    secrets = secrets_of(stage, signed)

    assert all(secrets.values()), {kind: len(values) for kind, values in secrets.items()}
    places = {"wire": bytes(stage.tap.down), "browser": shown, "log": logged, "metrics": metrics, "audit": audit}
    assert {name: found_in(place, secrets) for name, place in places.items()} == {name: [] for name in places}
    # The recording works: what may be seen was seen. And even that, handles and proofs, is for the browser only.
    assert HANDLE.search(places["wire"])
    assert HANDLE.search(shown)
    assert JWT.search(bytes(stage.tap.up))
    assert b"token.rejected" in logged
    for name in ("log", "metrics", "audit"):
        assert HANDLE.search(places[name]) is None, name
        assert JWT.search(places[name]) is None, name
    assert b"Who sees this?" not in logged + metrics + audit
    assert b"ada@shop.example" not in logged + metrics + audit
    assert SHOP_SECRET in secrets["configured secrets"]


async def test_the_search_finds_what_it_looks_for() -> None:
    """Plainly and in base64; so an empty finding means something."""
    secrets = {"kind": {"mock-secret-reader"}}
    assert found_in(b'{"a": "mock-secret-reader"}', secrets) == ["kind"]
    assert found_in(base64.b64encode(b"mock-secret-reader"), secrets) == ["kind"]
    assert found_in(b"nothing here", secrets) == []
