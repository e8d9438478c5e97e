"""External contacts."""

import aiohttp
import pytest

from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer, GuestMaker, Json

BASE = "/api/v2/externalcontacts"
EMAIL = {"type": "Email", "value": "ana@example.com"}


@pytest.fixture
async def headers(mock: RunningMock, bearer: Bearer) -> dict[str, str]:
    client = mock.world.client_named("powerless")
    assert client is not None
    kinds = ("view", "add", "edit", "delete", "enrich")
    client.permissions = {f"externalContacts:contact:{kind}" for kind in kinds}
    client.permissions.add("externalContacts:conversation:associate")
    return await bearer("powerless")


async def call(
    http: aiohttp.ClientSession, mock: RunningMock, method: str, path: str, headers: dict[str, str], body: object = None
) -> tuple[int, Json]:
    async with http.request(method, mock.endpoints.api + BASE + path, headers=headers, json=body) as answer:
        return answer.status, (await answer.json() if await answer.read() else {})


async def test_a_contact_is_made_read_changed_and_deleted(
    mock: RunningMock, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    _, made = await call(http, mock, "POST", "/contacts", headers, {"firstName": "Ana"})
    path = f"/contacts/{made['id']}"
    assert (await call(http, mock, "PATCH", path, headers, {"lastName": "Bo"}))[1]["firstName"] == "Ana"
    assert "firstName" not in (await call(http, mock, "PUT", path, headers, {"lastName": "Bo"}))[1]
    assert (await call(http, mock, "GET", path, headers))[1]["lastName"] == "Bo"
    assert (await call(http, mock, "GET", "/contacts?q=bo", headers))[1]["total"] == 1
    assert (await call(http, mock, "DELETE", path, headers))[0] == 200
    assert (await call(http, mock, "GET", path, headers))[0] == 404


async def test_enrich_makes_updates_and_looks_up_by_identifier(
    mock: RunningMock, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    body: Json = {"matchingIdentifiers": [EMAIL], "action": "Upsert", "contact": {"firstName": "Ana"}}
    assert (await call(http, mock, "POST", "/contacts/enrich", headers, {**body, "action": "Update"}))[0] == 404
    status, made = await call(http, mock, "POST", "/contacts/enrich", headers, body)
    assert status == 201
    assert (await call(http, mock, "POST", "/contacts/enrich", headers, body))[0] == 200
    assert (await call(http, mock, "POST", "/contacts/enrich", headers, {**body, "action": "Insert"}))[0] == 409
    assert (await call(http, mock, "POST", "/contacts/enrich", headers, {**body, "action": "Eat"}))[0] == 400
    assert (await call(http, mock, "POST", "/contacts/enrich", headers, {"matchingIdentifiers": []}))[0] == 400
    found = await call(http, mock, "POST", "/identifierlookup/contacts", headers, EMAIL)
    assert found[1]["id"] == made["id"]
    other = {**EMAIL, "value": "bo@example.com"}
    assert (await call(http, mock, "POST", "/identifierlookup/contacts", headers, other))[0] == 404
    assert (await call(http, mock, "POST", "/identifierlookup/contacts", headers, {"type": "Email"}))[0] == 400


async def test_a_conversation_is_linked_and_unlinked(
    mock: RunningMock, http: aiohttp.ClientSession, headers: dict[str, str], guest: GuestMaker
) -> None:
    one = await guest()
    await one.say("hello")
    (conversation,) = mock.world.conversations.values()
    _, made = await call(http, mock, "POST", "/contacts", headers, {"firstName": "Ana"})
    path = f"/conversations/{conversation.id}"
    body = {"externalContactId": made["id"], "conversationId": conversation.id, "mediaType": "MESSAGE"}
    assert (await call(http, mock, "PUT", path, headers, body))[0] == 200
    assert conversation.external_contact_id == made["id"]
    assert (await call(http, mock, "PUT", path, headers, {**body, "externalContactId": "nobody"}))[0] == 404
    assert (await call(http, mock, "PUT", path, headers, {**body, "mediaType": "CALL"}))[0] == 400
    assert (await call(http, mock, "PUT", path, headers, {"mediaType": "MESSAGE"}))[0] == 200
    assert conversation.external_contact_id is None
