"""The official Python SDK as a backend of the site: unchanged but for host, id and key.

Its calls block, so they run in a thread. Quirks of the SDK that this holds: importing it starts a watcher thread for
`~/.genesyscloudpython/config`; it derives the login host from `//api.` in the host and otherwise uses the same one;
with its `gateway` setting it logs in at `{path_params_login}/oauth/token`; it never fetches a new client-credentials
token by itself; `estimatedwaittime` takes the conversation id as a query parameter only when it is given one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.journeys.guest_client import connected
from tests.journeys.stage import BACKEND_ID, BACKEND_KEY, DEPLOYMENT, QUEUE, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


def by_host(url: str) -> Any:
    """The SDK told another host, as for another region."""
    import PureCloudPlatformClientV2 as Genesys

    return Genesys.ApiClient(host=url)


def by_gateway(url: str) -> Any:
    """The SDK told of a gateway, below the prefix of the site."""
    import PureCloudPlatformClientV2 as Genesys

    client = Genesys.ApiClient()
    host, port = url.removeprefix("http://").split(":")
    client.set_gateway(host, "http", int(port), "login", "sites/shop")
    return client


def wait_time_of(client: Any) -> list[float]:
    """Log in, and ask for the queue's estimated wait time."""
    import PureCloudPlatformClientV2 as Genesys

    client.get_client_credentials_token(BACKEND_ID, BACKEND_KEY)
    answer = Genesys.RoutingApi(client).get_routing_queue_estimatedwaittime(QUEUE)
    return [one.estimated_wait_time_seconds for one in answer.results]


def end(client: Any, conversation_id: str) -> None:
    """Log in, and end a conversation as Genesys documents it."""
    import PureCloudPlatformClientV2 as Genesys

    client.get_client_credentials_token(BACKEND_ID, BACKEND_KEY)
    change = Genesys.Conversation()
    change.state = "disconnected"
    Genesys.ConversationsApi(client).patch_conversations_message(conversation_id, change)


@pytest.mark.parametrize("client_of", [by_host, by_gateway])
async def test_the_sdk_gets_a_handle_and_reads_a_queues_wait_time(stage: Stage, client_of: Any) -> None:
    """What the SDK holds works here only; the Genesys bearer was the gateway's own."""
    client = client_of(stage.url)
    assert await asyncio.to_thread(wait_time_of, client) == [42.0]
    assert client.access_token.startswith("gwb_")
    (call,) = [one for one in stage.mock.world.recorder.entries if one.path.endswith("/estimatedwaittime")]
    assert call.bearer_of == "client reader"
    assert client.access_token not in str(call.raw_headers)
    routes = [one["gateway.route"] for one in await stage.settled_audit("proxy.allowed")]
    assert routes.count("queue-wait") == 1


@pytest.mark.parametrize("client_of", [by_host, by_gateway])
async def test_the_sdk_ends_a_guests_conversation(stage: Stage, http: aiohttp.ClientSession, client_of: Any) -> None:
    """The guest is told by an event that the other side has left."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        await guest.say("Please close me")
        conversation = stage.conversation()
        await asyncio.to_thread(end, client_of(stage.url), conversation.id)
        while (body := (await guest.until("StructuredMessage"))["body"]).get("type") != "Event" or (
            body["events"][0]["eventType"] != "Presence"
        ):
            pass
        assert body["events"][0]["presence"]["type"] == "Disconnect"
        assert not conversation.active


async def test_a_wrong_key_is_refused_as_genesys_refuses_it(stage: Stage) -> None:
    """The SDK raises its own ApiException with our status and body."""
    import PureCloudPlatformClientV2 as Genesys
    from PureCloudPlatformClientV2.rest import ApiException

    client = Genesys.ApiClient(host=stage.url)
    with pytest.raises(ApiException) as raised:
        await asyncio.to_thread(client.get_client_credentials_token, BACKEND_ID, "not-the-key")
    assert raised.value.status in {400, 401}
    assert "backend.invalid" in raised.value.body or "oauth.invalid_client" in raised.value.body
