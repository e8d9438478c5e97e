"""The login host."""

from collections.abc import Callable

import aiohttp
import pytest

from gateway.mock.server import RunningMock

Basic = Callable[..., dict[str, str]]
FORM = {"grant_type": "client_credentials"}


async def ask(
    http: aiohttp.ClientSession, mock: RunningMock, form: dict[str, str], headers: dict[str, str]
) -> tuple[int, dict[str, object]]:
    async with http.post(f"{mock.endpoints.login}/oauth/token", data=form, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_right_credentials_give_an_opaque_bearer(
    mock: RunningMock, http: aiohttp.ClientSession, basic: Basic
) -> None:
    status, body = await ask(http, mock, FORM, basic("reader"))
    assert status == 200
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert body["token_type"] == "bearer"
    assert body["expires_in"] == 86_399
    assert isinstance(body["access_token"], str)
    assert len(body["access_token"]) == 86
    assert "." not in body["access_token"]


@pytest.mark.parametrize("case", ["wrong secret", "unknown id", "disabled", "no header"])
async def test_bad_credentials_are_all_answered_alike(
    mock: RunningMock, http: aiohttp.ClientSession, basic: Basic, case: str
) -> None:
    headers = {
        "wrong secret": basic("reader", "wrong"),
        "unknown id": {"Authorization": aiohttp.encode_basic_auth("nobody", "x")},
        "disabled": basic("disabled"),
        "no header": {},
    }[case]
    assert await ask(http, mock, FORM, headers) == (
        400,
        {
            "error": "invalid_client",
            "description": "authentication failed",
            "error_description": "authentication failed",
        },
    )


async def test_a_client_of_another_grant_is_told_so(
    mock: RunningMock, http: aiohttp.ClientSession, basic: Basic
) -> None:
    status, body = await ask(http, mock, FORM, basic("wrong-grant"))
    assert (status, body["error"]) == (400, "unauthorized_client")
    assert body["description"] == "client is not authorized to use the client_credential grant type"


@pytest.mark.parametrize(
    ("form", "error"),
    [({"grant_type": "password"}, "unsupported_grant_type"), ({"scope": "x"}, "invalid_request")],
)
async def test_other_forms_are_refused(
    mock: RunningMock, http: aiohttp.ClientSession, basic: Basic, form: dict[str, str], error: str
) -> None:
    assert (await ask(http, mock, form, basic("reader")))[1]["error"] == error


async def test_a_malformed_form_is_refused(mock: RunningMock, http: aiohttp.ClientSession, basic: Basic) -> None:
    headers = {**basic("reader"), "Content-Type": "application/x-www-form-urlencoded"}
    async with http.post(f"{mock.endpoints.login}/oauth/token", data="grant_type", headers=headers) as answer:
        assert (await answer.json())["description"] == "malformed form"


async def test_json_is_no_form(mock: RunningMock, http: aiohttp.ClientSession, basic: Basic) -> None:
    async with http.post(f"{mock.endpoints.login}/oauth/token", json=FORM, headers=basic("reader")) as answer:
        assert (await answer.json())["error"] == "invalid_request"


async def test_extra_fields_are_refused_only_when_the_world_says_so(
    mock: RunningMock, http: aiohttp.ClientSession, basic: Basic
) -> None:
    form = {**FORM, "scope": "conversations"}
    assert (await ask(http, mock, form, basic("reader")))[0] == 200
    mock.world.refuse_extra_token_fields = True
    assert (await ask(http, mock, form, basic("reader")))[1]["error"] == "invalid_request"


async def test_an_old_secret_dies_when_its_overlap_ends(
    mock: RunningMock, http: aiohttp.ClientSession, basic: Basic
) -> None:
    client = mock.world.client_named("reader")
    assert client is not None
    mock.world.rotate_secret(client, "new-secret", overlap_s=60)
    for secret in ("mock-secret-reader", "new-secret"):
        assert (await ask(http, mock, FORM, basic("reader", secret)))[0] == 200
    mock.world.clock.advance(60)
    assert (await ask(http, mock, FORM, basic("reader", "mock-secret-reader")))[0] == 400
    assert (await ask(http, mock, FORM, basic("reader", "new-secret")))[0] == 200


async def test_other_paths_are_html_pages(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{mock.endpoints.login}/v2/oauth/token", data=FORM) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")
