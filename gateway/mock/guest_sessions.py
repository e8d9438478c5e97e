"""Guest sessions: configured, resumed, signed in, expired, cleared, logged out; and which connections belong to them.

The token is made by the guest and is all that an anonymous guest has; a signed-in guest also proves itself by the
platform's JWT, and its session follows the person, not the token.
"""

from __future__ import annotations

from gateway.mock import conversations
from gateway.mock.guest_frames import GuestError, answer
from gateway.mock.guest_jwt import AUTHENTICATED, JwtRefused
from gateway.mock.guest_model import Connection, GuestSession
from gateway.mock.model import Deployment, Json
from gateway.mock.world import World

SIGN_IN_FAILED = "Session authentication failed"


async def configure(world: World, connection: Connection, deployment: Deployment, frame: Json) -> Json:
    """Open or resume the anonymous session of the frame's token; returns the body of SessionResponse.

    Raises GuestError 4017 for a token that has signed in and 4006 for an expired session that is not to be renewed.
    """
    token = frame["token"].lower()
    known = world.session_by_token.get(token)
    if known is not None and known.verified:
        raise GuestError(4017)
    return await _enter(world, connection, deployment, frame, known)


async def configure_authenticated(world: World, connection: Connection, deployment: Deployment, frame: Json) -> Json:
    """Open, resume or step up to the session of the signed-in person; returns the body of SessionResponse.

    Raises GuestError 401 for an expired JWT and 403 for any other fault of it.
    """
    claims = verified_claims(world, frame["data"]["code"], deployment)
    token = frame["token"].lower()
    subject = str(claims["sub"])
    known = world.session_by_token.get(token)
    if known is not None and known.verified and known.subject != subject:
        raise GuestError(403, f"{SIGN_IN_FAILED}. The session belongs to another person")
    own = world.live_sessions_of(deployment.id, subject)
    if known is not None and not known.verified and not known.expired:
        if not deployment.allow_session_upgrade:
            raise GuestError(403, f"{SIGN_IN_FAILED}. Session upgrade is not enabled")
        await _step_up(world, connection, known, token, subject, claims)
        return await _enter(world, connection, deployment, frame, known)
    if own is not None:
        world.session_by_token[token] = own
        own.tokens.add(token)
        known = own
    body = await _enter(world, connection, deployment, frame, known)
    if connection.session is not None:
        _sign_in(world, connection.session, subject, claims)
    return body


def verified_claims(world: World, code: str, deployment: Deployment) -> Json:
    """Return the claims of a platform JWT for this deployment; raises GuestError 401 or 403."""
    if not deployment.auth_enabled:
        raise GuestError(403, f"{SIGN_IN_FAILED}. Authentication is not enabled for this deployment")
    try:
        claims = world.read_guest_jwt(AUTHENTICATED, code)
    except JwtRefused as refused:
        if refused.reason == "expired":
            raise GuestError(401) from refused
        raise GuestError(403, f"{SIGN_IN_FAILED}. Try to authenticate again") from refused
    if claims.get("deploymentId") != deployment.id:
        raise GuestError(403, f"{SIGN_IN_FAILED}. The token is of another deployment")
    return claims


async def _enter(
    world: World, connection: Connection, deployment: Deployment, frame: Json, known: GuestSession | None
) -> Json:
    start_new = bool(frame.get("startNew"))
    if known is not None:
        expire_if_due(world, known)
        if known.expired and not start_new:
            raise GuestError(4006)
    cleared = False
    if known is not None and start_new:
        cleared = True
        await _drop(world, known, by="startNew", keep_connection=connection)
        known = None
    is_new = known is None
    session = known or _new_session(world, deployment, frame["token"].lower())
    if frame.get("journeyContext") is not None:
        session.journey = frame["journeyContext"]
    await attach(world, session, connection)
    return _session_response(world, deployment, session, is_new=is_new, cleared=cleared)


def _new_session(world: World, deployment: Deployment, token: str) -> GuestSession:
    now = world.now()
    session = GuestSession(world.new_id(), deployment.id, now, now + deployment.session_duration_s, {token})
    world.sessions[session.id] = session
    world.session_by_token[token] = session
    return session


