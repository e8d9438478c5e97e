"""The data path as strangers see it: a whole gateway, raw sockets in front of it, a scripted upstream behind it.

Requests go in either way that the gateway reads them: in one packet, or in two with something else served in between.
What must hold is the tests'. The rule: nothing is mocked between the two sockets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.app.gateway import Gateway, Surroundings
from gateway.app.running import running
from gateway.config import checks
from gateway.config.compile import compile_config
from gateway.config.load import load
from tests.bench.peers import TOKEN
from tests.bench.subject import CONVERSATION, ORIGIN, POST_PATH, Shape, configuration
from tests.upstream.misbehaving import Peer, upstream_of

WAYS: Final = ("one packet", "two packets")
HOST: Final = "gateway.example"
API_PATH: Final = POST_PATH.removeprefix("/sites/shop")
FIRST_PACKET_BYTES: Final = 30
"""Where a request is cut in two: within its first line."""
Script = Callable[[Peer], Awaitable[None]]


async def say_fine(peer: Peer) -> None:
    """A well-formed answer of the API."""
    await peer.answer(b'{"id":"1"}', extra=b"Content-Type: application/json\r\n")


@dataclass
class Behind:
    """The upstream: what reached it of callers, and what it does next. Tokens it gives without being asked twice."""

    script: Script = say_fine
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def serve(self, peer: Peer) -> None:
        """Play one connection."""
        while True:
            request = await peer.request()
            if "/oauth/token" in request[0]:
                await peer.answer(TOKEN.encode(), extra=b"Content-Type: application/json\r\n")
            elif "/tokens/me" in request[0]:
                await peer.answer(b"{}", extra=b"Content-Type: application/json\r\n")
            else:
                self.seen.append(request)
                await self.script(peer)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as an object."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return str(self.json["code"])


@dataclass
class Wire:
    """The running gateway, and the handle of a guest."""

    gateway: Gateway
    port: int
    admin_url: str
    behind: Behind
    handle: str = ""
    opened: list[Line] = field(default_factory=list)

    async def open(self) -> Line:
        """A new connection; what is still open at the end is cut."""
        line = Line(self, *await asyncio.open_connection("127.0.0.1", self.port))
        self.opened.append(line)
        return line

    async def turn(self) -> None:
        """Return once the gateway has served somebody else: what was sent before has been read by then."""
        other = await self.open()
        await other.say(b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await other.rest()

    def post(self, body: bytes = b'{"body":"hello"}', *lines: str, target: str = POST_PATH) -> bytes:
        """A message of the guest, with further header lines."""
        return self.head(len(body), *lines, target=target) + body

    def head(self, length: int, *lines: str, target: str = POST_PATH) -> bytes:
        """The header of a message whose body has this length."""
        return self.start(f"Content-Length: {length}", *lines, target=target)

    def start(self, *lines: str, target: str = POST_PATH) -> bytes:
        """The header of a message that says nothing of its body by itself."""
        own = (
            f"POST {target} HTTP/1.1", f"Host: {HOST}", f"Origin: {ORIGIN}", f"Authorization: Bearer {self.handle}",
            "Content-Type: application/json",
        )  # fmt: skip
        return "\r\n".join([*own, *lines, "", ""]).encode("latin-1")

    async def ask(self, data: bytes, way: str = WAYS[0]) -> Answer:
        """One request on a connection of its own; its answer."""
        line = await self.open()
        await line.say(data, way)
        answer = await line.answer()
        line.close()
        return answer

    async def refusals(self) -> dict[str, float]:
        """How often each code was counted, as the admin listener tells it."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.admin_url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        found = (line for line in lines if line.startswith("gateway_refusals_total{"))
        counted = {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in found}
        return {code: count for code, count in counted.items() if count}


@dataclass
class Line:
    """One connection of a caller."""

    wire: Wire
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes, way: str = WAYS[0]) -> None:
        """Send bytes, in one packet or in two."""
        if way == WAYS[1]:
            self.writer.write(data[:FIRST_PACKET_BYTES])
            await self.wire.turn()
            data = data[FIRST_PACKET_BYTES:]
        self.writer.write(data)

    async def answer(self, within_s: float = 60.0) -> Answer:
        """The next answer, framed by its length or by chunks."""
        async with asyncio.timeout(within_s):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head[:-4].split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            if headers.get("transfer-encoding") == "chunked":
                body = await self._chunks()
            else:
                body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split(" ")[1]), headers, body)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")).strip(), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readuntil(b"\r\n")
        return body

    async def rest(self, within_s: float = 60.0) -> bytes:
        """Everything until the gateway closes; a reset, which unread bytes cause, is an end too."""
        got = b""
        async with asyncio.timeout(within_s):
            try:
                while piece := await self.reader.read(65_536):
                    got += piece
            except ConnectionResetError:
                pass
        self.close()
        return got

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


@asynccontextmanager
async def running_wire(
    directory: Path, flags: Mapping[str, object] | None = None, script: Script = say_fine
) -> AsyncIterator[Wire]:
    """Run a gateway with everything on and its limits out of the way; `flags` are set on top."""
    behind = Behind(script)
    async with upstream_of(behind.serve) as upstream:
        behind.url = upstream.url
        path = directory / "config.toml"
        path.write_text(configuration(Shape(upstream.url, "ws://127.0.0.1:9"), 1, 2))
        free = {"server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0"}
        loaded = load(path, {}, {**free, **(flags or {})})
        sources = checks.sources_of(loaded, {})
        checks.require_sound(loaded, sources)
        async with running(compile_config(loaded, sources), Surroundings(directory)) as run:
            await run.gateway.tokens.warm_up()
            wire = Wire(run.gateway, int(run.url.rpartition(":")[2]), run.admin_url, behind)
            opened = await wire.ask(
                f"POST /sites/shop/session HTTP/1.1\r\nHost: {HOST}\r\nOrigin: {ORIGIN}\r\n"
                "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".encode()
            )
            wire.handle = str(opened.json["session_token"])
            try:
                yield wire
            finally:
                for line in wire.opened:
                    line.writer.transport.abort()


__all__ = ["API_PATH", "CONVERSATION", "HOST", "ORIGIN", "WAYS", "Answer", "Behind", "Line", "Wire", "running_wire"]
