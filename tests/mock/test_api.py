"""The Platform API's dispatch: operation, credential, rate, rights, body."""

import aiohttp
import pytest

from gateway.mock.api import HANDLERS
from gateway.mock.catalogue import load_catalogue
from gateway.mock.default_world import default_world
from gateway.mock.limits import Rate
from gateway.mock.model import SUPPORT_QUEUE
from gateway.mock.server import MockSettings, RunningMock, running_mock
from tests.mock.conftest import Bearer, Json

QUEUE = f"/api/v2/routing/queues/{SUPPORT_QUEUE}"


async def call(
    http: aiohttp.ClientSession,
    mock: RunningMock,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    **body: object,
) -> tuple[int, Json]:
    async with http.request(method, f"{mock.endpoints.api}{path}", headers=headers, json=body or None) as answer:
        return answer.status, (await answer.json() if await answer.read() else {})


async def test_an_unknown_operation_is_404_before_anything_else(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    for path in ("/api/v2/conversations/messaging/x/close", "/api/v2/webchat/guest/conversations", "/x"):
        status, body = await call(http, mock, "POST", path)
        assert (status, body["code"]) == (404, "not.found")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "authentication.required"),
        ("Basic eDp5", "authentication.required"),
        ("Bearer", "authentication.required"),
        ("Bearer unknown", "bad.credentials"),
    ],
)
async def test_a_missing_or_unknown_bearer_is_401(
    mock: RunningMock, http: aiohttp.ClientSession, header: str | None, code: str
) -> None:
    status, body = await call(http, mock, "GET", QUEUE, {"Authorization": header} if header else None)
    assert (status, body["code"]) == (401, code)


async def test_the_scheme_counts_in_any_case(mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer) -> None:
    header = (await bearer("reader"))["Authorization"].replace("Bearer", "bearer")
    assert (await call(http, mock, "GET", QUEUE, {"Authorization": header}))[0] == 200


async def test_a_bearer_of_another_organisation_is_bad_credentials(
    http: aiohttp.ClientSession, mock: RunningMock, bearer: Bearer
) -> None:
    async with running_mock(MockSettings.free_ports(), default_world()) as other:
        assert (await call(http, other, "GET", QUEUE, await bearer("reader")))[1]["code"] == "bad.credentials"


