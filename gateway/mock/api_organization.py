"""Platform operations about the organisation itself, its queues and its notification channels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from gateway.mock.api_call import Call, Handler, listing, nothing, reply
from gateway.mock.clock import iso_time
from gateway.mock.model import Json, Queue
from gateway.mock.platform_error import PlatformError
from gateway.mock.world import Channel, World


async def get_organization(call: Call) -> web.Response:
    """`GET organizations/me`."""
    world = call.world
    body = {"id": world.org_id, "name": world.org_name, "domain": world.org_name, "state": "active", "features": {}}
    return reply({**body, "defaultLanguage": "en-us", "selfUri": call.request.path})


async def get_date(call: Call) -> web.Response:
    """`GET date`: the platform's present."""
    return reply({"currentDate": iso_time(call.world.now())})


def _queue_view(queue: Queue) -> Json:
    division = {"id": queue.division_id, "selfUri": f"/api/v2/authorization/divisions/{queue.division_id}"}
    uri = f"/api/v2/routing/queues/{queue.id}"
    return {"id": queue.id, "name": queue.name, "division": division, "memberCount": 1, "selfUri": uri}


def _queue(call: Call) -> Queue:
    queue = call.world.queues.get(call.params["queueId"])
    if queue is None:
        raise PlatformError("not.found")
    call.check_division(queue.division_id)
    return queue


async def list_queues(call: Call) -> web.Response:
    """`GET routing/queues`: those in the caller's divisions, by name when one is asked for."""
    wanted = call.request.query.get("name", "").strip("*").lower()
    divisions = call.client.divisions if call.client else set()
    views = [
        _queue_view(queue)
        for queue in call.world.queues.values()
        if ("*" in divisions or queue.division_id in divisions) and wanted in queue.name.lower()
    ]
    return reply(listing(views, *call.page(), call.request.path))


async def get_queue(call: Call) -> web.Response:
    """`GET routing/queues/{queueId}`."""
    return reply(_queue_view(_queue(call)))


async def estimated_wait_time(call: Call) -> web.Response:
    """`GET routing/queues/{queueId}/estimatedwaittime`."""
    queue = _queue(call)
    return reply(
        {"results": [{"intent": "ALL", "formula": "BEST", "estimatedWaitTimeSeconds": queue.estimated_wait_s}]}
    )


async def new_channel(call: Call) -> web.Response:
    """`POST notifications/channels`: an address to connect to, good for a day."""
    channel_id = f"streaming-{call.world.new_id()}"
    expires = call.world.now() + 86_400
    call.world.channels[channel_id] = Channel(expires)
    uri = f"{call.world.endpoints.api.replace('http', 'ws', 1)}/streaming/{channel_id}"
    return reply({"id": channel_id, "connectUri": uri, "expires": iso_time(expires)})


async def list_channels(call: Call) -> web.Response:
    """`GET notifications/channels`."""
    entities: list[Json] = [
        {"id": name, "expires": iso_time(channel.expires_at)} for name, channel in call.world.channels.items()
    ]
    return reply({"entities": entities})


def _topics(call: Call) -> list[str]:
    channel = call.world.channels.get(call.params["channelId"])
    if channel is None:
        raise PlatformError("not.found")
    return channel.topics


async def get_topics(call: Call) -> web.Response:
    """`GET notifications/channels/{channelId}/subscriptions`."""
    return reply({"entities": [{"id": topic} for topic in _topics(call)]})


async def set_topics(call: Call) -> web.Response:
    """`POST` adds and `PUT` replaces the topics of a channel; the body is a list of `{id}`."""
    topics = _topics(call)
    wanted = await call.body_list()
    if not all(isinstance(item, dict) and "id" in item for item in wanted):
        raise PlatformError("bad.request", {"reason": "a list of {id}"})
    if call.operation.key.startswith("PUT "):
        topics.clear()
    topics += [item["id"] for item in wanted if item["id"] not in topics]
    return await get_topics(call)


async def delete_topics(call: Call) -> web.Response:
    """`DELETE notifications/channels/{channelId}/subscriptions`."""
    _topics(call).clear()
    return nothing(200)


def streaming(world: World) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of the notification socket: it answers pings by message and sends a first heartbeat."""

    async def handler(request: web.Request) -> web.StreamResponse:
        channel = world.channels.get(request.match_info["channel_id"])
        if channel is None or world.now() >= channel.expires_at:
            raise PlatformError("not.found")
        socket = web.WebSocketResponse(timeout=1.0)
        await socket.prepare(request)
        heartbeat = {"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}}
        await socket.send_json(heartbeat)
        channel.sockets.add(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and '"ping"' in message.data:
                    await socket.send_json({"topicName": "channel.metadata", "eventBody": {"message": "pong"}})
        finally:
            channel.sockets.discard(socket)
        return socket

    return handler


_SUBSCRIPTIONS = "/api/v2/notifications/channels/{channelId}/subscriptions"
HANDLERS: dict[str, Handler] = {
    "GET /api/v2/organizations/me": get_organization,
    "GET /api/v2/date": get_date,
    "GET /api/v2/routing/queues": list_queues,
    "GET /api/v2/routing/queues/{queueId}": get_queue,
    "GET /api/v2/routing/queues/{queueId}/estimatedwaittime": estimated_wait_time,
    "POST /api/v2/notifications/channels": new_channel,
    "GET /api/v2/notifications/channels": list_channels,
    f"GET {_SUBSCRIPTIONS}": get_topics,
    f"POST {_SUBSCRIPTIONS}": set_topics,
    f"PUT {_SUBSCRIPTIONS}": set_topics,
    f"DELETE {_SUBSCRIPTIONS}": delete_topics,
}
