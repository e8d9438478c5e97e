"""Platform operations about conversations: read, end, participants, attributes, messages; never sending as a guest.

Ending is tearing down for all participants; ending what has ended is a 409 for the state change and a quiet success for
DELETE, so that a retry can tell. The agent-side send refuses a client token, for that is no participant.
"""

from __future__ import annotations

from aiohttp import web

from gateway.mock import conversations
from gateway.mock.api_call import Call, Handler, listing, nothing, reply
from gateway.mock.clock import iso_time
from gateway.mock.guest_model import Conversation
from gateway.mock.model import Json
from gateway.mock.platform_error import PlatformError
from gateway.mock.world import World

STATES = (
    *("alerting", "dialing", "contacting", "offering", "connected", "disconnected", "terminated", "converting"),
    *("uploading", "transmitting", "parked", "none"),
)
_VIEW = "conversation:communication:view"


def found(call: Call) -> Conversation:
    """Return the conversation of the path, after the division check; raises PlatformError 404 or 403."""
    conversation = call.world.conversations.get(call.params["conversationId"])
    if conversation is None:
        raise PlatformError("not.found")
    call.check_division(conversation.division_id)
    return conversation


def full_view(world: World, conversation: Conversation) -> Json:
    """Return the conversation as `GET conversations/{id}` shows it."""
    body: Json = {
        "id": conversation.id,
        "startTime": iso_time(conversation.started_at),
        "participants": _participants(world, conversation),
        "divisions": [{"division": {"id": conversation.division_id}, "entities": []}],
        "selfUri": f"/api/v2/conversations/{conversation.id}",
    }
    if conversation.ended_at is not None:
        body["endTime"] = iso_time(conversation.ended_at)
    return body


def _participants(world: World, conversation: Conversation) -> list[Json]:
    state = "connected" if conversation.active else "disconnected"
    session = world.sessions.get(conversation.session_id)
    contact_id = conversation.external_contact_id or (session.external_contact_id if session else None)
    customer: Json = {
        "id": conversation.customer_id,
        "purpose": "customer",
        "attributes": conversations.participant_data(conversation),
        "state": state,
        "messages": [_communication(conversation, conversation.customer_id, state, "inbound")],
    }
    if contact_id is not None:
        customer["externalContactId"] = contact_id
    agent: Json = {
        "id": conversation.agent_id,
        "purpose": "agent",
        "name": world.agent.name,
        "queueId": conversation.queue_id,
        "attributes": conversation.participant_attributes.get(conversation.agent_id, {}),
        "state": state,
        "messages": [_communication(conversation, conversation.agent_id, state, "outbound")],
    }
    return [customer, agent]


def _communication(conversation: Conversation, participant_id: str, state: str, direction: str) -> Json:
    return {
        "id": communication_id(participant_id),
        "state": state,
        "direction": direction,
        "type": "webmessaging",
        "provider": "PureCloud Messaging",
        "messages": [
            {"messageId": message["id"], "messageTime": message["channel"]["time"], "messageStatus": "sent"}
            for message in conversation.messages
            if message["direction"].lower() == direction
        ],
    }


def communication_id(participant_id: str) -> str:
    """Return the id of a participant's one communication, made from the participant's."""
    return participant_id[:-4] + "c0de"


async def get_conversation(call: Call) -> web.Response:
    """`GET conversations/{conversationId}`."""
    return reply(full_view(call.world, found(call)))


async def get_message_conversation(call: Call) -> web.Response:
    """`GET conversations/messages/{conversationId}`: no permission is listed, but a stranger's token is refused."""
    conversation = found(call)
    if call.client is None or _VIEW not in call.client.permissions:
        raise PlatformError("not.authorized")
    return reply({**full_view(call.world, conversation), "selfUri": call.request.path})


def _wanted_state(body: Json) -> str:
    state = body.get("state")
    if state not in STATES:
        allowed = ", ".join(sorted(STATES))
        raise PlatformError("invalid.value", {"value": str(state)[:40], "field": "state", "allowed": allowed})
    return str(state)


async def patch_conversation(call: Call) -> web.Response:
    """`PATCH conversations/messages/{conversationId}`: the state `disconnected` ends it for all."""
    state = _wanted_state(await call.body())
    conversation = found(call)
    if not conversation.active:
        raise PlatformError("request.conflict", {"reason": "the conversation has ended"})
    if state not in ("disconnected", "terminated"):
        raise PlatformError("bad.request", {"reason": f"state {state} cannot be set on a web messaging conversation"})
    await conversations.end(call.world, conversation, _by(call))
    return reply({**full_view(call.world, conversation), "selfUri": call.request.path})


async def delete_conversation(call: Call) -> web.Response:
    """`DELETE conversations/{conversationId}`."""
    await conversations.end(call.world, found(call), _by(call))
    return nothing(204)


async def disconnect_conversation(call: Call) -> web.Response:
    """`POST conversations/{conversationId}/disconnect`: the full tear-down, also of what has ended."""
    await conversations.end(call.world, found(call), _by(call))
    return reply({}, 202)


def _by(call: Call) -> str:
    return f"client {call.client.name}" if call.client else "platform"


def _participant(call: Call, conversation: Conversation) -> str:
    participant_id = call.params["participantId"]
    if participant_id not in (conversation.customer_id, conversation.agent_id):
        raise PlatformError("not.found")
    return participant_id


async def patch_participant(call: Call) -> web.Response:
    """`PATCH .../participants/{participantId}`: disconnecting either side ends the conversation of two."""
    body = await call.body()
    conversation = found(call)
    _participant(call, conversation)
    if "state" in body and _wanted_state(body) == "disconnected":
        await conversations.end(call.world, conversation, _by(call))
    return nothing(204)


