"""A Guest API client, written from Genesys' published protocol alone; it knows nothing of the gateway.

One socket, frames both ways, answers matched by `tracingId` and class. The rule: it behaves as the mobile SDK does
(own UUID token, configure first, history by REST with the JWT of `getJwt`), so what it cannot do, others cannot do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp

Frame = dict[str, Any]
ANSWER_S = 30.0
FILE = b"%PDF-1.7 a small file"


class SocketClosed(Exception):
    """The other side closed; `code` is its close code."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class GuestClient:
    """One connection of one guest."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, deployment_id: str, token: str) -> None:
        self.socket = socket
        self.deployment_id = deployment_id
        self.token = token
        self.frames: list[Frame] = []

    async def send(self, action: str, **fields: Any) -> str:
        """Send one request; returns its tracing id."""
        tracing_id = str(uuid4())
        await self.socket.send_json({"action": action, "token": self.token, "tracingId": tracing_id, **fields})
        return tracing_id

    async def receive(self) -> Frame:
        """The next frame. Raises SocketClosed."""
        async with asyncio.timeout(ANSWER_S):
            message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise SocketClosed(self.socket.close_code)
        frame: Frame = message.json()
        self.frames.append(frame)
        return frame

    async def until(self, kind: str, **members: Any) -> Frame:
        """The next frame of a class whose body has these members; what comes before it is kept in `frames`."""
        while True:
            frame = await self.receive()
            body = frame["body"] if isinstance(frame["body"], dict) else {}
            if frame["class"] == kind and all(body.get(name) == value for name, value in members.items()):
                return frame

    async def ask(self, answer: str, action: str, **fields: Any) -> Frame:
        """Send a request and wait for its own answer of that class."""
        tracing_id = await self.send(action, **fields)
        while True:
            frame = await self.until(answer)
            if frame.get("tracingId") == tracing_id:
                return frame

    async def until_refused(self, tracing_id: str | None = None) -> Frame:
        """The next frame that refuses something, or this very request; a refusal may not know which it was."""
        while True:
            frame = await self.receive()
            refused = frame["class"] in {"string", "ErrorMessage", "TooManyRequestsErrorMessage"}
            if refused and (tracing_id is None or frame.get("tracingId") in (tracing_id, None)):
                return frame

    async def refusal(self, action: str, **fields: Any) -> Frame:
        """Send a request and return the frame that refuses it."""
        return await self.until_refused(await self.send(action, **fields))

    async def configure(self, **more: Any) -> Frame:
        """Open or resume the session of the token."""
        return await self.ask("SessionResponse", "configureSession", deploymentId=self.deployment_id, **more)

    async def say(self, text: str, **message: Any) -> Frame:
        """Write a text; returns it as Genesys confirms it."""
        said = {"type": "Text", "text": text, **message}
        return await self.ask("StructuredMessage", "onMessage", message=said)

    async def type(self) -> None:
        """Tell that the guest types."""
        await self.event({"eventType": "Typing", "typing": {"type": "On"}})

    async def event(self, event: Frame) -> str:
        """Send an event as a message."""
        return await self.send("onMessage", message={"type": "Event", "events": [event]})

    async def agent_says(self) -> str:
        """The next text of the agent."""
        while True:
            body = (await self.until("StructuredMessage", direction="Outbound"))["body"]
            if "text" in body:
                return str(body["text"])

    async def upload(self, http: aiohttp.ClientSession, name: str = "receipt.pdf") -> Frame:
        """Announce a file, put its bytes where Genesys says, and wait for the event of success."""
        about = {"attachmentId": str(uuid4()), "fileName": name, "fileType": "application/pdf", "fileSize": len(FILE)}
        place = (await self.ask("PresignedUrlResponse", "onAttachment", errorsAsJson=True, **about))["body"]
        headers = {"Content-Type": "application/pdf", **place["headers"]}
        async with http.put(place["url"], headers=headers, data=FILE) as answer:
            assert answer.status == 200, await answer.text()
        return await self.until("UploadSuccessEvent", attachmentId=about["attachmentId"])

    async def history(self, http: aiohttp.ClientSession, api: str, origin: str) -> list[Frame]:
        """The messages of the session, newest first, read over REST with a JWT fetched for it."""
        jwt = (await self.ask("JwtResponse", "getJwt"))["body"]["jwt"]
        headers = {"Authorization": f"bearer {jwt}", "Origin": origin}  # lower case, as the mobile SDK has it
        query = {"pageSize": "25", "pageNumber": "1"}
        async with http.get(f"{api}/api/v2/webmessaging/messages", params=query, headers=headers) as answer:
            page = await answer.json()
            assert answer.status == 200, page
            entities: list[Frame] = page["entities"]
            return entities


@asynccontextmanager
async def connected(
    http: aiohttp.ClientSession,
    base: str,
    deployment_id: str,
    origin: str,
    *,
    token: str | None = None,
    protocols: Sequence[str] = (),
) -> AsyncIterator[GuestClient]:
    """A connection to `{base}/v1`. Raises aiohttp.WSServerHandshakeError when the upgrade is refused."""
    address = f"{base}/v1?deploymentId={deployment_id}&application=guest-client"
    async with http.ws_connect(address, headers={"Origin": origin}, protocols=tuple(protocols)) as socket:
        yield GuestClient(socket, deployment_id, token or str(uuid4()))
