"""Bad requests to the running gateway: each has a stable code, words that a page can read, a record and a count."""

from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import Browser

from tests.journeys.guest_client import SocketClosed, connected
from tests.journeys.refusals import ask, check, raw, upgrade
from tests.journeys.stage import BACKEND_KEY, DEPLOYMENT, QUEUE, Stage
from tests.journeys.window import window_of
from tests.ports import free_ports

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]

SOCKET = f"GET /sites/shop/v1?deploymentId={DEPLOYMENT}"
WAIT = f"GET /sites/shop/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
CLOSE = f"POST /sites/shop/api/v2/conversations/messaging/{QUEUE}/close"
JSON = {"Content-Type": "application/json"}
BACKEND = {"Authorization": f"Bearer {BACKEND_KEY}"}


async def ticket_of(stage: Stage, http: aiohttp.ClientSession) -> str:
    """A fresh ticket of a fresh anonymous session, as the page gets it."""
    page = {"Origin": stage.origin}
    async with http.post(f"{stage.url}/sites/shop/session", headers=page, json={}) as answer:
        handle = (await answer.json())["session_token"]
    bearer = {**page, "Authorization": f"Bearer {handle}"}
    async with http.post(f"{stage.url}/sites/shop/ticket", headers=bearer, json={}) as answer:
        return str((await answer.json())["ticket"])


# --- who asks ---------------------------------------------------------------------------------------------------


async def test_a_missing_origin(stage: Stage) -> None:
    answer = await ask(stage, "POST /sites/shop/session", origin=None)
    await check(stage, answer, 403, "origin.missing", readable=False)


async def test_a_foreign_origin_may_not_even_read_why(stage: Stage) -> None:
    answer = await ask(stage, "POST /sites/shop/session", origin=stage.stranger.url)
    await check(stage, answer, 403, "origin.not_allowed", readable=False)


async def test_a_foreign_origins_socket_never_reaches_genesys(stage: Stage) -> None:
    answer = await ask(stage, SOCKET, upgrade(), origin="https://evil.example")
    await check(stage, answer, 403, "origin.not_allowed", readable=False)
    assert [one for one in stage.mock.world.recorder.entries if one.target == "webmessaging"] == []


async def test_a_socket_without_origin(stage: Stage) -> None:
    answer = await ask(stage, SOCKET, upgrade(), origin=None)
    await check(stage, answer, 403, "origin.missing", readable=False)


async def test_an_unknown_site(stage: Stage) -> None:
    answer = await ask(stage, "POST /sites/elsewhere/session")
    await check(stage, answer, 404, "site.unknown")


# --- tickets and deployments --------------------------------------------------------------------------------------


async def test_a_wrong_deployment_in_the_query(stage: Stage) -> None:
    other = "00000000-0000-4000-8000-000000000000"
    answer = await ask(stage, f"GET /sites/shop/v1?deploymentId={other}", upgrade())
    await check(stage, answer, 403, "socket.wrong_deployment")


async def test_a_socket_without_ticket(stage: Stage) -> None:
    await stage.stop()
    await stage.start(sites__shop__visitors__anonymous_socket=False)
    await check(stage, await ask(stage, SOCKET, upgrade()), 403, "ticket.missing")


async def test_a_reused_ticket(stage: Stage, http: aiohttp.ClientSession) -> None:
    protocols = ("gateway.v1", f"ticket.{await ticket_of(stage, http)}")
    async with connected(http, f"{stage.url}/sites/shop", DEPLOYMENT, stage.origin, protocols=protocols) as guest:
        assert (await guest.configure())["body"]["connected"] is True
        answer = await ask(stage, SOCKET, upgrade(", ".join(protocols)))
        await check(stage, answer, 403, "ticket.invalid")
        with pytest.raises(SocketClosed) as closed:
            await guest.until("the socket that the ticket opened is closed")
        assert closed.value.code == 1008


async def test_an_expired_ticket(stage: Stage, http: aiohttp.ClientSession) -> None:
    ticket = await ticket_of(stage, http)
    stage.clock.ahead_s += 31.0
    answer = await ask(stage, SOCKET, upgrade(f"gateway.v1, ticket.{ticket}"))
    await check(stage, answer, 403, "ticket.expired")


async def test_a_socket_path_without_upgrade(stage: Stage, http: aiohttp.ClientSession) -> None:
    ticket = await ticket_of(stage, http)
    answer = await ask(stage, SOCKET, {"Sec-WebSocket-Protocol": f"ticket.{ticket}"})
    await check(stage, answer, 426, "socket.upgrade_required")


# --- paths --------------------------------------------------------------------------------------------------------


async def test_an_unknown_path(stage: Stage) -> None:
    await check(stage, await ask(stage, "GET /nothing/here"), 404, "request.not_found")


async def test_an_unknown_route(stage: Stage) -> None:
    answer = await ask(stage, "GET /sites/shop/api/v2/users/me", BACKEND)
    await check(stage, answer, 404, "route.unknown")
    assert not any(one.path == "/api/v2/users/me" for one in stage.mock.world.recorder.entries)


async def test_an_unlisted_method(stage: Stage) -> None:
    answer = await ask(stage, WAIT.replace("GET", "DELETE"), BACKEND)
    await check(stage, answer, 405, "request.method_not_allowed")


