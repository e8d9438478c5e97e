"""A captured upstream: whatever it sends back, no credential, cookie or token-shaped word leaves on any route."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from gateway.mock.server import MockSettings, running_mock
from tests.conversations import put_conversation
from tests.journeys.guest_client import connected
from tests.stack import BACKEND_KEY, DEPLOYMENT, PAGE, QUEUE, Stack, compiled, mock_flags, running_stack, whole_stack

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJnZW5lc3lzIn0.c2lnbmF0dXJlLW9mLWdlbmVzeXM"
OTHER = "pR0d_other-clients-token-of-eighty-characters-0123456789-abcdefghijklmnop*qrstuvwx"
HANDLE = "gws_" + "B" * 43
SECRETS = (JWT, OTHER, HANDLE, "session=stolen", "refresh-me-please")
BODY = {
    "id": "1", "access_token": OTHER, "jwt": JWT, "refreshToken": "refresh-me-please", "text": f"Bearer {OTHER}",
    "nested": [{"note": f"see {HANDLE} and {JWT}"}], "results": [{"intent": "ALL", "estimatedWaitTimeSeconds": 42}],
}  # fmt: skip


@asynccontextmanager
async def hostile(directory: Path, size: int, flags: dict[str, object] | None = None) -> AsyncIterator[Stack]:
    """A gateway whose API host is captured: it answers with credentials, in bodies of about this size."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/api/v2/tokens/me":
            return web.json_response({})
        padding = [{"n": n} for n in range(size // 10)]
        response = web.json_response(BODY | {"padding": padding}, headers={"ETag": f'"{JWT}"', "Warning": "299 - fine"})
        for name in ("Set-Cookie", "Set-Cookie2", "Authorization", "X-Auth-Token", "Www-Authenticate", "Location"):
            response.headers.add(name, f"session=stolen; {OTHER}")
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with running_mock(MockSettings.free_ports()) as mock:
            own = {**mock_flags(mock), "orgs.acme.endpoints.api": f"http://127.0.0.1:{runner.addresses[0][1]}"}
            async with running_stack(compiled({**own, **(flags or {})}), directory, mock) as stack:
                yield stack
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("size", [0, 400_000], ids=["at once", "streamed"])
async def test_nothing_token_shaped_leaves_a_captured_upstream(tmp_path: Path, size: int) -> None:
    async with hostile(tmp_path, size) as stack, stack.call("GET", WAIT, bearer=BACKEND_KEY, origin=PAGE) as answer:
        body = await answer.read()
        head = str(answer.headers)
    assert answer.status == 200
    for secret in SECRETS:
        assert secret not in head, secret
        assert secret.encode() not in body, secret
    told = orjson.loads(body)
    assert told["results"] == BODY["results"], "what is no credential passes as it is"
    assert told["access_token"] == "*" * len(OTHER)
    assert "Warning" in answer.headers


async def test_a_route_that_filters_lets_only_its_members_pass(tmp_path: Path) -> None:
    flags: dict[str, object] = {"routes.0.answer": ["results.estimatedWaitTimeSeconds"]}
    async with (
        hostile(tmp_path, 400_000, flags) as stack,
        stack.call("GET", WAIT, bearer=BACKEND_KEY, origin=None) as answer,
    ):
        assert await answer.json() == {"results": [{"estimatedWaitTimeSeconds": 42}]}


async def test_an_upstream_that_echoes_what_we_sent_is_cut_off_on_every_route(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        conversation = put_conversation(stack.mock.world, "shop")
        paths = (
            ("GET", WAIT), ("GET", f"/api/v2/conversations/{conversation.id}"),
            ("POST", f"/api/v2/conversations/messaging/{conversation.id}/close"),
            ("PATCH", f"/api/v2/conversations/messages/{conversation.id}"),
            ("DELETE", f"/api/v2/conversations/{conversation.id}"),
        )  # fmt: skip
        async with stack.call("GET", paths[1][1], bearer=BACKEND_KEY, origin=None) as answer:
            assert answer.status == 200  # whose it is, is known from here on
        stack.mock.world.faults.add("api", "hostile_echo", count=None)
        bearers = [(await stack.gateway.tokens.bearer("acme", name)).reveal() for name in ("reader", "closer")]
        for method, path in paths:
            async with stack.call(method, path, bearer=BACKEND_KEY, origin=PAGE) as answer:
                text = await answer.text() + str(answer.headers)
            assert answer.status == 502, (method, path)
            assert not any(bearer in text for bearer in bearers)
            assert "hostile" not in text
            assert "Set-Cookie" not in answer.headers


async def test_a_guests_own_jwt_that_is_echoed_on_the_built_in_route_is_cut_off_too(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack, connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
        await guest.configure()
        handle = (await guest.ask("JwtResponse", "getJwt"))["body"]["jwt"]
        stack.mock.world.faults.add("api", "hostile_echo", count=None)
        async with stack.call("GET", "/api/v2/webmessaging/messages", bearer=handle) as answer:
            text = await answer.text() + str(answer.headers)
        entry = stack.mock.world.recorder.entries[-1]
        assert (answer.status, entry.path) == (502, "/api/v2/webmessaging/messages")
        assert entry.raw_headers["Authorization"].partition(" ")[2] not in text
        assert "Set-Cookie" not in answer.headers


async def test_an_error_of_genesys_passes_with_its_context_and_correlation_id(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        missing = QUEUE.replace("0001", "00ff")
        path = f"/api/v2/routing/queues/{missing}/estimatedwaittime"
        async with stack.call("GET", path, bearer=BACKEND_KEY, origin=None) as answer:
            body = await answer.json()
    assert (answer.status, body["code"]) == (404, "not.found")
    assert body["contextId"] == answer.headers["ININ-Correlation-Id"]


async def test_the_quota_that_genesys_tells_is_kept_and_a_429_is_never_provoked(tmp_path: Path) -> None:
    """The mock allows 300 a minute per token; two tokens, guests apart, head-room left: nobody sees its 429."""
    flags: dict[str, object] = {
        "orgs.acme.clients.reader.tokens": 2,
        **{f"limits.requests_per_{who}_per_min": 100_000 for who in ("address", "origin", "site")},
    }
    async with whole_stack(tmp_path, flags) as stack:
        statuses: list[int] = []
        waits: str | None = None
        for _ in range(520):
            async with stack.call("GET", WAIT, bearer=BACKEND_KEY, origin=None) as answer:
                await answer.read()
                statuses.append(answer.status)
                waits = answer.headers.get("Retry-After")
        assert 460 <= statuses.count(200) <= 480
        assert set(statuses) == {200, 503}
        assert waits is not None
        assert all(e.status != 429 for e in stack.mock.world.recorder.entries)
        assert len({e.raw_headers["Authorization"] for e in stack.mock.world.recorder.entries if e.path == WAIT}) == 2
        for token in ("acme.reader", "acme.reader/1"):
            assert stack.gateway.metrics.upstream_quota_used.child(token).value >= 0.79
