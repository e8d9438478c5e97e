"""The Guest API's listener: the upgrade with its checks, then one frame after the other, each answered or refused.

Takes no bearer at all; a request that brings one is refused, because a platform token in a guest's place is the mistake
to find. What the actions do is said in guest_sessions, guest_messages and guest_files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import ClientConnectionResetError, WSMsgType, hdrs, web

from gateway.mock import conversations, guest_files, guest_messages, guest_sessions
from gateway.mock.faults import Fault
from gateway.mock.guest_frames import CONFIGURE, GuestError, RateExceeded, answer, check, parse, tracing_id_of
from gateway.mock.guest_jwt import AUTHENTICATED, HISTORY
from gateway.mock.guest_model import GuestSession
from gateway.mock.listener import RECEIVED, watched
from gateway.mock.model import Deployment, Json
from gateway.mock.origins import is_allowed
from gateway.mock.world import World


def webmessaging_app(world: World) -> web.Application:
    """Return the Guest API listener of a world."""
    app = web.Application(middlewares=[watched(world, "webmessaging", cors=False)])
    sockets: set[GuestConnection] = set()

    async def upgrade(request: web.Request) -> web.StreamResponse:
        refusal = _refusal(world, request)
        if refusal is not None:
            return refusal
        deployment = world.deployments[request.query["deploymentId"]]
        socket = web.WebSocketResponse(max_msg_size=world.sizes["frame_bytes"], timeout=1.0)
        await socket.prepare(request)
        request[RECEIVED].status = 101
        connection = GuestConnection(world, deployment, socket, request.transport)
        sockets.add(connection)
        try:
            await connection.run()
        finally:
            sockets.discard(connection)
            connection.leave()
        return socket

    async def close_all(app: web.Application) -> None:
        for connection in list(sockets):
            await connection.close(1001, "mock stops")

    app.router.add_get("/v1", upgrade)
    app.on_shutdown.append(close_all)
    return app


def _refusal(world: World, request: web.Request) -> web.Response | None:
    """Return why the upgrade is refused; 403 is the answer that the official clients understand as final."""
    if hdrs.AUTHORIZATION in request.headers:
        return web.Response(status=401, text="Unauthorized: the guest socket takes no bearer")
    deployment = world.deployments.get(request.query.get("deploymentId", ""))
    if deployment is None or deployment.status != "Active":
        return web.Response(status=403, text="Forbidden")
    origin = request.headers.get(hdrs.ORIGIN)
    if not is_allowed(deployment, origin, world.domain, require=world.require_origin):
        return web.Response(status=403, text="Forbidden")
    reading = world.meter.hit("connections_per_deployment", deployment.id, world.now())
    if reading.over:
        return web.Response(status=429, text="Too Many Requests", headers={"Retry-After": str(reading.reset_s)})
    if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
        return web.Response(status=426, text="Upgrade Required", headers={"Upgrade": "websocket"})
    return None


class GuestConnection:
    """One guest socket: its session once configured, and the obeying of its frames."""

    def __init__(
        self, world: World, deployment: Deployment, socket: web.WebSocketResponse, transport: asyncio.Transport | None
    ) -> None:
        self.id = world.new_id()
        self.session: GuestSession | None = None
        self._world, self._deployment, self._socket, self._transport = world, deployment, socket, transport
        self._jwt_expires_at: float | None = None

    async def send(self, frame: Json) -> None:
        """Send one frame; a connection that is gone swallows it."""
        if self._socket.closed:
            return
        try:
            await self._socket.send_json(frame)
        except (ClientConnectionResetError, ConnectionResetError):
            return  # the guest has gone; the loop that reads from it ends by itself

    async def close(self, code: int, reason: str) -> None:
        """Close the socket with a WebSocket close code."""
        await self._socket.close(code=code, message=reason.encode())

    def leave(self) -> None:
        """Take the connection out of its session."""
        if self.session is not None and self in self.session.connections:
            self.session.connections.remove(self)
        self.session = None

    async def run(self) -> None:
        """Obey frames until the socket closes."""
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                await self._receive(message.data)
            elif message.type is WSMsgType.BINARY:
                await self.close(1003, "text frames only")

    async def _receive(self, text: str) -> None:
        frame: Json = {}
        try:
            frame = parse(text)
            entry = self._world.recorder.frame(self.id, frame, text)
            fault = self._world.faults.take("webmessaging", "FRAME", str(frame.get("action")))
            if fault is not None:
                entry.fault = fault.kind
                if await self._inject(fault, tracing_id_of(frame)):
                    return
            await self._obey(frame)
        except GuestError as error:
            await self.send(error.frame(tracing_id_of(frame)))

    async def _obey(self, frame: Json) -> None:
        now = self._world.now()
        reading = self._world.meter.hit("requests_per_connection", self.id, now)
        if reading.over:
            raise RateExceeded(reading.reset_s)
        action = check(frame)
        if action in CONFIGURE:
            await self._configure(action, frame)
            return
        session = self._configured_session(frame)
        if self._jwt_expires_at is not None and now >= self._jwt_expires_at:
            raise GuestError(401)
        await _OBEY[action](self, session, frame)

    def _configured_session(self, frame: Json) -> GuestSession:
        session = self.session
        if session is None or frame["token"].lower() not in session.tokens:
            raise GuestError(4007)
        if guest_sessions.expire_if_due(self._world, session):
            raise GuestError(4006)
        return session

    async def _configure(self, action: str, frame: Json) -> None:
        token = frame["token"].lower()
        if frame["deploymentId"] != self._deployment.id:
            raise GuestError(400, "deploymentId is not that of the connection")
        if frame.get("resumeToken") is not None:
            raise GuestError(4000, "resumeToken")
        if self.session is not None and token not in self.session.tokens:
            raise GuestError(400, "the connection is configured for another session")
        reading = self._world.meter.hit("configure_per_session", token, self._world.now())
        if reading.over:
            raise RateExceeded(reading.reset_s)
        if action == "configureAuthenticatedSession":
            body = await guest_sessions.configure_authenticated(self._world, self, self._deployment, frame)
            claims = self._world.read_guest_jwt(AUTHENTICATED, frame["data"]["code"])
            self._jwt_expires_at = float(claims["exp"])
        else:
            body = await guest_sessions.configure(self._world, self, self._deployment, frame)
            self._jwt_expires_at = None
        await self.send(answer("SessionResponse", body, tracing_id=tracing_id_of(frame)))

    async def _on_message(self, session: GuestSession, frame: Json) -> None:
        await guest_messages.on_message(self._world, self, session, frame)

    async def _echo(self, session: GuestSession, frame: Json) -> None:
        reading = self._world.meter.hit("echo_per_connection", self.id, self._world.now())
        if reading.over:
            raise RateExceeded(reading.reset_s)
        message = frame["message"]
        if message.get("type") != "Text" or not isinstance(message.get("text"), str):
            raise GuestError(4020, "message.text")
        body = conversations.structured(self._world, "Inbound", {"type": "Text", "text": message["text"]})
        body["metadata"].update(
            durationSeconds=str(self._deployment.session_duration_s), expirationDate=str(int(session.expires_at))
        )
        await self.send(answer("StructuredMessage", body, tracing_id=tracing_id_of(frame)))

    async def _get_jwt(self, session: GuestSession, frame: Json) -> None:
        claims = {"session": session.id, "deploymentId": session.deployment_id}
        token, expires_at = self._world.sign_guest_jwt(HISTORY, claims, self._world.sizes["history_jwt_s"])
        await self.send(answer("JwtResponse", {"jwt": token, "exp": expires_at}, tracing_id=tracing_id_of(frame)))

    async def _get_configuration(self, session: GuestSession, frame: Json) -> None:
        if frame["deploymentId"] != self._deployment.id:
            raise GuestError(400, "deploymentId is not that of the connection")
        kinds = [{"type": kind} for kind in self._deployment.file_types]
        body = {
            "allowedMedia": {
                "inbound": {"fileTypes": kinds, "maxFileSizeKB": self._world.sizes["upload_bytes"] // 1024}
            },
            "blockedExtensions": list(self._deployment.blocked_extensions),
            "maxCustomDataBytes": self._world.sizes["custom_attributes_bytes"],
            "messageRoutingEnabled": True,
            "sessionDurationSeconds": self._deployment.session_duration_s,
        }
        await self.send(answer("GetConfigurationResponse", body, tracing_id=tracing_id_of(frame)))

    async def _on_attachment(self, session: GuestSession, frame: Json) -> None:
        body = guest_files.announce(self._world, session, self._deployment, frame)
        await self.send(answer("PresignedUrlResponse", body, tracing_id=tracing_id_of(frame)))

    async def _get_attachment(self, session: GuestSession, frame: Json) -> None:
        body = guest_files.download(self._world, session, frame["attachmentId"])
        await self.send(answer("PresignedUrlResponse", body, tracing_id=tracing_id_of(frame)))

    async def _delete_attachment(self, session: GuestSession, frame: Json) -> None:
        body = guest_files.delete(self._world, session, frame["attachmentId"])
        await self.send(answer("AttachmentDeletedResponse", body, tracing_id=tracing_id_of(frame)))

    async def _close_session(self, session: GuestSession, frame: Json) -> None:
        others = list(session.connections) if frame["closeAllConnections"] else [self]
        for connection in others:
            await guest_sessions.part(connection, "closedByClient", close=False)

    async def _not_offered(self, session: GuestSession, frame: Json) -> None:
        raise GuestError(4000, frame["action"])

    async def _inject(self, fault: Fault, tracing_id: str | None) -> bool:
        """Carry out a frame fault; returns whether the frame is thereby done with."""
        if fault.kind == "frame_slow":
            await asyncio.sleep(fault.seconds)
            return False
        if fault.kind == "frame_garbage":
            await self._socket.send_str('{"type": "message", "class": ')
        elif fault.kind == "frame_huge":
            await self._socket.send_str('"' + "x" * (2 * 1024 * 1024) + '"')
        elif fault.kind == "frame_binary":
            await self._socket.send_bytes(b"\x00\xff")
        elif fault.kind == "frame_close":
            await self.close(fault.status or 1011, "injected")
        elif fault.kind == "frame_reset" and self._transport is not None:
            self._transport.abort()
        elif fault.kind == "frame_error":
            await self.send(GuestError(fault.status or 5000).frame(tracing_id))
        elif fault.kind == "frame_429":
            await self.send(RateExceeded(max(1, int(fault.seconds))).frame(tracing_id))
        return True


_OBEY: dict[str, Callable[[GuestConnection, GuestSession, Json], Awaitable[None]]] = {
    "onMessage": GuestConnection._on_message,
    "echo": GuestConnection._echo,
    "getJwt": GuestConnection._get_jwt,
    "getConfiguration": GuestConnection._get_configuration,
    "onAttachment": GuestConnection._on_attachment,
    "getAttachment": GuestConnection._get_attachment,
    "deleteAttachment": GuestConnection._delete_attachment,
    "closeSession": GuestConnection._close_session,
    # These two stand in the published schema's list of actions only; no client sends them.
    "resumeToken": GuestConnection._not_offered,
    "disconnectCustomer": GuestConnection._not_offered,
}