@pytest.mark.parametrize(
    "target",
    [
        "/sites/shop/api/v2/../v2/users/me",
        "/sites/shop/api/v2/%2e%2e/users/me",
        "/sites/shop/api/v2/%2E%2E/users/me",
        "/sites/shop/api/v2/routing%2fqueues",
        "/sites/shop/api/v2/routing%2Fqueues",
        "/sites/shop//api/v2/routing",
        "//sites/shop/session",
        "/sites/shop/session;jsessionid=1",
        "/sites/shop/session%3Bx",
        "/sites/shop/session%00",
        "/sites/shop/sess%69on",
        "http://127.0.0.1/sites/shop/session",
        "http://api.mypurecloud.ie/api/v2/users/me",
    ],
)
async def test_a_path_in_another_spelling(stage: Stage, target: str) -> None:
    await check(stage, await ask(stage, f"POST {target}"), 400, "request.path_invalid")
    asked = {one.path for one in stage.mock.world.recorder.entries if one.target == "api"}
    assert asked <= {"/api/v2/tokens/me"}  # the gateway's own look at its tokens


async def test_a_nul_in_the_request_line(stage: Stage) -> None:
    """Not HTTP at all: the parser ends the connection, so that no origin is known, and none is named."""
    answer = await raw(stage, f"GET /sites/shop/\0 HTTP/1.1\r\nHost: x\r\nOrigin: {stage.origin}\r\n\r\n".encode())
    await check(stage, answer, 400, "request.malformed", readable=False)


# --- bodies -------------------------------------------------------------------------------------------------------


async def test_a_body_over_512000_bytes(stage: Stage) -> None:
    answer = await ask(stage, CLOSE, {**JSON, **BACKEND}, body=b"x" * 512_001)
    await check(stage, answer, 413, "request.body_too_large")
    assert not any(one.method == "PATCH" for one in stage.mock.world.recorder.entries)


async def test_a_body_of_512000_bytes_passes(stage: Stage, http: aiohttp.ClientSession) -> None:
    """The limit itself is allowed: the conversation is ended."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        await guest.say("Please end this")
        conversation = stage.conversation()
        line = CLOSE.replace(QUEUE, conversation.id)
        answer = await ask(stage, line, {**JSON, **BACKEND}, body=b"x" * 512_000)
        assert answer.status < 300, answer
        assert not conversation.active


async def test_a_chunked_body_over_512000_bytes_is_cut_off(stage: Stage) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    head = f"{CLOSE} HTTP/1.1\r\nHost: gw\r\nOrigin: {stage.origin}\r\nAuthorization: Bearer {BACKEND_KEY}\r\n"
    request = (head + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").encode() + chunk * 8
    await check(stage, await raw(stage, request), 413, "request.body_too_large")


async def test_a_body_that_is_no_json(stage: Stage) -> None:
    answer = await ask(stage, "POST /sites/shop/session", JSON, body=b'{"visitor_token": ')
    await check(stage, answer, 400, "request.json_malformed")


# --- Genesys out of order -----------------------------------------------------------------------------------------


async def test_an_upstream_that_is_down(stage: Stage) -> None:
    await stage.stop()
    (nobody,) = free_ports(1)
    await stage.start(orgs__acme__endpoints__api=f"http://127.0.0.1:{nobody}")
    await check(stage, await ask(stage, WAIT, BACKEND), 502, "upstream.unreachable")


async def test_a_socket_host_that_is_down(stage: Stage, http: aiohttp.ClientSession) -> None:
    await stage.stop()
    (nobody,) = free_ports(1)
    await stage.start(orgs__acme__endpoints__webmessaging=f"ws://127.0.0.1:{nobody}")
    ticket = await ticket_of(stage, http)
    answer = await ask(stage, SOCKET, upgrade(f"gateway.v1, ticket.{ticket}"))
    await check(stage, answer, 502, "upstream.unreachable")


async def test_an_upstream_that_answers_html(stage: Stage) -> None:
    stage.mock.world.faults.add("api", "html", match="*estimatedwaittime", count=None)
    answer = await ask(stage, WAIT, BACKEND)
    await check(stage, answer, 502, "upstream.bad_answer")
    assert b"<html" not in answer.body


async def test_a_login_host_that_answers_html(stage: Stage) -> None:
    await stage.stop()
    stage.mock.world.faults.add("login", "html", count=None)
    await stage.start()
    answer = await ask(stage, WAIT, BACKEND)
    await check(stage, answer, 503, "token.unavailable")
    assert int(answer.headers["retry-after"]) == answer.problem["retry_after"]


async def test_a_socket_host_that_answers_html(stage: Stage, http: aiohttp.ClientSession) -> None:
    stage.mock.world.faults.add("webmessaging", "html", count=None)
    ticket = await ticket_of(stage, http)
    answer = await ask(stage, SOCKET, upgrade(f"gateway.v1, ticket.{ticket}"))
    await check(stage, answer, 502, "upstream.bad_answer")


# --- as the page has it -------------------------------------------------------------------------------------------

READ = """
async ([base, targets]) => Promise.all(targets.map(async (target) => {
  const headers = { "content-type": "application/json" }; // asks for a preflight
  const answer = await fetch(base + target, { method: "POST", headers, body: "{" });
  return [answer.status, (await answer.json()).code];
}))
"""


async def test_a_page_can_read_why_in_a_real_browser(stage: Stage, browser: Browser) -> None:
    """Preflight, CORS and body together, as fetch() sees them."""
    targets = {
        "/sites/shop/session": [400, "request.json_malformed"],
        "/sites/shop/ticket": [401, "session.missing"],
        "/sites/elsewhere/session": [404, "site.unknown"],
        "/sites/shop/api/v2/users": [404, "route.unknown"],
        "/sites/shop/session;x": [400, "request.path_invalid"],
        "/nothing/here": [404, "request.not_found"],
    }
    async with window_of(browser) as window:
        await window.page.goto(stage.shop.url)
        found = await window.page.evaluate(READ, [stage.url, list(targets)])
        assert dict(zip(targets, found, strict=True)) == targets
