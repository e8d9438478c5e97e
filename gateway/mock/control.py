"""The control port: what the mock received and holds, and orders to it (faults, clients, clock, agent, OpenID).

Orders that change records go through the same checks as a world file. A page of another origin may not give orders.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

from gateway.mock import control_page, control_views, conversations, guest_sessions
from gateway.mock.faults import Fault, FaultInvalid
from gateway.mock.guest_model import Conversation
from gateway.mock.model import AgentSettings, Client, Deployment, Json, OidcIntegration
from gateway.mock.world import World
from gateway.mock.world_file import WorldFileInvalid, check_members

Order = Callable[[World, web.Request], Awaitable[web.Response]]
_CLIENT_MEMBERS = frozenset({"active", "permissions", "divisions", "scopes", "token_life_s", "grant_type"})


class OrderInvalid(Exception):
    """The order makes no sense; answered with 400 and this text."""


def control_app(world: World) -> web.Application:
    """Return the control listener of a world."""

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        if request.method != "GET" and origin is not None and origin != world.endpoints.control:
            return web.json_response({"error": "a page of another origin may not give orders"}, status=403)
        try:
            response = await handler(request)
        except (OrderInvalid, FaultInvalid, WorldFileInvalid) as invalid:
            return web.json_response({"error": str(invalid)}, status=400)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    app = web.Application(middlewares=[guard])
    for route, order in ORDERS.items():
        method, _, path = route.partition(" ")
        app.router.add_route(method, path, _bound(world, order))
    return app


def _bound(world: World, order: Order) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        return await order(world, request)

    return handler


async def _json(request: web.Request) -> Json:
    try:
        body = json.loads(await request.text() or "{}")
    except (ValueError, RecursionError) as exc:
        raise OrderInvalid("the body is not JSON") from exc
    if not isinstance(body, dict):
        raise OrderInvalid("the body must be an object")
    return body


async def page(world: World, request: web.Request) -> web.Response:
    """`GET /`: the readable page."""
    return web.Response(text=control_page.render(world), content_type="text/html")


async def get_requests(world: World, request: web.Request) -> web.Response:
    """`GET /requests?target=&method=&path=&after=`: what was received, oldest first."""
    query = request.query
    after = int(query["after"]) if query.get("after", "").isdigit() else 0
    entries = [
        entry.view()
        for entry in world.recorder.entries
        if entry.number > after
        and all(query.get(name) in (None, getattr(entry, name)) for name in ("target", "method", "path"))
    ]
    return web.json_response({"requests": entries})


async def delete_requests(world: World, request: web.Request) -> web.Response:
    """`DELETE /requests`: forget them."""
    world.recorder.entries.clear()
    return web.json_response({})


async def get_conversations(world: World, request: web.Request) -> web.Response:
    """`GET /conversations`."""
    return web.json_response(
        {"conversations": [control_views.brief(world, one) for one in world.conversations.values()]}
    )


def _conversation(world: World, request: web.Request) -> Conversation:
    conversation = world.conversations.get(request.match_info["id"])
    if conversation is None:
        raise web.HTTPNotFound(text='{"error": "no such conversation"}', content_type="application/json")
    return conversation


async def get_conversation(world: World, request: web.Request) -> web.Response:
    """`GET /conversations/{id}`: as the agent sees it."""
    return web.json_response(control_views.as_agent_sees(world, _conversation(world, request)))


async def post_message(world: World, request: web.Request) -> web.Response:
    """`POST /conversations/{id}/messages` {text, content?, typing?}: the agent says something (or only types)."""
    body = await _json(request)
    conversation = _conversation(world, request)
    if body.get("typing") is True:
        event = conversations.structured(world, "Outbound", conversations.typing())
        await conversations.publish(world.sessions[conversation.session_id], event)
        return web.json_response({})
    if not isinstance(body.get("text"), str):
        raise OrderInvalid("text must be a string")
    message = {"type": "Structured" if "content" in body else "Text", **body}
    try:
        return web.json_response(await conversations.agent_says(world, conversation, message))
    except conversations.ConversationOver:
        return web.json_response({"error": "the conversation has ended"}, status=409)
    except conversations.TextTooLong as too_long:
        raise OrderInvalid(str(too_long)) from too_long


async def post_end(world: World, request: web.Request) -> web.Response:
    """`POST /conversations/{id}/end`: the agent ends it."""
    ended = await conversations.end(world, _conversation(world, request), "agent")
    return web.json_response({"ended": ended})


async def post_fault(world: World, request: web.Request) -> web.Response:
    """`POST /faults` {target, kind, match?, count?, seconds?, status?}."""
    body = await _json(request)
    unknown = set(body) - {"target", "kind", "match", "count", "seconds", "status"}
    if unknown:
        raise OrderInvalid(f"unknown member {min(unknown)}")
    check_members(Fault, body)
    target, kind = body.pop("target", ""), body.pop("kind", "")
    return web.json_response(world.faults.add(target, kind, **body).view(), status=201)


async def get_faults(world: World, request: web.Request) -> web.Response:
    """`GET /faults`: the open orders."""
    return web.json_response({"faults": [fault.view() for fault in world.faults.orders]})


async def delete_faults(world: World, request: web.Request) -> web.Response:
    """`DELETE /faults`: drop all orders."""
    world.faults.clear()
    return web.json_response({})


async def post_client(world: World, request: web.Request) -> web.Response:
    """`POST /clients/{name}`: rotate the secret, disable, change permissions or divisions, revoke tokens."""
    body = await _json(request)
    client = world.client_named(request.match_info["name"])
    if client is None:
        raise web.HTTPNotFound(text='{"error": "no such client"}', content_type="application/json")
    new_secret, overlap_s = body.pop("rotate_secret", None), body.pop("overlap_s", 0.0)
    revoke = body.pop("revoke_tokens", False)
    unknown = set(body) - _CLIENT_MEMBERS
    if unknown:
        raise OrderInvalid(f"unknown member {min(unknown)}")
    for name, value in body.items():
        setattr(client, name, _client_member(name, value))
    if isinstance(new_secret, str):
        world.rotate_secret(client, new_secret, float(overlap_s))
    revoked = world.revoke_tokens(client.id) if revoke else 0
    return web.json_response({**control_views.client(client), "revoked_tokens": revoked})


def _client_member(name: str, value: Any) -> Any:
    if name in ("permissions", "divisions", "scopes"):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise OrderInvalid(f"{name} must be a list of strings")
        return set(value)
    check_members(Client, {name: value})
    return value


async def post_deployment(world: World, request: web.Request) -> web.Response:
    """`POST /deployments/{id}`: change members of a deployment."""
    deployment = world.deployments.get(request.match_info["id"])
    if deployment is None:
        raise web.HTTPNotFound(text='{"error": "no such deployment"}', content_type="application/json")
    return web.json_response(_changed(Deployment, deployment, await _json(request)))


async def post_oidc(world: World, request: web.Request) -> web.Response:
    """`POST /oidc`: change the OpenID integration; the answer never shows its secret."""
    _changed(OidcIntegration, world.oidc, await _json(request))
    return web.json_response(control_views.oidc(world))


async def post_agent(world: World, request: web.Request) -> web.Response:
    """`POST /agent`: change the scripted agent."""
    return web.json_response(_changed(AgentSettings, world.agent, await _json(request)))


def _changed(kind: type, record: Any, changes: Json) -> Json:
    check_members(kind, changes)
    for name, value in changes.items():
        setattr(record, name, value)
    return control_views.members(record)


async def post_clock(world: World, request: web.Request) -> web.Response:
    """`POST /clock` {advance_s}: move the present, and expire what is due."""
    body = await _json(request)
    seconds = body.get("advance_s", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise OrderInvalid("advance_s must be a number")
    world.clock.advance(seconds)
    await guest_sessions.sweep(world)
    return web.json_response({"now": world.now(), "offset_s": world.clock.offset_s})


async def get_world(world: World, request: web.Request) -> web.Response:
    """`GET /world`: organisation, addresses, clients, deployments, queues, settings; no secret."""
    return web.json_response(control_views.whole(world))


async def get_exchanges(world: World, request: web.Request) -> web.Response:
    """`GET /exchanges`: each try to exchange or renew a sign-in: what was called, what came back."""
    return web.json_response({"exchanges": world.exchanges})


ORDERS: dict[str, Order] = {
    "GET /": page,
    "GET /requests": get_requests,
    "DELETE /requests": delete_requests,
    "GET /conversations": get_conversations,
    "GET /conversations/{id}": get_conversation,
    "POST /conversations/{id}/messages": post_message,
    "POST /conversations/{id}/end": post_end,
    "GET /faults": get_faults,
    "POST /faults": post_fault,
    "DELETE /faults": delete_faults,
    "POST /clients/{name}": post_client,
    "POST /deployments/{id}": post_deployment,
    "POST /oidc": post_oidc,
    "POST /agent": post_agent,
    "POST /clock": post_clock,
    "GET /world": get_world,
    "GET /exchanges": get_exchanges,
}
