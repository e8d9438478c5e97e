"""Platform operations of guests: history by its short JWT; exchange, refresh and revoke of sign-ins.

None takes a platform bearer. The deployment's allowed domains count here as well: history needs an allowed Origin,
the token calls refuse a wrong one.
"""

from __future__ import annotations

from datetime import datetime

from aiohttp import hdrs, web

from gateway.mock import guest_sessions
from gateway.mock.api_call import Call, Handler, listing, nothing, reply
from gateway.mock.exchange import exchange_code, renew
from gateway.mock.model import Deployment
from gateway.mock.origins import is_allowed
from gateway.mock.platform_error import PlatformError, too_many_requests


def _check_origin(call: Call, deployment: Deployment, *, require: bool) -> None:
    origin = call.request.headers.get(hdrs.ORIGIN)
    if not is_allowed(deployment, origin, call.world.domain, require=require and call.world.require_origin):
        raise PlatformError("not.authorized")


def _known_deployment(call: Call, deployment_id: object) -> Deployment:
    deployment = call.world.deployments.get(str(deployment_id))
    if deployment is None:
        raise PlatformError("not.found")
    return deployment


async def history(call: Call) -> web.Response:
    """`GET webmessaging/messages`: the session's transcript, newest first; anonymous guests see 15 days of it."""
    claims = call.guest or {}
    session = call.world.sessions.get(str(claims.get("session")))
    if session is None:
        raise PlatformError("bad.credentials")
    _check_origin(call, call.world.deployments[session.deployment_id], require=True)
    reading = call.world.meter.hit("history_per_session", session.id, call.world.now())
    if reading.over:
        raise too_many_requests(
            "history.per.session", "web.messaging", reading.allowed, reading.window_s, reading.reset_s
        )
    entities = list(reversed(session.transcript))
    if not session.verified:
        oldest = call.world.now() - call.world.sizes["ephemeral_history_s"]
        entities = [one for one in entities if _said_at(one["channel"]["time"]) >= oldest]
    return reply(listing(entities, *call.page(), call.request.path))


def _said_at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def exchange(call: Call) -> web.Response:
    """`POST webdeployments/token/oauthcodegrantjwtexchange`: a code or id_token of the site's provider for a JWT."""
    body = await call.body()
    deployment = _known_deployment(call, body.get("deploymentId"))
    _check_origin(call, deployment, require=False)
    if not deployment.auth_enabled:
        raise PlatformError("not.authorized")
    oauth = body.get("oauth")
    if not isinstance(oauth, dict):
        raise PlatformError("constraint.validation", {"field": "oauth", "reason": "must not be null"})
    return reply(await exchange_code(call.world, deployment, oauth))


async def refresh(call: Call) -> web.Response:
    """`POST webdeployments/token/refresh`: a new JWT only; the refresh token stays."""
    body = await call.body()
    token = body.get("refreshToken")
    if not isinstance(token, str):
        raise PlatformError("constraint.validation", {"field": "refreshToken", "reason": "must not be null"})
    grant = call.world.grant_by_refresh_token(token)
    if grant is None or body.get("deploymentId", grant.deployment_id) != grant.deployment_id:
        raise PlatformError("bad.credentials")
    _check_origin(call, _known_deployment(call, grant.deployment_id), require=False)
    return reply({"jwt": await renew(call.world, grant)})


async def revoke(call: Call) -> web.Response:
    """`DELETE webdeployments/token/revoke`: the sign-in is over; its connections are told by LogoutEvent."""
    claims = call.guest or {}
    grant = call.world.grants[str(claims.get("grant"))]
    grant.revoked = True
    session = call.world.live_sessions_of(grant.deployment_id, grant.subject)
    if session is not None:
        await guest_sessions.log_out(call.world, session)
    return nothing(204)


async def push_device(call: Call) -> web.Response:
    """`POST|PATCH|DELETE webmessaging/deployments/{deploymentId}/pushdevices/{tokenId}`: for mobile clients."""
    deployment = _known_deployment(call, call.params["deploymentId"])
    session = call.world.session_by_token.get(call.params["tokenId"].lower())
    if session is None or session.deployment_id != deployment.id:
        raise PlatformError("not.found")
    return nothing(204)


_PUSH = "/api/v2/webmessaging/deployments/{deploymentId}/pushdevices/{tokenId}"
HANDLERS: dict[str, Handler] = {
    "GET /api/v2/webmessaging/messages": history,
    "POST /api/v2/webdeployments/token/oauthcodegrantjwtexchange": exchange,
    "POST /api/v2/webdeployments/token/refresh": refresh,
    "DELETE /api/v2/webdeployments/token/revoke": revoke,
    f"POST {_PUSH}": push_device,
    f"PATCH {_PUSH}": push_device,
    f"DELETE {_PUSH}": push_device,
}
