"""Conversation operations: read, end in every way, attributes, messages, and what a client may not do."""

import aiohttp
import pytest

from gateway.mock.guest_model import Conversation
from gateway.mock.model import RESTRICTED_DIVISION
from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer, Guest, GuestMaker, Json


async def call(
    http: aiohttp.ClientSession, mock: RunningMock, method: str, path: str, headers: dict[str, str], body: object = None
) -> tuple[int, Json]:
    async with http.request(method, f"{mock.endpoints.api}/api/v2{path}", headers=headers, json=body) as answer:
        return answer.status, (await answer.json() if await answer.read() else {})


@pytest.fixture
async def talk(guest: GuestMaker, mock: RunningMock) -> tuple[Guest, Conversation]:
    one = await guest()
    await one.say("hello", channel={"metadata": {"customAttributes": {"plan": "gold"}}})
    (conversation,) = mock.world.conversations.values()
    return one, conversation


async def test_a_conversation_shows_its_participants_and_data(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, talk: tuple[Guest, Conversation]
) -> None:
    status, body = await call(http, mock, "GET", f"/conversations/{talk[1].id}", await bearer("reader"))
    assert status == 200
    customer, agent = body["participants"]
    assert (customer["purpose"], customer["attributes"]) == ("customer", {"context.plan": "gold"})
    assert (agent["purpose"], agent["state"]) == ("agent", "connected")
    assert "endTime" not in body
    for path in (f"/conversations/messages/{talk[1].id}", f"/conversations/{talk[1].id}"):
        assert (await call(http, mock, "GET", path, await bearer("closer")))[0] == 403
    assert (await call(http, mock, "GET", f"/conversations/messages/{talk[1].id}", await bearer("reader")))[0] == 200
    assert (await call(http, mock, "GET", "/conversations/nobody", await bearer("reader")))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "/conversations/messages/{id}", {"state": "disconnected"}, 200),
        ("DELETE", "/conversations/{id}", None, 204),
        ("POST", "/conversations/{id}/disconnect", {}, 202),
        ("PATCH", "/conversations/messages/{id}/participants/{customer}", {"state": "disconnected"}, 204),
        (
            "PATCH",
            "/conversations/messages/{id}/participants/{customer}/communications/{communication}",
            {"state": "disconnected"},
            200,
        ),
    ],
)
async def test_each_way_of_ending_tells_the_guest(
    mock: RunningMock,
    http: aiohttp.ClientSession,
    bearer: Bearer,
    talk: tuple[Guest, Conversation],
    method: str,
    path: str,
    body: object,
    status: int,
) -> None:
    one, conversation = talk
    names = {
        "id": conversation.id,
        "customer": conversation.customer_id,
        "communication": conversation.customer_id[:-4] + "c0de",
    }
    assert (await call(http, mock, method, path.format(**names), await bearer("closer"), body))[0] == status
    assert (await one.receive())["body"]["events"][0]["presence"]["type"] == "Disconnect"
    assert conversation.ended_by == "client closer"


async def test_patching_what_has_ended_is_a_conflict_and_deleting_it_is_not(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, talk: tuple[Guest, Conversation]
) -> None:
    headers, path = await bearer("closer"), f"/conversations/messages/{talk[1].id}"
    assert (await call(http, mock, "PATCH", path, headers, {"state": "disconnected"}))[0] == 200
    assert (await call(http, mock, "PATCH", path, headers, {"state": "disconnected"}))[1]["code"] == "request.conflict"
    assert (await call(http, mock, "DELETE", f"/conversations/{talk[1].id}", headers))[0] == 204


@pytest.mark.parametrize(
    ("body", "code"),
    [({"state": "closed"}, "invalid.value"), ({}, "invalid.value"), ({"state": "alerting"}, "bad.request")],
)
async def test_other_states_are_refused(
    mock: RunningMock,
    http: aiohttp.ClientSession,
    bearer: Bearer,
    talk: tuple[Guest, Conversation],
    body: Json,
    code: str,
) -> None:
    path = f"/conversations/messages/{talk[1].id}"
    status, answer = await call(http, mock, "PATCH", path, await bearer("closer"), body)
    assert (status, answer["code"]) == (400, code)
    assert talk[1].active


async def test_ending_needs_the_permission_and_the_division(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, talk: tuple[Guest, Conversation]
) -> None:
    path, body = f"/conversations/messages/{talk[1].id}", {"state": "disconnected"}
    status, answer = await call(http, mock, "PATCH", path, await bearer("reader"), body)
    assert (status, answer["code"]) == (403, "missing.any.permissions")
    talk[1].division_id = RESTRICTED_DIVISION
    status, answer = await call(http, mock, "PATCH", path, await bearer("divided"), body)
    assert (status, answer["code"]) == (403, "missing.division.permission")
    assert answer["messageParams"]["divisions"] == RESTRICTED_DIVISION
    assert talk[1].active


