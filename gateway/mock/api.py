"""The Platform API: finds the operation, authenticates, limits, checks permissions, then calls the handler.

The order is the platform's: unknown operation, credential, rate, permission, body. Operations without a handler of
their own get a generic answer that says it is one.
"""

from __future__ import annotations

from aiohttp import hdrs, web

from gateway.mock import (
    api_contacts,
    api_conversations,
    api_organization,
    api_tokens,
    api_webdeployments,
    api_webmessaging,
)
from gateway.mock.api_call import Call, Handler, listing, nothing, reply
from gateway.mock.api_config import Demand
from gateway.mock.catalogue import Catalogue, Operation
from gateway.mock.guest_jwt import AUTHENTICATED, HISTORY, JwtRefused
from gateway.mock.listener import single_header, watched
from gateway.mock.model import Client
from gateway.mock.platform_error import PlatformError, too_many_requests
from gateway.mock.world import World

HANDLERS: dict[str, Handler] = {
    **api_tokens.HANDLERS,
    **api_organization.HANDLERS,
    **api_conversations.HANDLERS,
    **api_contacts.HANDLERS,
    **api_webdeployments.HANDLERS,
    **api_webmessaging.HANDLERS,
}
_JWT_KIND = {"GET /api/v2/webmessaging/messages": HISTORY, "DELETE /api/v2/webdeployments/token/revoke": AUTHENTICATED}
# The definition marks organizations/me as acting on the user, yet it answers client credentials in practice.
_WITHOUT_USER = frozenset({"GET /api/v2/organizations/me"})
# The definition does not mark it, yet it lists the conversations of the logged-in user.
_WITH_USER = frozenset({"GET /api/v2/conversations"})


def api_app(world: World, catalogue: Catalogue, demands: dict[str, Demand]) -> web.Application:
    """Return the Platform API listener; raises KeyError when a handler's operation is not in the catalogue."""
    for key in HANDLERS:
        catalogue.operations[key]
    limit = world.sizes["request_bytes"]
    app = web.Application(middlewares=[watched(world, "api", cors=True)], client_max_size=limit)

    async def dispatch(request: web.Request) -> web.Response:
        return await _dispatch(world, catalogue, demands, request)

    app.router.add_get("/streaming/{channel_id}", api_organization.streaming(world))
    app.router.add_route("*", "/{path:.*}", dispatch)
    return app


async def _dispatch(
    world: World, catalogue: Catalogue, demands: dict[str, Demand], request: web.Request
) -> web.Response:
    found = catalogue.find(request.method, request.rel_url.raw_path)
    if found is None:
        raise PlatformError("not.found")
    call = Call(world, request, found[0], found[1])
    try:
        _authenticate(call)
        _check_rights(call, demands.get(call.operation.key))
        demand = demands.get(call.operation.key)
        if demand is not None and demand.invented:
            response = reply({"mock": "invented endpoint", **(demand.answer or {})}, demand.status)
        else:
            response = await HANDLERS.get(call.operation.key, _generic)(call)
    except PlatformError as error:
        error.headers = {**call.headers, **error.headers}
        raise
    response.headers.update(call.headers)
    return response


def _authenticate(call: Call) -> None:
    authorization = single_header(call.request, hdrs.AUTHORIZATION)
    if call.operation.auth in ("none", "not-oauth"):
        # Stricter than the real one: a bearer where none belongs is the mistake of injecting too much.
        if authorization is not None:
            raise PlatformError("bad.credentials")
        return
    if authorization is None:
        raise PlatformError("authentication.required")
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise PlatformError("authentication.required")
    if call.operation.auth == "webmessaging-jwt":
        try:
            call.guest = call.world.read_guest_jwt(_JWT_KIND[call.operation.key], value.strip())
        except JwtRefused as refused:
            raise PlatformError("bad.credentials") from refused
        return
    token = call.world.live_token(value.strip())
    if token is None:
        raise PlatformError("bad.credentials")
    token.last_used_at = call.world.now()
    call.token, call.client = token, call.world.clients[token.client_id]
    _count(call, token.value, call.client)


def _count(call: Call, token_value: str, client: Client) -> None:
    now = call.world.now()
    for name, key in (
        ("client.credentials.token.rate.per.minute", token_value),
        ("org.app.user.rate.per.minute", client.id),
    ):
        reading = call.world.meter.hit(name, key, now)
        if name.startswith("client."):
            call.headers = {
                "inin-ratelimit-count": str(reading.count),
                "inin-ratelimit-allowed": str(reading.allowed),
                "inin-ratelimit-reset": str(reading.reset_s),
            }
        if reading.over:
            raise too_many_requests(name, "platform.api", reading.allowed, reading.window_s, reading.reset_s)


def _check_rights(call: Call, demand: Demand | None) -> None:
    client, token = call.client, call.token
    if client is None or token is None:
        return
    if demand is not None and demand.scopes and not token.scopes & set(demand.scopes):
        raise PlatformError("app.not.authorized.for.scope", {"scopes": ", ".join(demand.scopes)})
    operation = call.operation
    of_user = operation.client_credentials in ("no", "needs-user-context") or operation.key in _WITH_USER
    if of_user and operation.key not in _WITHOUT_USER:
        raise PlatformError("invalid.user.context")
    wanted, any_of = operation.permissions, operation.perm == "ANY"
    if demand is not None and demand.permissions is not None:
        wanted, any_of = demand.permissions, demand.any_permission
    if not wanted:
        return
    held = [name for name in wanted if name in client.permissions]
    if any_of and not held:
        raise PlatformError("missing.any.permissions", {"permissions": ", ".join(wanted)})
    missing = [name for name in wanted if name not in client.permissions]
    if not any_of and missing:
        raise PlatformError("missing.permissions", {"permissions": ", ".join(missing)})


async def _generic(call: Call) -> web.Response:
    """Answer an operation that the mock has no own behaviour for; the label says so."""
    operation: Operation = call.operation
    method, _, template = operation.key.partition(" ")
    label = f"generic answer of the mock for {operation.id}"
    if method == "GET" and not template.endswith("}"):
        return reply({**listing([], *call.page(), call.request.path), "mock": label})
    if method in ("DELETE", "HEAD"):
        return nothing(204 if method == "DELETE" else 200)
    if method in ("POST", "PUT", "PATCH") and await call.request.read():
        await call.json()
    last = next(reversed(call.params.values()), call.world.new_id())
    return reply({"id": last, "mock": label, "selfUri": call.request.path})
