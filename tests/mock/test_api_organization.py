"""Organisation, queues and notification channels."""

import aiohttp

from gateway.mock.default_world import BILLING_QUEUE
from gateway.mock.model import SUPPORT_QUEUE
from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer

QUEUES = "/api/v2/routing/queues"


async def test_the_organisation_and_its_time(mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer) -> None:
    headers = await bearer("powerless")
    async with http.get(mock.endpoints.api + "/api/v2/organizations/me", headers=headers) as answer:
        assert (await answer.json())["id"] == mock.world.org_id
    async with http.get(mock.endpoints.api + "/api/v2/date", headers=headers) as answer:
        assert (await answer.json())["currentDate"] == "2027-01-15T08:00:00.000Z"


async def test_the_wait_time_of_a_queue(mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer) -> None:
    url = f"{mock.endpoints.api}{QUEUES}/{SUPPORT_QUEUE}/estimatedwaittime"
    async with http.get(url, headers=await bearer("reader")) as answer:
        assert (await answer.json())["results"][0]["estimatedWaitTimeSeconds"] == 42


async def test_a_queue_of_another_division_is_refused_and_not_listed(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("divided")
    async with http.get(f"{mock.endpoints.api}{QUEUES}/{BILLING_QUEUE}", headers=headers) as answer:
        body = await answer.json()
        assert (answer.status, body["code"]) == (403, "missing.division.permission")
    async with http.get(f"{mock.endpoints.api}{QUEUES}", headers=headers) as answer:
        assert [one["name"] for one in (await answer.json())["entities"]] == ["Support"]
    async with http.get(f"{mock.endpoints.api}{QUEUES}?name=bill*", headers=await bearer("reader")) as answer:
        assert [one["name"] for one in (await answer.json())["entities"]] == ["Billing"]
    async with http.get(f"{mock.endpoints.api}{QUEUES}/nobody", headers=headers) as answer:
        assert answer.status == 404


async def test_a_channel_has_topics_and_a_socket(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers, base = await bearer("powerless"), f"{mock.endpoints.api}/api/v2/notifications/channels"
    async with http.post(base, headers=headers) as answer:
        channel = await answer.json()
    topics = f"{base}/{channel['id']}/subscriptions"
    async with http.post(topics, json=[{"id": "t1"}], headers=headers) as answer:
        assert await answer.json() == {"entities": [{"id": "t1"}]}
    async with http.put(topics, json=[{"id": "t2"}], headers=headers) as answer:
        assert await answer.json() == {"entities": [{"id": "t2"}]}
    async with http.put(topics, json={"id": "t2"}, headers=headers) as answer:
        assert answer.status == 400
    async with http.delete(topics, headers=headers) as answer:
        assert answer.status == 200
    async with http.get(topics, headers=headers) as answer:
        assert await answer.json() == {"entities": []}
    async with http.get(base, headers=headers) as answer:
        assert [one["id"] for one in (await answer.json())["entities"]] == [channel["id"]]
    async with http.get(f"{base}/nobody/subscriptions", headers=headers) as answer:
        assert answer.status == 404
    async with http.ws_connect(channel["connectUri"]) as socket:
        assert (await socket.receive_json(timeout=30))["topicName"] == "channel.metadata"
        await socket.send_json({"message": "ping"})
        assert (await socket.receive_json(timeout=30))["eventBody"] == {"message": "pong"}
