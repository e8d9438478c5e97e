"""Platform operations about tokens, OAuth clients and scopes: tokens/me, the idle time-out, the list of scopes."""

from __future__ import annotations

import secrets

from aiohttp import web

from gateway.mock.api_call import Call, Handler, listing, nothing, reply
from gateway.mock.clock import iso_time
from gateway.mock.model import Client, Json
from gateway.mock.platform_error import PlatformError


def client_view(call: Call, client: Client) -> Json:
    """Return an OAuth client as the platform shows it: never with its secret."""
    divisions = sorted(client.divisions)
    return {
        "id": client.id,
        "name": client.name,
        "authorizedGrantType": client.grant_type,
        "scope": sorted(client.scopes),
        "accessTokenValiditySeconds": client.token_life_s,
        "roleDivisions": [{"roleId": f"role-{client.name}", "divisionId": division} for division in divisions],
        "state": "active" if client.active else "inactive",
        "organization": {"id": call.world.org_id, "name": call.world.org_name},
        "selfUri": f"/api/v2/oauth/clients/{client.id}",
    }


async def get_me(call: Call) -> web.Response:
    """`GET tokens/me`: which client, which organisation."""
    organization = {"id": call.world.org_id, "name": call.world.org_name}
    if call.client is None or call.token is None:
        raise PlatformError("bad.credentials")
    idles = call.world.idle_timeout_s
    body: Json = {
        "organization": organization,
        "homeOrganization": organization,
        "authorizedScope": sorted(call.token.scopes),
        "OAuthClient": client_view(call, call.client),
        "dateIssued": iso_time(call.token.issued_at),
    }
    if idles is not None:
        body["dateTokenIdles"] = iso_time(call.token.last_used_at + idles)
    return reply(body)


async def head_me(call: Call) -> web.Response:
    """`HEAD tokens/me`: the bearer is good."""
    return nothing(200)


async def delete_me(call: Call) -> web.Response:
    """`DELETE tokens/me`: revoke the bearer in use."""
    if call.token is not None:
        call.world.access_tokens.pop(call.token.value, None)
    return nothing(200)


async def get_timeout(call: Call) -> web.Response:
    """`GET tokens/timeout`."""
    idle = call.world.idle_timeout_s
    return reply({"idleTokenTimeoutSeconds": idle or 0, "enableIdleTokenTimeout": idle is not None})


async def put_timeout(call: Call) -> web.Response:
    """`PUT tokens/timeout`."""
    body = await call.body()
    seconds, enabled = body.get("idleTokenTimeoutSeconds"), body.get("enableIdleTokenTimeout")
    if not isinstance(seconds, int) or not isinstance(enabled, bool):
        raise PlatformError("bad.request", {"reason": "idleTokenTimeoutSeconds and enableIdleTokenTimeout"})
    call.world.idle_timeout_s = seconds if enabled else None
    return await get_timeout(call)


async def list_clients(call: Call) -> web.Response:
    """`GET oauth/clients`."""
    views = [client_view(call, client) for client in call.world.clients.values()]
    return reply(listing(views, *call.page(), call.request.path))


def _client(call: Call) -> Client:
    client = call.world.clients.get(call.params["clientId"])
    if client is None:
        raise PlatformError("not.found")
    return client


async def get_client(call: Call) -> web.Response:
    """`GET oauth/clients/{clientId}`."""
    return reply(client_view(call, _client(call)))


async def new_secret(call: Call) -> web.Response:
    """`POST oauth/clients/{clientId}/secret`: a new secret, shown once; the old one dies at once."""
    client = _client(call)
    value = secrets.token_urlsafe(32)
    call.world.rotate_secret(client, value)
    return reply({**client_view(call, client), "secret": value})


async def list_scopes(call: Call) -> web.Response:
    """`GET oauth/scopes`: the scopes that the definition's operations name."""
    names = (
        "conversations",
        "messaging",
        "notifications",
        "oauth",
        "organization",
        "routing",
        "users",
        "webdeployments",
    )
    entities: list[Json] = [{"id": name + suffix} for name in names for suffix in ("", ":readonly")]
    return reply(listing(entities, 500, 1, call.request.path))


async def get_role(call: Call) -> web.Response:
    """`GET authorization/roles/{roleId}`: each client of the mock has one role, named after it."""
    name = call.params["roleId"].removeprefix("role-")
    client = call.world.client_named(name)
    if client is None:
        raise PlatformError("not.found")
    policies: list[Json] = []
    for permission in sorted(client.permissions):
        domain, entity, action = permission.split(":")
        policies.append({"domain": domain, "entityName": entity, "actionSet": [action]})
    return reply({"id": f"role-{name}", "name": name, "permissionPolicies": policies, "selfUri": call.request.path})


HANDLERS: dict[str, Handler] = {
    "GET /api/v2/authorization/roles/{roleId}": get_role,
    "GET /api/v2/tokens/me": get_me,
    "HEAD /api/v2/tokens/me": head_me,
    "DELETE /api/v2/tokens/me": delete_me,
    "GET /api/v2/tokens/timeout": get_timeout,
    "PUT /api/v2/tokens/timeout": put_timeout,
    "GET /api/v2/oauth/clients": list_clients,
    "GET /api/v2/oauth/clients/{clientId}": get_client,
    "POST /api/v2/oauth/clients/{clientId}/secret": new_secret,
    "GET /api/v2/oauth/scopes": list_scopes,
}
