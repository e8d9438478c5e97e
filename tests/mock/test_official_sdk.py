"""The official Python SDK, unchanged, as an independent reader of the mock's answers."""

import asyncio
import threading
from typing import Any

import PureCloudPlatformClientV2
import pytest
from PureCloudPlatformClientV2.rest import ApiException

from gateway.mock.model import SUPPORT_QUEUE
from gateway.mock.server import RunningMock
from tests.mock.conftest import GuestMaker

sdk = PureCloudPlatformClientV2
_ONE_AT_A_TIME = threading.Lock()  # the SDK keeps its host in a module


def signed_in(mock: RunningMock, name: str) -> Any:
    """An SDK client that got its token from the mock's login host."""
    client = mock.world.client_named(name)
    assert client is not None
    with _ONE_AT_A_TIME:
        api_client = sdk.api_client.ApiClient(mock.endpoints.login)
        api_client.get_client_credentials_token(client.id, f"mock-secret-{name}")
        api_client.host = mock.endpoints.api
    return api_client


async def test_it_reads_tokens_queues_and_conversations(mock: RunningMock, guest: GuestMaker) -> None:
    one = await guest()
    await one.say("hello", channel={"metadata": {"customAttributes": {"plan": "gold"}}})
    (conversation_id,) = mock.world.conversations

    def read() -> tuple[Any, Any, Any, Any]:
        client = signed_in(mock, "reader")
        routing = sdk.RoutingApi(client)
        return (
            sdk.TokensApi(client).get_tokens_me(),
            routing.get_routing_queue(SUPPORT_QUEUE),
            routing.get_routing_queue_estimatedwaittime(SUPPORT_QUEUE),
            sdk.ConversationsApi(client).get_conversation(conversation_id),
        )

    token, queue, wait, conversation = await asyncio.to_thread(read)
    assert token.o_auth_client.name == "reader"
    assert queue.name == "Support"
    assert wait.results[0].estimated_wait_time_seconds == 42
    assert conversation.participants[0].attributes == {"context.plan": "gold"}
    assert conversation.participants[0].purpose == "customer"


async def test_it_ends_a_conversation(mock: RunningMock, guest: GuestMaker) -> None:
    one = await guest()
    await one.say("hello")
    (conversation,) = mock.world.conversations.values()

    def end() -> None:
        body = sdk.Conversation()
        body.state = "disconnected"
        sdk.ConversationsApi(signed_in(mock, "closer")).patch_conversations_message(conversation.id, body)

    await asyncio.to_thread(end)
    assert conversation.ended_by == "client closer"


async def test_it_understands_the_refusals(mock: RunningMock) -> None:
    def refused() -> Any:
        with pytest.raises(ApiException) as exception:
            sdk.RoutingApi(signed_in(mock, "closer")).get_routing_queue(SUPPORT_QUEUE)
        return exception.value

    exception = await asyncio.to_thread(refused)
    assert exception.status == 403
    assert '"missing.permissions"' in exception.body
