"""The proxied REST call, over a mock that enforces permissions: what passes, what is set, what never comes back."""

from __future__ import annotations

import pytest

from tests.stack import BACKEND_ID, BACKEND_KEY, PAGE, QUEUE, Stack, basic

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"


async def received(stack: Stack, path: str) -> dict[str, str]:
    """The headers that Genesys got on the last call of a path, names in lower case."""
    async with stack.client.get(f"{stack.mock.endpoints.control}/requests") as answer:
        found = [r for r in (await answer.json())["requests"] if r["path"].startswith(path)]
    return {name.lower(): value for name, value in found[-1]["headers"].items()}


async def test_a_backend_reads_with_the_bearer_of_the_routes_client(stack: Stack) -> None:
    async with stack.call("GET", WAIT, bearer=BACKEND_KEY, origin=None) as answer:
        body = await answer.json()
    assert (answer.status, "results" in body) == (200, True)
    assert answer.headers["X-Request-Id"]
    assert "ININ-Correlation-Id" in answer.headers
    record = (await stack.records())[-1]
    assert (record["event.action"], record["gateway.route"]) == ("proxy.allowed", "queue-wait")
    assert (record["gateway.backend"], record["gateway.region"]) == ("servicenow", "eu-west-1")


async def test_what_a_caller_sends_of_identity_is_replaced(stack: Stack) -> None:
    headers = {
        "Cookie": "a=b", "X-Forwarded-For": "1.2.3.4", "X_Forwarded_User": "root", "Forwarded": "for=1.2.3.4",
        "X-Genesys-Application": "evil", "Connection": "close, Authorization", "Via": "1.1 x",
    }  # fmt: skip
    async with stack.call("GET", WAIT, bearer=BACKEND_KEY, origin=None, headers=headers) as answer:
        assert answer.status == 200
    sent = await received(stack, WAIT)
    for name in ("cookie", "x-forwarded-for", "x_forwarded_user", "forwarded", "x-genesys-application", "via"):
        assert name not in sent
    assert BACKEND_KEY not in str(sent)


@pytest.mark.parametrize(
    ("method", "path", "bearer", "status", "code"),
    [
        ("GET", WAIT, None, 401, "backend.missing"),
        ("GET", WAIT, "gwb_" + "A" * 43, 401, "backend.invalid"),
        ("GET", WAIT, "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", 401, "handle.platform_token"),
        ("DELETE", WAIT, BACKEND_KEY, 405, "request.method_not_allowed"),
        ("GET", "/api/v2/users/me", BACKEND_KEY, 404, "route.unknown"),
        ("GET", WAIT.replace(QUEUE, "not-a-uuid"), BACKEND_KEY, 400, "route.parameter_invalid"),
        ("GET", f"{WAIT}?expand=all", BACKEND_KEY, 400, "route.query_not_allowed"),
    ],
)
async def test_a_call_without_leave_does_not_reach_genesys(
    stack: Stack, method: str, path: str, bearer: str | None, status: int, code: str
) -> None:
    async with stack.client.delete(f"{stack.mock.endpoints.control}/requests"):
        pass
    async with stack.call(method, path, bearer=bearer) as answer:
        body = await answer.json()
        assert (answer.status, body["code"]) == (status, code)
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    async with stack.client.get(f"{stack.mock.endpoints.control}/requests") as answer:
        assert [r for r in (await answer.json())["requests"] if r["path"].startswith("/api/v2/")] == []


async def test_a_guest_may_not_call_a_backends_route(stack: Stack) -> None:
    session = await stack.session()
    async with stack.call("GET", WAIT, bearer=session["session_token"]) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "route.caller_not_allowed")


async def test_a_body_over_genesys_limit_is_refused_before_it_is_sent(stack: Stack) -> None:
    path = f"/api/v2/conversations/messages/{QUEUE}"
    async with stack.call("PATCH", path, bearer=BACKEND_KEY, origin=None, data=b"x" * 512_001) as answer:
        assert (answer.status, (await answer.json())["code"]) == (413, "request.body_too_large")


async def fault(stack: Stack, **kind: object) -> None:
    async with stack.client.post(
        f"{stack.mock.endpoints.control}/faults", json={"target": "api", "count": 5, **kind}
    ) as answer:
        assert answer.status < 300, await answer.text()


async def test_html_in_place_of_the_api_is_refused_as_such(stack: Stack) -> None:
    await fault(stack, kind="html")
    async with stack.call("GET", WAIT, bearer=BACKEND_KEY) as answer:
        assert (answer.status, (await answer.json())["code"]) == (502, "upstream.bad_answer")
    assert (await stack.actions())[-1] == "proxy.upstream_error"


async def test_a_429_of_genesys_passes_with_its_retry_after(stack: Stack) -> None:
    await fault(stack, kind="429")
    async with stack.call("GET", WAIT, bearer=BACKEND_KEY) as answer:
        assert answer.status == 429
        assert answer.headers["Retry-After"]
        assert (await answer.json())["contextId"]


async def test_an_upstream_that_echoes_our_credential_is_not_passed_on(stack: Stack) -> None:
    await fault(stack, kind="hostile_echo")
    async with stack.call("GET", WAIT, bearer=BACKEND_KEY) as answer:
        text = await answer.text() + str(answer.headers)
    bearer = await stack.gateway.tokens.bearer("acme", "reader")
    assert bearer.reveal() not in text
    assert "Set-Cookie" not in answer.headers


async def test_genesys_down_is_a_readable_502(stack: Stack) -> None:
    await fault(stack, kind="reset")
    async with stack.call("GET", WAIT, bearer=BACKEND_KEY) as answer:
        assert (answer.status, (await answer.json())["code"]) == (502, "upstream.unreachable")
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE


async def test_the_official_shape_of_an_sdk_call_works_with_a_handle(stack: Stack) -> None:
    form, headers = {"grant_type": "client_credentials"}, basic(BACKEND_ID, BACKEND_KEY)
    async with stack.client.post(f"{stack.url}/oauth/token", data=form, headers=headers) as answer:
        handle = (await answer.json())["access_token"]
    async with stack.client.get(stack.url + WAIT, headers={"Authorization": f"bearer {handle}"}) as answer:
        assert answer.status == 200
