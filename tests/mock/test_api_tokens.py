"""Token, client and scope operations."""

import aiohttp

from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer

ME = "/api/v2/tokens/me"


async def test_tokens_me_names_the_client_and_the_organisation(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    async with http.get(mock.endpoints.api + ME, headers=await bearer("powerless")) as answer:
        body = await answer.json()
    assert body["OAuthClient"]["name"] == "powerless"
    assert body["OAuthClient"]["roleDivisions"][0]["divisionId"] == "*"
    assert body["organization"] == {"id": mock.world.org_id, "name": "acme"}
    assert "secret" not in str(body)


async def test_deleting_tokens_me_revokes_the_bearer_in_use_only(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    one, two = await bearer("reader"), await bearer("reader")
    async with http.head(mock.endpoints.api + ME, headers=one) as answer:
        assert answer.status == 200
    async with http.delete(mock.endpoints.api + ME, headers=one) as answer:
        assert answer.status == 200
    for headers, status in ((one, 401), (two, 200)):
        async with http.get(mock.endpoints.api + ME, headers=headers) as answer:
            assert answer.status == status


async def test_an_idle_timeout_kills_an_idle_bearer_before_its_end(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    client = mock.world.client_named("reader")
    assert client is not None
    client.permissions.add("directory:organization:admin")
    headers, url = await bearer("reader"), mock.endpoints.api + "/api/v2/tokens/timeout"
    body = {"idleTokenTimeoutSeconds": 300, "enableIdleTokenTimeout": True}
    async with http.put(url, json=body, headers=headers) as answer:
        assert await answer.json() == body
    async with http.put(url, json={"idleTokenTimeoutSeconds": "x"}, headers=headers) as answer:
        assert answer.status == 400
    mock.world.clock.advance(299)
    async with http.get(mock.endpoints.api + ME, headers=headers) as answer:
        assert "dateTokenIdles" in await answer.json()
    mock.world.clock.advance(300)
    async with http.get(url, headers=headers) as answer:
        assert answer.status == 401


async def test_regenerating_a_secret_kills_the_old_one(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    reader, closer = mock.world.client_named("reader"), mock.world.client_named("closer")
    assert reader is not None
    assert closer is not None
    reader.permissions |= {"oauth:client:edit", "oauth:client:view"}
    headers = await bearer("reader")
    url = f"{mock.endpoints.api}/api/v2/oauth/clients/{closer.id}"
    async with http.post(f"{url}/secret", headers=headers) as answer:
        secret = (await answer.json())["secret"]
    assert mock.world.secret_matches(closer, secret)
    assert not mock.world.secret_matches(closer, "mock-secret-closer")
    async with http.get(url, headers=headers) as answer:
        assert secret not in await answer.text()
    async with http.get(f"{mock.endpoints.api}/api/v2/oauth/clients", headers=headers) as answer:
        assert (await answer.json())["total"] == 6
    async with http.get(f"{mock.endpoints.api}/api/v2/oauth/clients/nobody", headers=headers) as answer:
        assert answer.status == 404


async def test_scopes_are_listed_in_both_forms(mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer) -> None:
    async with http.get(f"{mock.endpoints.api}/api/v2/oauth/scopes", headers=await bearer("powerless")) as answer:
        names = {one["id"] for one in (await answer.json())["entities"]}
    assert {"conversations", "conversations:readonly"} <= names
    assert "messaging:conversation:close" not in names