def _session_response(
    world: World, deployment: Deployment, session: GuestSession, *, is_new: bool, cleared: bool
) -> Json:
    body: Json = {
        "connected": True,
        "newSession": is_new,
        "readOnly": session.read_only,
        "maxCustomDataBytes": world.sizes["custom_attributes_bytes"],
        "blockedExtensions": list(deployment.blocked_extensions),
        "durationSeconds": deployment.session_duration_s,
        "expirationDate": int(session.expires_at),
    }
    if deployment.uploads:
        body["allowedMedia"] = {
            "inbound": {
                "fileTypes": [{"type": kind} for kind in deployment.file_types],
                "maxFileSizeKB": world.sizes["upload_bytes"] // 1024,
            }
        }
    if cleared:
        body["clearedExistingSession"] = True
    return body


async def attach(world: World, session: GuestSession, connection: Connection) -> None:
    """Count the connection as the session's; beyond the limit the oldest one is told and closed."""
    if connection in session.connections:
        return
    if connection.session is not None:
        connection.session.connections.remove(connection)
    session.connections.append(connection)
    connection.session = session
    while len(session.connections) > world.sizes["connections_per_session"]:
        await part(session.connections[0], "tooManyConnections", close=True)


async def part(connection: Connection, reason: str, *, close: bool) -> None:
    """Take a connection out of its session with a ConnectionClosedEvent; `close` also shuts the socket."""
    if connection.session is not None:
        connection.session.connections.remove(connection)
        connection.session = None
    # The mobile client reads `reason`, the java client `reasonCode`.
    body = {"reason": reason, "reasonCode": reason}
    await connection.send(answer("ConnectionClosedEvent", body, pushed=True))
    if close:
        await connection.close(1000, reason)


async def _step_up(
    world: World, connection: Connection, session: GuestSession, token: str, subject: str, claims: Json
) -> None:
    for other in [item for item in session.connections if item is not connection]:
        await part(other, "signedIn", close=True)
    _sign_in(world, session, subject, claims)
    body = conversations.structured(world, "Inbound", conversations.presence("SignIn"))
    conversations.keep(session, session.conversation, body)
    await conversations.publish(session, body)


def _sign_in(world: World, session: GuestSession, subject: str, claims: Json) -> None:
    session.subject = subject
    grant = world.grants.get(str(claims.get("grant")))
    session.claims = dict(grant.claims) if grant else {}
    if world.deployments[session.deployment_id].resolve_identities:
        contact = world.contact_of({"type": "ExternalId", "value": subject})
        session.external_contact_id = contact.id
        if session.conversation is not None and session.conversation.active:
            session.conversation.external_contact_id = contact.id


def touch(world: World, session: GuestSession) -> None:
    """Prolong the session's life, which counts from the last message."""
    session.expires_at = world.now() + world.deployments[session.deployment_id].session_duration_s


def expire_if_due(world: World, session: GuestSession) -> bool:
    """Mark the session expired when its time is over; returns whether it is expired."""
    if not session.expired and world.now() >= session.expires_at:
        session.expired = True
        if session.conversation is not None and session.conversation.active:
            session.conversation.ended_at, session.conversation.ended_by = world.now(), "expiry"
    return session.expired


async def sweep(world: World) -> None:
    """Expire what is due and tell the connections of those sessions."""
    for session in list(world.sessions.values()):
        if not session.expired and expire_if_due(world, session):
            for connection in list(session.connections):
                await connection.send(answer("SessionExpiredEvent", {}))


async def clear(world: World, session: GuestSession) -> None:
    """End the conversation for the guest and forget the session; every connection gets SessionClearedEvent."""
    await _drop(world, session, by="guest", keep_connection=None)


async def _drop(world: World, session: GuestSession, *, by: str, keep_connection: Connection | None) -> None:
    if session.conversation is not None:
        await conversations.end(world, session.conversation, "guest" if by == "startNew" else by)
    for token in session.tokens:
        world.session_by_token.pop(token, None)
    session.expired = True
    for connection in list(session.connections):
        session.connections.remove(connection)
        connection.session = None
        if connection is not keep_connection:
            await connection.send(answer("SessionClearedEvent", {}, pushed=True))


async def log_out(world: World, session: GuestSession) -> None:
    """Tell every connection of a signed-in session that the person has signed out, and take them out of it."""
    for connection in list(session.connections):
        session.connections.remove(connection)
        connection.session = None
        await connection.send(answer("LogoutEvent", {}, pushed=True))
