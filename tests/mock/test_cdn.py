"""The CDN."""

import aiohttp

from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock

BASE = f"/webdeployments/v1/deployments/{DEFAULT_DEPLOYMENT}"


async def test_domains_are_those_of_the_deployment(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{mock.endpoints.cdn}{BASE}/domains.json") as answer:
        assert await answer.json() == {
            "allowAllDomains": False,
            "allowedDomains": ["localhost", "127.0.0.1", "shop.example"],
        }


async def test_the_configuration_names_this_mocks_addresses(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{mock.endpoints.cdn}{BASE}/config.json") as answer:
        body = await answer.json()
    assert body["status"] == "Active"
    assert body["apiEndpoint"] == mock.endpoints.api
    conversations = body["messenger"]["apps"]["conversations"]
    assert conversations["messagingEndpoint"] == mock.endpoints.webmessaging
    assert conversations["conversationDisconnect"] == {"enabled": True, "type": "Send"}
    assert "mock" in body["mock"]


async def test_a_deployment_that_does_not_tell_guests_says_so(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].conversation_disconnect = None
    async with http.get(f"{mock.endpoints.cdn}{BASE}/config.json") as answer:
        body = await answer.json()
    assert body["messenger"]["apps"]["conversations"]["conversationDisconnect"] == {"enabled": False}


async def test_an_unknown_deployment_is_denied_with_open_cors(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    for path in ("/webdeployments/v1/deployments/nobody/config.json", f"{BASE}/secrets.json", "/"):
        async with http.get(f"{mock.endpoints.cdn}{path}") as answer:
            assert (answer.status, answer.content_type) == (403, "application/xml")
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
