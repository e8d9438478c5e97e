"""The control port's orders."""

from pathlib import Path

import aiohttp
import pytest

from gateway.mock.control import ORDERS
from gateway.mock.faults import EXCHANGE_KINDS, FRAME_KINDS
from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer, GuestMaker, Json


async def order(
    http: aiohttp.ClientSession, mock: RunningMock, method: str, path: str, body: object = None
) -> tuple[int, Json]:
    async with http.request(method, mock.endpoints.control + path, json=body) as answer:
        return answer.status, await answer.json()


async def test_received_requests_are_shown_filtered_and_forgotten(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    async with http.get(f"{mock.endpoints.api}/api/v2/tokens/me", headers=headers):
        pass
    _, body = await order(http, mock, "GET", "/requests")
    assert [one["target"] for one in body["requests"]] == ["login", "api"]
    assert body["requests"][1]["bearer_of"] == "client reader"
    assert headers["Authorization"].split()[1] not in str(body)
    assert "mock-secret-reader" not in str(body)
    _, body = await order(http, mock, "GET", "/requests?target=api&method=GET")
    assert [one["path"] for one in body["requests"]] == ["/api/v2/tokens/me"]
    assert (await order(http, mock, "GET", "/requests?after=2"))[1] == {"requests": []}
    await order(http, mock, "DELETE", "/requests")
    assert (await order(http, mock, "GET", "/requests"))[1] == {"requests": []}


async def test_the_agent_speaks_types_and_ends_through_it(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    one = await guest()
    await one.say("hello")
    (conversation_id,) = mock.world.conversations
    base = f"/conversations/{conversation_id}"
    assert (await order(http, mock, "POST", f"{base}/messages", {"text": "Good day"}))[0] == 200
    assert (await one.receive())["body"]["text"] == "Good day"
    await order(http, mock, "POST", f"{base}/messages", {"typing": True})
    assert (await one.receive())["body"]["events"][0]["eventType"] == "Typing"
    assert (await order(http, mock, "POST", f"{base}/messages", {}))[0] == 400
    assert (await order(http, mock, "POST", f"{base}/messages", {"text": "x" * 4001}))[0] == 400
    assert (await order(http, mock, "POST", f"{base}/end"))[1] == {"ended": True}
    assert (await order(http, mock, "POST", f"{base}/end"))[1] == {"ended": False}
    assert (await order(http, mock, "POST", f"{base}/messages", {"text": "late"}))[0] == 409
    assert (await order(http, mock, "GET", "/conversations/nobody"))[0] == 404


async def test_conversations_are_listed_with_what_the_agent_sees(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    one = await guest()
    await one.say("hello", channel={"metadata": {"customAttributes": {"plan": "gold"}}})
    _, body = await order(http, mock, "GET", "/conversations")
    (brief,) = body["conversations"]
    assert (brief["active"], brief["verified"], brief["custom_attributes"]) == (True, False, {"plan": "gold"})
    _, seen = await order(http, mock, "GET", f"/conversations/{brief['id']}")
    assert [(line["from"], line["text"]) for line in seen["messages"]] == [("guest", "hello")]


async def test_faults_are_ordered_listed_and_dropped(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    status, body = await order(http, mock, "POST", "/faults", {"target": "api", "kind": "503", "count": 3})
    assert (status, body["count"], body["match"]) == (201, 3, "*")
    assert len((await order(http, mock, "GET", "/faults"))[1]["faults"]) == 1
    await order(http, mock, "DELETE", "/faults")
    assert (await order(http, mock, "GET", "/faults"))[1] == {"faults": []}
    for wrong in ({"target": "api"}, {"kind": "503", "target": "x"}, {"target": "api", "kind": "503", "count": "many"}):
        assert (await order(http, mock, "POST", "/faults", wrong))[0] == 400
    assert (await order(http, mock, "POST", "/faults", {"target": "api", "kind": "503", "often": 1}))[0] == 400


async def test_clients_are_changed_and_their_tokens_revoked(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    await bearer("reader")
    changes = {"rotate_secret": "fresh", "overlap_s": 60, "permissions": ["a:b:c"], "revoke_tokens": True}
    status, body = await order(http, mock, "POST", "/clients/reader", changes)
    assert (status, body["permissions"], body["revoked_tokens"]) == (200, ["a:b:c"], 1)
    assert "fresh" not in str(body)
    client = mock.world.client_named("reader")
    assert client is not None
    assert mock.world.secret_matches(client, "fresh")
    await order(http, mock, "POST", "/clients/reader", {"active": False})
    assert client.active is False
    for wrong in ({"color": "red"}, {"permissions": "x"}, {"active": "no"}):
        assert (await order(http, mock, "POST", "/clients/reader", wrong))[0] == 400
    assert (await order(http, mock, "POST", "/clients/nobody", {}))[0] == 404


async def test_deployment_oidc_and_agent_are_changed_with_checked_members(
    mock: RunningMock, http: aiohttp.ClientSession
) -> None:
    path = f"/deployments/{DEFAULT_DEPLOYMENT}"
    _, body = await order(http, mock, "POST", path, {"conversation_disconnect": "ReadOnly"})
    assert body["conversation_disconnect"] == "ReadOnly"
    assert (await order(http, mock, "POST", path, {"uploads": "no"}))[0] == 400
    assert (await order(http, mock, "POST", "/deployments/nobody", {}))[0] == 404
    _, body = await order(http, mock, "POST", "/oidc", {"discovery_uri": "https://x", "client_secret": "hush"})
    assert (mock.world.oidc.client_secret, "hush" in str(body)) == ("hush", False)
    _, body = await order(http, mock, "POST", "/agent", {"enabled": True, "delay_s": 1})
    assert (body["enabled"], mock.world.agent.delay_s) == (True, 1)


async def test_the_clock_moves_and_expires_what_is_due(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    one = await guest()
    before = mock.world.now()
    _, body = await order(http, mock, "POST", "/clock", {"advance_s": 72 * 3600})
    assert body["now"] == before + 72 * 3600
    assert (await one.receive())["class"] == "SessionExpiredEvent"
    assert (await order(http, mock, "POST", "/clock", {"advance_s": "soon"}))[0] == 400


async def test_the_world_is_shown_without_secrets(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    _, body = await order(http, mock, "GET", "/world")
    assert body["organization"]["name"] == "acme"
    assert body["endpoints"]["api"] == mock.endpoints.api
    assert "mock-secret" not in str(body)
    assert mock.world.oidc.client_secret not in str(body)
    assert (await order(http, mock, "GET", "/exchanges"))[1] == {"exchanges": []}


async def test_a_page_of_another_origin_may_look_but_not_order(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    headers = {"Origin": "https://evil.example"}
    async with http.post(f"{mock.endpoints.control}/clock", json={"advance_s": 9}, headers=headers) as answer:
        assert answer.status == 403
    async with http.get(f"{mock.endpoints.control}/world", headers=headers) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("text", ["{", "[]"])
async def test_bodies_must_be_objects(mock: RunningMock, http: aiohttp.ClientSession, text: str) -> None:
    async with http.post(f"{mock.endpoints.control}/clock", data=text) as answer:
        assert answer.status == 400


def test_every_promised_order_is_in_the_table() -> None:
    promised = (
        "GET /requests",
        "DELETE /requests",
        "GET /conversations",
        "GET /conversations/{id}",
        "POST /conversations/{id}/messages",
        "POST /conversations/{id}/end",
        "POST /faults",
        "GET /faults",
        "DELETE /faults",
        "POST /clients/{name}",
        "POST /clock",
        "GET /world",
    )
    assert set(promised) <= ORDERS.keys()


def test_the_documentation_names_every_order_and_every_fault() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "mock.md").read_text()
    for route in ORDERS:
        assert route in text or route == "GET /", route
    for kind in (*EXCHANGE_KINDS, *FRAME_KINDS):
        assert f"`{kind}`" in text, kind
