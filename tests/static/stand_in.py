"""A stand-in for the gateway as a browser sees it, and a web page beside it: real HTTP and WebSocket on free ports.

It speaks only the surface that `static/` uses, remembers what it was asked, and breaks on request. It judges nothing
that the gateway judges (origins, tokens): a test says what is refused.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web

from gateway.web.assets import Assets

STATIC_DIR = Path(__file__).resolve().parents[2] / "static"
DEPLOYMENT_ID = "7c3c2b1e-9d0a-4f8e-8a55-0f6f2a1d4b10"
FILE_RULES = {"inbound": {"fileTypes": [{"type": "*/*"}], "maxFileSizeKB": 10}}
START = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)

Json = dict[str, Any]
ASSETS = Assets(STATIC_DIR)


@dataclass
class Guest:
    """A guest session as the stand-in keeps it."""

    id: str
    verified: bool = False
    messages: list[Json] = field(default_factory=list)
    read_only: bool = False


@dataclass
class Refusal:
    """An answer to give instead of the right one."""

    status: int
    code: str
    retry_after: int = 0
    detail: str = "Refused by the test."

    def answer(self) -> web.Response:
        """As problem+json, with a request id to quote."""
        body = {"code": self.code, "detail": self.detail, "status": self.status, "request_id": "req-test-1"}
        if self.retry_after:
            body["retry_after"] = self.retry_after
        return web.Response(status=self.status, text=json.dumps(body), content_type="application/problem+json")


class StandIn:
    """The gateway's surface, its memory, and its faults."""

    def __init__(self) -> None:
        self.url = ""
        self.sessions: dict[str, Guest] = {}
        self.sockets: list[tuple[web.WebSocketResponse, Guest]] = []
        self.tickets: dict[str, Guest] = {}
        self.frames: list[Json] = []
        self.calls: list[tuple[str, Json]] = []
        self.beacons: list[Json] = []
        self.uploads: dict[str, bytes] = {}
        self.expires_in = 900
        self.replaces_dead_sessions = False
        self.refusals: dict[str, list[Refusal]] = {}
        self.cors = True
        self.origin_refusal: Refusal | None = None
        self.cut_after_storing = 0
        self.cut_before_storing = 0
        self.genesys_script = ""
        self.answer_message: Callable[[Json], Json | None] | None = None
        self.keep_metadata = True
        self.settings: Json = {}
        self.news = asyncio.Condition()
        self._clock = START

    def restart(self) -> None:
        """As new, at the same address."""
        url = self.url
        self.__init__()  # type: ignore[misc]  # everything that it remembers is set there
        self.url = url

    # What tests ask and do

    async def until(self, holds: Callable[[], bool], timeout_s: float = 15) -> None:
        """Wait until something is true of what the stand-in has seen."""
        async with asyncio.timeout(timeout_s), self.news:
            await self.news.wait_for(holds)

    def asked(self, name: str) -> list[Json]:
        """The bodies of the calls of this name, in order."""
        return [body for called, body in self.calls if called == name]

    def sent(self) -> list[str]:
        """The texts that arrived from guests, in order of arrival, with every repetition."""
        messages = [frame["message"] for frame in self.frames if frame["action"] == "onMessage"]
        return [message["text"] for message in messages if message["type"] != "Event" and "text" in message]

    def stored(self) -> list[str]:
        """The texts of guests that stand in the thread of the newest session."""
        guest = list(self.sessions.values())[-1]
        return [message["text"] for message in guest.messages if message["direction"] == "Inbound"]

    def reported(self, kind: str) -> list[str]:
        """What pages reported of old calls: `calls` or `unknown`."""
        return [name for told in self.beacons for name in told.get(kind, [])]

    def proofs(self) -> list[str]:
        """The visitor tokens that were given, in order."""
        return [call["visitor_token"] for call in self.asked("session") if "visitor_token" in call]

    async def say(self, text: str = "", *, minutes: float = 0, **fields: Any) -> None:
        """Speak as the agent to every guest that is connected."""
        message = self._message("Outbound", {"type": "Text", "text": text, **fields}, minutes)
        for guest in {id(guest): guest for _, guest in self.sockets}.values():
            guest.messages.append(message)
        await self.push("StructuredMessage", message)

    async def push(self, kind: str, body: Any, code: int = 200, **envelope: Any) -> None:
        """Send a frame to every socket."""
        for socket, _ in self.sockets:
            await self._send(socket, kind, body, code, **envelope)

    async def close_sockets(self, code: int) -> None:
        """Close every socket with a code."""
        for socket, _ in list(self.sockets):
            await socket.close(code=code)

    def refuse(self, name: str, status: int, code: str, *, times: int = 1, retry_after: int = 0) -> None:
        """Answer the next calls of this name with a refusal."""
        self.refusals.setdefault(name, []).extend([Refusal(status, code, retry_after)] * times)

    # HTTP

    def _message(self, direction: str, message: Json, minutes: float = 0) -> Json:
        self._clock += timedelta(seconds=1)
        time = (self._clock + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = {"id": uuid4().hex, "direction": direction, "channel": {"time": time}, **message}
        if not self.keep_metadata:
            body.pop("metadata", None)
        return body

    async def _note(self, name: str, body: Json) -> None:
        async with self.news:
            self.calls.append((name, body))
            self.news.notify_all()

    async def _enter(self, request: web.Request, name: str) -> web.Response | None:
        body = await request.json() if request.can_read_body else {}
        await self._note(name, {**body, "authorization": request.headers.get("Authorization", "")})
        waiting = self.refusals.get(name)
        return waiting.pop(0).answer() if waiting else None

    def _guest_of(self, request: web.Request) -> Guest | None:
        return self.sessions.get(_handle(request))

    async def session(self, request: web.Request) -> web.Response:
        """POST and DELETE /sites/shop/session."""
        name = "end" if request.method == "DELETE" else "session"
        if refused := await self._enter(request, name):
            return refused
        handle = _handle(request)
        guest = self.sessions.get(handle)  # an old handle stays good: the answer with the new one may get lost
        if request.method == "DELETE":
            self.sessions = {each: owner for each, owner in self.sessions.items() if owner is not guest}
            return web.Response(status=204)
        if handle and guest is None and not self.replaces_dead_sessions:
            return Refusal(401, "session.invalid").answer()
        token = (await request.json()).get("visitor_token")
        if guest is None:
            guest = Guest(f"guest-{len(self.calls)}")
        if token:
            guest.verified, guest.id = True, f"guest-of-{token.split('.')[0]}"
        fresh = f"gws_{uuid4().hex}"
        self.sessions[fresh] = guest
        about = {"id": guest.id, "verified": guest.verified}
        answer = {"session_token": fresh, "expires_in": self.expires_in, "guest": about, "mode": "proxied"}
        return web.json_response({**answer, "deployment_id": DEPLOYMENT_ID})

    async def ticket(self, request: web.Request) -> web.Response:
        """POST /sites/shop/ticket."""
        if refused := await self._enter(request, "ticket"):
            return refused
        guest = self._guest_of(request)
        if guest is None:
            return Refusal(401, "session.invalid").answer()
        ticket = f"gwt_{uuid4().hex}"
        self.tickets[ticket] = guest
        return web.json_response({"ticket": ticket, "expires_in": 30})

    async def history(self, request: web.Request) -> web.Response:
        """GET /sites/shop/api/v2/webmessaging/messages, newest first."""
        if refused := await self._enter(request, "history"):
            return refused
        guest = self.sockets[-1][1]
        if request.headers.get("Authorization") != f"Bearer gwh_{guest.id}":
            return Refusal(401, "handle.wrong_kind").answer()
        size, page = int(request.query["pageSize"]), int(request.query["pageNumber"])
        newest = guest.messages[::-1]
        pages = -(-len(newest) // size)
        entities = newest[size * (page - 1) : size * page]
        return web.json_response({"entities": entities, "pageSize": size, "pageNumber": page, "pageCount": pages})

    async def beacon(self, request: web.Request) -> web.Response:
        """POST /sites/shop/beacon, text/plain."""
        async with self.news:
            self.beacons.append(json.loads(await request.text()))
            self.news.notify_all()
        return web.Response(status=204)

    async def origin(self, _request: web.Request) -> web.Response:
        """GET /sites/shop/origin: may this page talk to the gateway?"""
        return self.origin_refusal.answer() if self.origin_refusal else web.Response(status=204)

    async def auth_code(self, request: web.Request) -> web.Response:
        """POST /sites/shop/auth-code."""
        if refused := await self._enter(request, "auth-code"):
            return refused
        return web.json_response(
            {"authCode": f"gwc_{len(self.calls)}", "redirectUri": "https://shop.example/", "nonce": "n"}
        )

    async def file(self, request: web.Request) -> web.Response:
        """GET of a file by the address that was signed last; any other has expired."""
        body = self.uploads.get(request.match_info["id"])
        return web.Response(body=body, content_type="image/png") if body else web.Response(status=403)

    async def upload(self, request: web.Request) -> web.Response:
        """PUT of a file to its presigned place; the socket then tells of it."""
        attachment_id = request.match_info["id"]
        self.uploads[attachment_id] = await request.read()
        body = {"attachmentId": attachment_id, "downloadUrl": f"{self.url}/files/{attachment_id}"}
        await self.push("UploadSuccessEvent", body)
        return web.Response(status=200)

    async def widget(self, _request: web.Request) -> web.Response:
        """GET /sites/shop/widget.js, as the gateway renders it."""
        settings = {
            "site": "shop",
            "base": "",
            "mode": "proxied",
            "deploymentId": DEPLOYMENT_ID,
            "environment": "prod-euw1",
            "scriptUrl": f"{self.url}/genesys.min.js",
            "payloads": ASSETS.payload_settings(),
            "locale": "en",
            "signIn": True,
            "debug": False,
            **self.settings,
        }
        return web.Response(body=ASSETS.render_script("shop", settings).body, content_type="text/javascript")

    async def genesys(self, _request: web.Request) -> web.Response:
        """GET /genesys.min.js: what a test put in the place of Genesys' own script."""
        return web.Response(text=self.genesys_script, content_type="text/javascript")

    async def payload(self, request: web.Request) -> web.Response:
        """GET /static/{name}.{hash}.js; a name without a hash is the file itself, for tests that import it."""
        name = request.match_info["name"]
        asset = ASSETS.payloads.get(name) or ASSETS.payloads[ASSETS.payload_names[name]]
        kept = {"Cache-Control": "public, max-age=31536000, immutable"} if name in ASSETS.payloads else {}
        return web.Response(body=asset.body, headers={"Content-Type": asset.media_type, **kept})

    # The socket

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """GET /sites/shop/v1."""
        offered = request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
        guest = self.tickets.pop(offered[1].removeprefix("ticket."), None)
        if offered[0] != "gateway.v1" or guest is None or request.query["deploymentId"] != DEPLOYMENT_ID:
            return Refusal(403, "ticket.invalid").answer()
        socket = web.WebSocketResponse(protocols=["gateway.v1"])
        await socket.prepare(request)
        self.sockets.append((socket, guest))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._frame(socket, guest, json.loads(message.data))
        finally:
            async with self.news:
                self.sockets.remove((socket, guest))
                self.news.notify_all()
        return socket

    async def _send(
        self, socket: web.WebSocketResponse, kind: str, body: Any, code: int = 200, **envelope: Any
    ) -> None:
        frame = {"type": "message" if kind == "StructuredMessage" else "response", "class": kind, "code": code}
        if not socket.closed:
            await socket.send_str(json.dumps({**frame, "body": body, **envelope}))

    async def _frame(self, socket: web.WebSocketResponse, guest: Guest, frame: Json) -> None:
        async with self.news:
            self.frames.append(frame)
            self.news.notify_all()
        tracing = {"tracingId": frame["tracingId"]}
        match frame["action"]:
            case "configureSession":
                if frame.get("startNew"):
                    guest.messages, guest.read_only = [], False
                known = any(each is guest for each in self.sessions.values()) and bool(guest.messages)
                body = {
                    "connected": True,
                    "newSession": not known,
                    "readOnly": guest.read_only,
                    "allowedMedia": FILE_RULES,
                }
                await self._send(socket, "SessionResponse", {**body, "blockedExtensions": [".exe"]}, **tracing)
            case "getJwt":
                await self._send(socket, "JwtResponse", {"jwt": f"gwh_{guest.id}", "exp": 60}, **tracing)
            case "getAttachment":
                url = f"{self.url}/files/{frame['attachmentId']}"
                body = {"attachmentId": frame["attachmentId"], "url": url}
                await self._send(socket, "PresignedUrlResponse", body, **tracing)
            case "onAttachment":
                url = f"{self.url}/put/{frame['attachmentId']}"
                body = {"attachmentId": frame["attachmentId"], "url": url, "headers": {"x-amz-tagging": "a=b"}}
                await self._send(socket, "PresignedUrlResponse", body, **tracing)
            case "onMessage" if frame["message"]["type"] != "Event":
                await self._take(socket, guest, frame, tracing)

    async def _take(self, socket: web.WebSocketResponse, guest: Guest, frame: Json, tracing: Json) -> None:
        if self.cut_before_storing:
            self.cut_before_storing -= 1
            await socket.close(code=1011)
            return
        if self.answer_message and (answer := self.answer_message(frame)):
            await self._send(socket, **answer, **tracing)
            return
        message = self._message("Inbound", frame["message"])
        guest.messages.append(message)
        if self.cut_after_storing:
            self.cut_after_storing -= 1
            await socket.close(code=1011)
            return
        for other, owner in self.sockets:
            if owner is guest:
                await self._send(other, "StructuredMessage", message, **(tracing if other is socket else {}))

    def app(self) -> web.Application:
        """The routes, with the CORS headers that the gateway gives to an allowed page."""

        @web.middleware
        async def cors(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
            answer = web.Response() if request.method == "OPTIONS" else await handler(request)
            if self.cors and not answer.prepared:
                answer.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
                answer.headers["Access-Control-Allow-Headers"] = "authorization, content-type, dpop, x-amz-tagging"
                answer.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
                answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            return answer

        app = web.Application(middlewares=[cors])
        site = "/sites/shop"
        app.add_routes(
            [
                web.get(f"{site}/widget.js", self.widget),
                web.post(f"{site}/session", self.session),
                web.delete(f"{site}/session", self.session),
                web.post(f"{site}/ticket", self.ticket),
                web.post(f"{site}/auth-code", self.auth_code),
                web.post(f"{site}/beacon", self.beacon),
                web.get(f"{site}/origin", self.origin),
                web.get(f"{site}/api/v2/webmessaging/messages", self.history),
                web.get(f"{site}/v1", self.socket),
                web.get("/static/{name}", self.payload),
                web.get("/genesys.min.js", self.genesys),
                web.put("/put/{id}", self.upload),
                web.get("/files/{id}", self.file),
                web.route("OPTIONS", "/{any:.*}", self.beacon),
            ]
        )
        return app


def _handle(request: web.Request) -> str:
    """The credential of the call, whichever of the two schemes brings it."""
    return request.headers.get("Authorization", "").removeprefix("Bearer ").removeprefix("DPoP ")


@asynccontextmanager
async def serve(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on a free port; yields its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
