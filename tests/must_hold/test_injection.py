"""Injection always replaces: each identity header doubled, in odd case, nominated in Connection (Envoy's lesson)."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.stack import BACKEND_KEY, QUEUE, Stack
from tests.web.conftest import stack as _stack

stack = _stack
WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
HOSTILE = (
    "Authorization", "Cookie", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-User", "X-Real-IP",
    "X-Request-Id", "Proxy-Authorization", "Via", "X-Genesys-Application", "X-User", "ININ-Correlation-Id",
    "User-Agent", "Accept-Encoding", "Origin", "Host", "Transfer-Encoding", "Upgrade", "TE", "Expect",
)  # fmt: skip
"""Headers that say who or what a request is, or how it is carried."""
REFUSED = {"Authorization", "Cookie", "Host", "Origin", "Transfer-Encoding", "User-Agent"}
"""Those for which a request may be refused, at least in some shape."""
EVIL = "evil-value-0123456789"


def odd(name: str) -> str:
    """The name in odd case."""
    return "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(name))


SHAPES = {
    "doubled": lambda name: [f"{name}: {EVIL}", f"{name}: {EVIL}"],
    "odd case": lambda name: [f"{odd(name)}: {EVIL}"],
    "nominated": lambda name: [f"{name}: {EVIL}", f"Connection: close, {name}"],
    "underscored": lambda name: [f"{name.replace('-', '_')}: {EVIL}"],
}


async def raw(stack: Stack, lines: list[str]) -> bytes:
    """Send a call with these lines; the whole answer."""
    address = urlsplit(stack.url)
    own = [f"GET {WAIT} HTTP/1.1", f"Host: {address.netloc}", f"Authorization: Bearer {BACKEND_KEY}"]
    ending = [] if any(line.lower().startswith("connection:") for line in lines) else ["Connection: close"]
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write("\r\n".join([*own, *lines, *ending, "", ""]).encode("latin-1"))
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("shape", SHAPES)
async def test_nothing_of_a_hostile_header_reaches_genesys(stack: Stack, shape: str) -> None:
    """Either the request is refused for it, or it is carried without it and with ours."""
    carried: list[str] = []
    for name in HOSTILE:
        before = len(stack.mock.world.recorder.entries)
        answer = await raw(stack, SHAPES[shape](name))
        status = int(answer.split(b" ")[1])
        sent = [e for e in list(stack.mock.world.recorder.entries)[before:] if e.path == WAIT]
        if status != 200:
            assert (sent, 400 <= status < 500) == ([], True), (name, answer[:300])
            continue
        (entry,) = sent
        carried.append(name)
        arrived = str(list(entry.raw_headers.items()))  # each of a doubled header
        assert EVIL not in arrived, name
        assert BACKEND_KEY not in arrived, name
        assert entry.bearer_of == "client reader", name
        assert [key.lower() for key in entry.raw_headers].count("authorization") == 1, name
    assert set(HOSTILE) - set(carried) <= REFUSED, "the others are carried, so that it is seen what arrives of them"


async def test_what_names_our_own_headers_in_connection_takes_none_away(stack: Stack) -> None:
    answer = await raw(
        stack, ["Connection: close, authorization, x-request-id, content-type, user-agent, accept-encoding"]
    )
    assert answer.startswith(b"HTTP/1.1 200")
    entry = next(e for e in reversed(stack.mock.world.recorder.entries) if e.path == WAIT)
    sent = {name.lower(): value for name, value in entry.raw_headers.items()}
    assert sent["authorization"].startswith("Bearer ")
    assert sent["accept-encoding"] == "identity"
    assert sent["x-request-id"]