async def patch_communication(call: Call) -> web.Response:
    """`PATCH .../participants/{participantId}/communications/{communicationId}`."""
    body = await call.body()
    conversation = found(call)
    if call.params["communicationId"] != communication_id(_participant(call, conversation)):
        raise PlatformError("not.found")
    if _wanted_state(body) == "disconnected":
        await conversations.end(call.world, conversation, _by(call))
    return reply({})


async def patch_attributes(call: Call) -> web.Response:
    """`PATCH .../participants/{participantId}/attributes`: strings only; after the end they are taken but not kept."""
    body = await call.body()
    conversation = found(call)
    attributes = body.get("attributes")
    if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
        raise PlatformError("constraint.validation", {"field": "attributes", "reason": "must map strings to strings"})
    participant_id = _participant(call, conversation)
    if conversation.active:
        conversation.participant_attributes.setdefault(participant_id, {}).update(attributes)
    return reply({"attributes": conversation.participant_attributes.get(participant_id, {})})


async def get_message(call: Call) -> web.Response:
    """`GET conversations/messages/{conversationId}/messages/{messageId}`."""
    conversation = found(call)
    for message in conversation.messages:
        if message["id"] == call.params["messageId"]:
            return reply(_message_view(conversation, message))
    raise PlatformError("not.found")


async def bulk_messages(call: Call) -> web.Response:
    """`POST conversations/messages/{conversationId}/messages/bulk`: the body is a list of message ids."""
    conversation = found(call)
    wanted = await call.body_list()
    views = [_message_view(conversation, message) for message in conversation.messages if message["id"] in wanted]
    return reply({"entities": views})


def _message_view(conversation: Conversation, message: Json) -> Json:
    return {
        "id": message["id"],
        "conversationId": conversation.id,
        "direction": message["direction"].lower(),
        "messengerType": "webmessaging",
        "textBody": message.get("text", ""),
        "timestamp": message["channel"]["time"],
        "status": "sent",
        "normalizedMessage": message,
    }


async def new_message_conversation(call: Call) -> web.Response:
    """`POST conversations/messages`: agent-side; needs a queue and an address, and a user, which a client is not."""
    body = await call.body()
    for name in ("queueId", "toAddress", "toAddressMessengerType"):
        if name not in body:
            raise PlatformError("constraint.validation", {"field": name, "reason": "must not be null"})
    raise PlatformError("invalid.user.context")


async def agent_send(call: Call) -> web.Response:
    """`POST .../communications/{communicationId}/messages`: only the agent of that communication may."""
    found(call)
    await call.body()
    raise PlatformError("not.authorized")


async def agentless(call: Call) -> web.Response:
    """`POST conversations/messages/agentless` to a web messaging guest that has a running conversation."""
    body = await call.body()
    for name in ("fromAddress", "toAddressMessengerType", "textBody"):
        if not isinstance(body.get(name), str):
            raise PlatformError("constraint.validation", {"field": name, "reason": "must not be null"})
    session = next((one for one in call.world.sessions.values() if one.id == body.get("toAddress")), None)
    if body["toAddressMessengerType"] != "webmessaging" or session is None or session.conversation is None:
        raise PlatformError("not.found")
    try:
        message = {"type": "Text", "text": body["textBody"], "originatingEntity": "Bot"}
        sent = await conversations.agent_says(call.world, session.conversation, message)
    except conversations.ConversationOver as over:
        raise PlatformError("request.conflict", {"reason": "the conversation has ended"}) from over
    except conversations.TextTooLong as too_long:
        raise PlatformError("constraint.validation", {"field": "textBody", "reason": str(too_long)}) from too_long
    return reply({"id": sent["id"], "conversationId": session.conversation.id, "textBody": body["textBody"]}, 202)


async def list_details(call: Call) -> web.Response:
    """`POST analytics/conversations/details/query`: all conversations of the organisation, newest first."""
    await call.body()
    newest = sorted(call.world.conversations.values(), key=lambda one: one.started_at, reverse=True)
    page = listing([full_view(call.world, one) for one in newest], 100, 1, call.request.path)
    return reply({"conversations": page["entities"], "totalHits": page["total"]})


_MESSAGES = "/api/v2/conversations/messages/{conversationId}"
_ANY = "/api/v2/conversations/{conversationId}"
HANDLERS: dict[str, Handler] = {
    f"GET {_ANY}": get_conversation,
    f"GET {_MESSAGES}": get_message_conversation,
    f"PATCH {_MESSAGES}": patch_conversation,
    f"DELETE {_ANY}": delete_conversation,
    f"POST {_ANY}/disconnect": disconnect_conversation,
    f"PATCH {_ANY}/participants/{{participantId}}": patch_participant,
    f"PATCH {_MESSAGES}/participants/{{participantId}}": patch_participant,
    f"PATCH {_MESSAGES}/participants/{{participantId}}/communications/{{communicationId}}": patch_communication,
    f"PATCH {_ANY}/participants/{{participantId}}/attributes": patch_attributes,
    f"PATCH {_MESSAGES}/participants/{{participantId}}/attributes": patch_attributes,
    f"GET {_MESSAGES}/messages/{{messageId}}": get_message,
    f"POST {_MESSAGES}/messages/bulk": bulk_messages,
    f"POST {_MESSAGES}/communications/{{communicationId}}/messages": agent_send,
    "POST /api/v2/conversations/messages": new_message_conversation,
    "POST /api/v2/conversations/messages/agentless": agentless,
    "POST /api/v2/analytics/conversations/details/query": list_details,
}
