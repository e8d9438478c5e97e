"""What every refusal owes its caller, asked of raw bytes: status, stable code, words, CORS headers, id, record, count.

Requests go out as they are written, so that no client library tidies a path or a header on the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.journeys.stage import Stage

ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came over the wire; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body as a problem document."""
        found: dict[str, Any] = orjson.loads(self.body)
        return found


async def raw(stage: Stage, request: bytes) -> RawAnswer:
    """Send bytes to the public listener, read until it closes."""
    host, port = stage.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        async with asyncio.timeout(ANSWER_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *lines = head.strip().split("\r\n")
            pairs = (one.split(":", 1) for one in lines)
            headers = {name.lower(): value.strip() for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        return RawAnswer(int(line.split(" ")[1]), headers, body)
    finally:
        writer.close()
        await writer.wait_closed()


async def ask(
    stage: Stage, line: str, headers: Mapping[str, str] | None = None, *, origin: str | None = "", body: bytes = b""
) -> RawAnswer:
    """One request: `line` is method and target. `origin`: that of the shop unless told; None for none."""
    host = stage.url.removeprefix("http://")
    named = {"Host": host, "Connection": "close", "Origin": stage.origin if origin == "" else origin}
    if body:
        named["Content-Length"] = str(len(body))
    named |= headers or {}
    text = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value is not None)
    return await raw(stage, f"{line} HTTP/1.1\r\n{text}\r\n".encode("latin-1") + body)


def upgrade(protocols: str = "") -> dict[str, str]:
    """The headers of a WebSocket upgrade, for `ask`."""
    offered = {"Sec-WebSocket-Protocol": protocols} if protocols else {}
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **offered,
    }


async def check(stage: Stage, answer: RawAnswer, status: int, code: str, *, readable: bool = True) -> None:
    """The answer is a refusal as every refusal should be. `readable`: the page that asked may read it."""
    assert (answer.status, answer.problem.get("code")) == (status, code), answer
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.problem
    assert problem["type"] == f"urn:gateway:refusal:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert len(problem["detail"]) > 20
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["vary"] == "Origin"
    assert answer.headers.get("access-control-allow-origin") == (stage.origin if readable else None)
    await check_recorded(stage, code, problem["request_id"])


async def check_recorded(stage: Stage, code: str, request_id: str | None = None) -> None:
    """The refusal is in the audit log (under this request id) and counted."""
    assert stage.gateway.gateway.metrics.refusals.child(code).value >= 1
    records = await stage.settled_audit()
    found = [one for one in records if code in (one.get("event.reason"), one.get("error.type"))]
    assert found, [one["event.action"] for one in records]
    assert request_id is None or request_id in {one.get("http.request.id") for one in found}