async def test_a_bearer_dies_at_its_end_and_with_its_client(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    mock.world.clock.advance(86_400)
    assert (await call(http, mock, "GET", QUEUE, headers))[1]["code"] == "bad.credentials"
    headers = await bearer("reader")
    client = mock.world.client_named("reader")
    assert client is not None
    client.active = False
    assert (await call(http, mock, "GET", QUEUE, headers))[0] == 401


async def test_a_missing_permission_is_403_with_its_name(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    status, body = await call(http, mock, "GET", QUEUE, await bearer("closer"))
    assert (status, body["code"]) == (403, "missing.permissions")
    assert body["messageParams"] == {"permissions": "routing:queue:view"}
    status, body = await call(http, mock, "GET", "/api/v2/routing/queues", await bearer("closer"))
    assert (status, body["code"]) == (403, "missing.any.permissions")


async def test_a_call_that_needs_a_user_refuses_clients(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    for path in ("/api/v2/users/me", "/api/v2/conversations", "/api/v2/conversations/messages"):
        status, body = await call(http, mock, "GET", path, await bearer("reader"))
        assert (status, body["code"]) == (400, "bad.request")
        assert "user context" in body["message"]


async def test_every_answer_tells_the_rate_and_its_correlation_id(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    for path, expected in ((QUEUE, 1), ("/api/v2/users/me", 2)):
        async with http.get(mock.endpoints.api + path, headers=headers) as answer:
            assert answer.headers["inin-ratelimit-count"] == str(expected)
            assert answer.headers["inin-ratelimit-allowed"] == "300"
            assert answer.headers["inin-ratelimit-reset"] == "60"
            assert answer.headers["ININ-Correlation-Id"]
            assert "not Genesys" in answer.headers["X-Mock-Genesys"]


async def test_the_rate_counts_per_token_and_says_when_to_return(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    mock.world.rates["client.credentials.token.rate.per.minute"] = Rate(1, 60)
    headers = await bearer("reader")
    assert (await call(http, mock, "GET", QUEUE, headers))[0] == 200
    async with http.get(mock.endpoints.api + QUEUE, headers=headers) as answer:
        body = await answer.json()
        assert (answer.status, body["code"], answer.headers["Retry-After"]) == (429, "too.many.requests", "60")
    assert body["limit"]["key"] == "client.credentials.token.rate.per.minute"
    assert (await call(http, mock, "GET", QUEUE, await bearer("reader")))[0] == 200
    mock.world.clock.advance(60)
    assert (await call(http, mock, "GET", QUEUE, headers))[0] == 200


async def test_all_tokens_of_a_client_share_one_rate(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    mock.world.rates["org.app.user.rate.per.minute"] = Rate(1, 60)
    assert (await call(http, mock, "GET", QUEUE, await bearer("reader")))[0] == 200
    status, body = await call(http, mock, "GET", QUEUE, await bearer("reader"))
    assert (status, body["limit"]["key"]) == (429, "org.app.user.rate.per.minute")


async def test_a_platform_bearer_has_no_place_in_guest_calls(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    for method, path in (
        ("GET", "/api/v2/webmessaging/messages"),
        ("POST", "/api/v2/webdeployments/token/refresh"),
        ("DELETE", "/api/v2/webdeployments/token/revoke"),
    ):
        status, body = await call(http, mock, method, path, headers)
        assert (status, body["code"]) == (401, "bad.credentials")


async def test_two_authorization_headers_are_refused(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    value = (await bearer("reader"))["Authorization"]
    headers = [("Authorization", value), ("Authorization", "Bearer other")]
    async with http.get(mock.endpoints.api + QUEUE, headers=headers) as answer:
        assert answer.status == 400


async def test_a_body_over_512000_bytes_is_413(mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer) -> None:
    url = mock.endpoints.api + "/api/v2/conversations/messages"
    async with http.post(url, data=b"x" * 512_001, headers=await bearer("closer")) as answer:
        body = await answer.json()
        assert (answer.status, body["code"]) == (413, "request.entity.too.large")
        assert body["messageParams"] == {"maxBytes": "512000"}


async def test_operations_without_own_behaviour_answer_with_a_label(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    client = mock.world.client_named("reader")
    assert client is not None
    client.permissions |= {"routing:wrapupCode:view", "routing:wrapupCode:edit", "routing:wrapupCode:delete"}
    headers = await bearer("reader")
    status, body = await call(http, mock, "GET", "/api/v2/routing/wrapupcodes", headers)
    assert (status, body["entities"], body["total"]) == (200, [], 0)
    assert "generic answer of the mock" in body["mock"]
    status, body = await call(http, mock, "GET", "/api/v2/routing/wrapupcodes/abc", headers)
    assert (status, body["id"]) == (200, "abc")
    assert (await call(http, mock, "PUT", "/api/v2/routing/wrapupcodes/abc", headers, name="x"))[0] == 200
    assert (await call(http, mock, "DELETE", "/api/v2/routing/wrapupcodes/abc", headers))[0] == 204


async def test_a_body_that_is_no_json_is_refused(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    url = mock.endpoints.api + "/api/v2/conversations/messages/x"
    headers = await bearer("closer")
    async with http.patch(url, data="state=disconnected", headers=headers) as answer:
        assert (await answer.json())["code"] == "unsupported.media.type"
    json_headers = {**headers, "Content-Type": "application/json"}
    for text in ("{", "[]"):
        async with http.patch(url, data=text, headers=json_headers) as answer:
            assert (await answer.json())["code"] == "bad.request"


async def test_preflights_are_answered_and_errors_are_readable_across_origins(
    mock: RunningMock, http: aiohttp.ClientSession
) -> None:
    origin = {"Origin": "http://localhost:1"}
    preflight = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    async with http.options(mock.endpoints.api + QUEUE, headers=preflight) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Headers"]) == (204, "authorization")
    async with http.get(mock.endpoints.api + QUEUE, headers=origin) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, "http://localhost:1")


async def test_a_configured_scope_or_permission_is_demanded(http: aiohttp.ClientSession) -> None:
    close = "POST /api/v2/conversations/messaging/{conversationId}/close"
    endpoints = {
        "GET /api/v2/routing/queues/{queueId}": {"permissions": ["a:b:c", "d:e:f"], "match": "ANY"},
        close: {"invented": True, "scopes": ["messaging:conversation:close"], "answer": {"closed": True}},
    }
    settings = MockSettings.free_ports(api_config={"endpoints": endpoints})
    async with running_mock(settings) as mock:
        client = mock.world.client_named("reader")
        assert client is not None
        headers = {"Authorization": f"Bearer {mock.world.issue_token(client).value}"}
        assert (await call(http, mock, "GET", QUEUE, headers))[1]["code"] == "missing.any.permissions"
        client.permissions.add("d:e:f")
        assert (await call(http, mock, "GET", QUEUE, headers))[0] == 200
        path = "/api/v2/conversations/messaging/1/close"
        assert (await call(http, mock, "POST", path, headers))[1]["code"] == "app.not.authorized.for.scope"
        scoped = mock.world.issue_token(client, frozenset({"messaging:conversation:close"}))
        status, body = await call(http, mock, "POST", path, {"Authorization": f"Bearer {scoped.value}"})
        assert (status, body) == (200, {"mock": "invented endpoint", "closed": True})


def test_every_handler_is_of_an_operation_that_exists() -> None:
    assert HANDLERS.keys() <= load_catalogue().operations.keys()