async def test_attributes_are_strings_and_kept_until_the_end(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, talk: tuple[Guest, Conversation]
) -> None:
    conversation, headers = talk[1], await bearer("powerless")
    path = f"/conversations/messages/{conversation.id}/participants/{conversation.customer_id}/attributes"
    assert (await call(http, mock, "PATCH", path, headers, {"attributes": {"a": "b"}}))[0] == 200
    assert (await call(http, mock, "PATCH", path, headers, {"attributes": {"a": 1}}))[0] == 400
    conversation.ended_at = mock.world.now()
    status, body = await call(http, mock, "PATCH", path, headers, {"attributes": {"late": "x"}})
    assert (status, body) == (200, {"attributes": {"a": "b"}})
    strange = path.replace(conversation.customer_id, "nobody")
    assert (await call(http, mock, "PATCH", strange, headers, {"attributes": {}}))[0] == 404


async def test_messages_are_read_one_by_one_and_in_bulk(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, talk: tuple[Guest, Conversation]
) -> None:
    client = mock.world.client_named("reader")
    assert client is not None
    client.permissions.add("conversation:message:view")
    headers, base = await bearer("reader"), f"/conversations/messages/{talk[1].id}/messages"
    message_id = talk[1].messages[0]["id"]
    status, body = await call(http, mock, "GET", f"{base}/{message_id}", headers)
    assert (status, body["textBody"], body["direction"]) == (200, "hello", "inbound")
    assert (await call(http, mock, "GET", f"{base}/nothing", headers))[0] == 404
    status, body = await call(http, mock, "POST", f"{base}/bulk", headers, [message_id, "nothing"])
    assert [one["id"] for one in body["entities"]] == [message_id]


async def test_a_client_cannot_send_as_guest_or_agent(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, talk: tuple[Guest, Conversation]
) -> None:
    client = mock.world.client_named("reader")
    assert client is not None
    client.permissions.add("conversation:message:create")
    headers = await bearer("reader")
    guest_like = {"text": "Hello support", "language": "en-US"}
    status, body = await call(http, mock, "POST", "/conversations/messages", headers, guest_like)
    assert (status, body["code"]) == (400, "constraint.validation")
    outbound = {"queueId": "q", "toAddress": "x", "toAddressMessengerType": "sms"}
    status, body = await call(http, mock, "POST", "/conversations/messages", headers, outbound)
    assert "user context" in body["message"]
    path = f"/conversations/messages/{talk[1].id}/communications/x/messages"
    status, body = await call(http, mock, "POST", path, headers, {"textBody": "x"})
    assert (status, body["code"]) == (403, "not.authorized")


async def test_agentless_messages_reach_a_guest_with_a_running_conversation(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, talk: tuple[Guest, Conversation]
) -> None:
    client = mock.world.client_named("reader")
    assert client is not None
    client.permissions.add("conversation:message:create")
    headers, one = await bearer("reader"), talk[0]
    message = {
        "fromAddress": talk[1].deployment_id,
        "toAddress": talk[1].session_id,
        "toAddressMessengerType": "webmessaging",
        "textBody": "Your parcel is here",
    }
    path = "/conversations/messages/agentless"
    assert (await call(http, mock, "POST", path, headers, message))[0] == 202
    frame = await one.receive()
    assert (frame["body"]["text"], frame["body"]["originatingEntity"]) == ("Your parcel is here", "Bot")
    assert (await call(http, mock, "POST", path, headers, {**message, "toAddress": "nobody"}))[0] == 404
    assert (await call(http, mock, "POST", path, headers, {**message, "textBody": "x" * 4001}))[0] == 400
    assert (await call(http, mock, "POST", path, headers, {"textBody": "x"}))[0] == 400
    talk[1].ended_at = mock.world.now()
    assert (await call(http, mock, "POST", path, headers, message))[0] == 409


async def test_the_details_query_lists_conversations(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, talk: tuple[Guest, Conversation]
) -> None:
    client = mock.world.client_named("reader")
    assert client is not None
    client.permissions.add("analytics:conversationDetail:view")
    _, body = await call(
        http, mock, "POST", "/analytics/conversations/details/query", await bearer("reader"), {"interval": "x"}
    )
    assert (body["totalHits"], body["conversations"][0]["id"]) == (1, talk[1].id)
