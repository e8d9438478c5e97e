"""Drives a whole gateway over every service, and over what is refused, so that its telemetry has something to tell.

Everything goes through the public listener and the mock Genesys. Leaves judging what was told to the tests.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import aiohttp
import jwt

from gateway.app.running import reload
from gateway.observe.audit.keeper import Keeper
from tests.journeys.guest_client import connected
from tests.stack import (
    BACKEND_ID,
    BACKEND_KEY,
    DEPLOYMENT,
    PAGE,
    QUEUE,
    VISITOR_KID,
    VISITOR_SECRET,
    Stack,
    basic,
    compiled,
    mock_flags,
)

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
SUBJECT = "visitor-canary-4711"


def visitor_token(**changes: object) -> str:
    """A Zendesk messaging token of the shop, as its server signs it."""
    claims = {"scope": "user", "external_id": SUBJECT, "name": "Cara Canary", "email": "cara@canary.example",
              "email_verified": True, "exp": int(time.time()) + 300, **changes}  # fmt: skip
    return jwt.encode(claims, VISITOR_SECRET, algorithm="HS256", headers={"kid": VISITOR_KID})


async def ask(stack: Stack, method: str, path: str, **options: Any) -> int:
    """One request below the site; its status."""
    async with stack.call(method, path, **options) as answer:
        await answer.read()
        return answer.status


async def pages(stack: Stack) -> None:
    """What pages do: script, session, upgrade, ticket, beacon, end; and the refusals that they may meet."""
    for path in ("/widget.js", "/widget.js"):
        await ask(stack, "GET", path)
    session = await stack.session()
    signed = await stack.session(visitor_token(), bearer=session["session_token"])
    await ask(stack, "POST", "/ticket", bearer=signed["session_token"], json={})
    for kind in ("failure", "csp", "nonsense"):
        await ask(stack, "POST", "/beacon", json={"kind": kind})
    for token in ("a.b.c", visitor_token(exp=int(time.time()) - 600), visitor_token()[:-4] + "AAAA"):
        await ask(stack, "POST", "/session", json={"visitor_token": token})
    for origin in (None, "null", "https://evil.example", "http://shop.example:x", "file://"):
        await ask(stack, "POST", "/session", origin=origin, json={})
    await ask(stack, "DELETE", "/session", bearer=signed["session_token"])
    await ask(stack, "BREW", "/session")
    await ask(stack, "OPTIONS", "/session", headers={"Access-Control-Request-Method": "POST"})
    async with stack.client.get(f"{stack.url}/nothing/here") as answer:
        await answer.read()


async def calls(stack: Stack) -> None:
    """What a server does on a good day."""
    for path in (WAIT, WAIT):
        await ask(stack, "GET", path, bearer=BACKEND_KEY, origin=None)


async def backend(stack: Stack) -> None:
    """What a server does: token, calls that pass and calls that do not, and a Genesys that behaves in many ways."""
    form = {"grant_type": "client_credentials"}
    async with stack.client.post(f"{stack.url}/oauth/token", headers=basic(BACKEND_ID, BACKEND_KEY), data=form) as got:
        handle = (await got.json())["access_token"]
    async with stack.client.post(f"{stack.url}/oauth/token", headers=basic(BACKEND_ID, "wrong"), data=form) as got:
        await got.read()
    for path, bearer in ((WAIT, handle), (WAIT, BACKEND_KEY), (WAIT, None), ("/api/v2/users/me", BACKEND_KEY),
                         ("/api/v2/webchat/guest", BACKEND_KEY)):  # fmt: skip
        await ask(stack, "GET", path, bearer=bearer, origin=None)
    faults = stack.mock.world.faults
    for kind in ("reset", "expired_token", "503", "garbage", "html", "429"):
        faults.add("api", kind, match="*estimatedwaittime", count=2)
        await ask(stack, "GET", WAIT, bearer=handle, origin=None)
        faults.clear()


async def socket(stack: Stack, text: str = "hello") -> None:
    """A guest's chat, with its history; and sockets that are refused."""
    site = stack.base
    async with connected(stack.client, site, DEPLOYMENT, PAGE) as guest:
        await guest.configure()
        await guest.say(text)
        await guest.agent_says()
        await guest.refusal("resumeToken")
        await guest.history(stack.client, site, PAGE)
    for origin in (PAGE, "https://evil.example"):
        try:
            async with connected(stack.client, site, str(uuid4()) if origin == PAGE else DEPLOYMENT, origin):
                pass
        except aiohttp.WSServerHandshakeError:
            continue
    async with asyncio.timeout(30):
        while stack.gateway.metrics.websocket_connections.child().value:
            await asyncio.sleep(0.01)


async def administration(stack: Stack, flags: Mapping[str, object]) -> None:
    """Reloads, good and bad, the log's own check, and every page of the admin listener."""
    good = {**mock_flags(stack.mock), **flags, "sites.shop.locale": "de"}
    await reload(stack.gateway, lambda: compiled({"sites.shop.origins": ["https://shop.example/path"]}), time.time)
    await reload(stack.gateway, lambda: compiled(good), time.time)
    keeper = stack.gateway.audit._keeper
    assert isinstance(keeper, Keeper)
    await keeper._self_check()
    for path in ("/healthz", "/readyz?verbose", "/metrics", "/audit"):
        async with stack.client.get(stack.admin_url + path) as answer:
            await answer.read()


async def everything(stack: Stack, flags: Mapping[str, object] | None = None) -> None:
    """All of it, once. `flags`: those that the gateway was started with."""
    await pages(stack)
    await backend(stack)
    await socket(stack)
    await administration(stack, flags or {})
    async with asyncio.timeout(30):  # the writer looks at the disk once a second
        while not stack.gateway.metrics.audit_disk_free.child().value:
            await asyncio.sleep(0.05)


def frame(action: str, **fields: object) -> str:
    """A frame of a guest."""
    return json.dumps({"action": action, **fields})
