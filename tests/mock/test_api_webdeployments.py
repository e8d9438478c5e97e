"""Web deployments and configurations."""

import aiohttp
import pytest

from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer, Json

BASE = "/api/v2/webdeployments"


@pytest.fixture
async def headers(mock: RunningMock, bearer: Bearer) -> dict[str, str]:
    client = mock.world.client_named("powerless")
    assert client is not None
    client.permissions = {
        "webDeployments:deployment:view",
        "webDeployments:deployment:edit",
        "webDeployments:configuration:view",
        "webDeployments:identityResolution:view",
        "webDeployments:identityResolution:edit",
    }
    return await bearer("powerless")


async def get(http: aiohttp.ClientSession, mock: RunningMock, path: str, headers: dict[str, str]) -> tuple[int, Json]:
    async with http.get(mock.endpoints.api + BASE + path, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_deployments_are_listed_and_read(
    mock: RunningMock, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    _, body = await get(http, mock, "/deployments", headers)
    assert [one["id"] for one in body["entities"]] == [DEFAULT_DEPLOYMENT]
    _, body = await get(http, mock, f"/deployments/{DEFAULT_DEPLOYMENT}", headers)
    assert (body["status"], body["allowAllDomains"]) == ("Active", False)
    assert (await get(http, mock, "/deployments/nobody", headers))[0] == 404


async def test_the_configuration_is_that_of_the_cdn(
    mock: RunningMock, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    _, active = await get(http, mock, f"/deployments/{DEFAULT_DEPLOYMENT}/configurations", headers)
    assert active["authenticationSettings"]["enabled"] is True
    assert (await get(http, mock, "/configurations", headers))[1]["entities"] == [active]
    for version in ("draft", "1"):
        assert (await get(http, mock, f"/configurations/{active['id']}/versions/{version}", headers))[1] == active
    assert (await get(http, mock, f"/configurations/{active['id']}/versions/9", headers))[0] == 404
    assert (await get(http, mock, "/configurations/nobody/versions/1", headers))[0] == 404


async def test_changed_domains_count_at_once(
    mock: RunningMock, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    url = f"{mock.endpoints.api}{BASE}/deployments/{DEFAULT_DEPLOYMENT}"
    async with http.put(url, json={"allowedDomains": ["new.example"]}, headers=headers) as answer:
        assert answer.status == 200
    assert mock.world.deployments[DEFAULT_DEPLOYMENT].allowed_domains == ["new.example"]
    both = {"allowedDomains": ["x.example"], "allowAllDomains": True}
    async with http.put(url, json=both, headers=headers) as answer:
        assert answer.status == 400


async def test_identity_resolution_is_switched_on(
    mock: RunningMock, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    path = f"/deployments/{DEFAULT_DEPLOYMENT}/identityresolution"
    assert (await get(http, mock, path, headers))[1] == {"resolveIdentities": False}
    for body, status in (({"resolveIdentities": True}, 200), ({}, 400)):
        async with http.put(mock.endpoints.api + BASE + path, json=body, headers=headers) as answer:
            assert answer.status == status
    assert mock.world.deployments[DEFAULT_DEPLOYMENT].resolve_identities
