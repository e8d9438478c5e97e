"""The official Python SDK, unchanged, as a backend: every operation of seven API groups through the gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.mock.guest_model import Conversation
from gateway.mock.model import DEFAULT_DEPLOYMENT, SUPPORT_QUEUE
from tests.conversations import put_conversation
from tests.sdk.operations import BACKEND_ID, BACKEND_KEY, GROUPS, OPERATIONS, sdk_stage


def drive(url: str, conversations: list[Conversation]) -> dict[str, Any]:
    """Every operation once, in an order that a server could have; blocks, as the SDK does."""
    import PureCloudPlatformClientV2 as Genesys

    client = Genesys.ApiClient(host=url)
    client.get_client_credentials_token(BACKEND_ID, BACKEND_KEY)
    routing, talks = Genesys.RoutingApi(client), Genesys.ConversationsApi(client)
    contacts, deployments = Genesys.ExternalContactsApi(client), Genesys.WebDeploymentsApi(client)
    notifications, oauth = Genesys.NotificationsApi(client), Genesys.OAuthApi(client)
    first, second, third = conversations
    routing.get_routing_queues(page_size=10)
    routing.get_routing_queue(SUPPORT_QUEUE)
    wait = routing.get_routing_queue_estimatedwaittime(SUPPORT_QUEUE)
    routing.get_routing_skills()
    routing.get_routing_wrapupcodes()
    read = talks.get_conversation(first.id)
    talks.get_conversations_message(first.id)
    talks.patch_conversation_participant_attributes(first.id, first.customer_id, {"attributes": {"tier": "gold"}})
    talks.post_conversations_message_messages_bulk(first.id, body=["0" * 32])
    person = contacts.post_externalcontacts_contacts({"firstName": "Ada", "lastName": "Lovelace"})
    contacts.get_externalcontacts_contact(person.id)
    contacts.put_externalcontacts_contact(person.id, {"firstName": "Ada", "lastName": "King"})
    contacts.put_externalcontacts_conversation(first.id, {"externalContactId": person.id, "mediaType": "MESSAGE"})
    contacts.delete_externalcontacts_contact(person.id)
    talks.patch_conversations_message(first.id, {"state": "disconnected"})
    talks.post_conversation_disconnect(second.id)
    talks.delete_conversation(third.id)
    deployments.get_webdeployments_deployments()
    deployments.get_webdeployments_deployment(DEFAULT_DEPLOYMENT)
    deployments.get_webdeployments_configurations()
    channel = notifications.post_notifications_channels()
    notifications.get_notifications_channels()
    notifications.post_notifications_channel_subscriptions(channel.id, [{"id": "channel.metadata"}])
    notifications.get_notifications_channel_subscriptions(channel.id)
    notifications.delete_notifications_channel_subscriptions(channel.id)
    talks.post_analytics_conversations_details_query({"interval": "2026-01-01T00:00:00Z/2026-12-31T00:00:00Z"})
    oauth.get_oauth_scopes()
    oauth.get_oauth_clients()
    return {"wait": wait.results[0].estimated_wait_time_seconds, "id": read.id, "token": client.access_token}


async def test_it_calls_every_operation_with_the_least_privilege_of_its_group(tmp_path: Path) -> None:
    async with sdk_stage(tmp_path) as stage:
        conversations = [put_conversation(stage.mock.world, "shop") for _ in range(3)]
        told = await asyncio.to_thread(drive, stage.url, conversations)
        seen = stage.seen()
        assert set(OPERATIONS) <= seen.keys()
        assert {owner for key, owner in seen.items() if key in OPERATIONS} == {f"client {group}" for group in GROUPS}
        assert (told["wait"], told["id"]) == (42.0, conversations[0].id)
        assert told["token"].startswith("gwb_")
        assert not any(one.active for one in conversations)


async def test_a_conversation_of_another_site_is_not_found(tmp_path: Path) -> None:
    import PureCloudPlatformClientV2 as Genesys
    from PureCloudPlatformClientV2.rest import ApiException

    async with sdk_stage(tmp_path) as stage:
        other = put_conversation(stage.mock.world, "club")

        def end() -> None:
            client = Genesys.ApiClient(host=stage.url)
            client.get_client_credentials_token(BACKEND_ID, BACKEND_KEY)
            Genesys.ConversationsApi(client).delete_conversation(other.id)

        with pytest.raises(ApiException) as raised:
            await asyncio.to_thread(end)
        assert (raised.value.status, "route.not_owner" in raised.value.body) == (404, True)
        assert other.active
