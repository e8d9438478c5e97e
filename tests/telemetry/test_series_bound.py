"""Ten thousand requests of a hostile caller make no more series than the table of metrics admits."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path
from urllib.parse import urlsplit

from gateway.observe.metrics_table import METHODS, ROUTES
from tests.stack import DEPLOYMENT, Stack, whole_stack

REQUESTS = 10_000
LANES = 8
BUDGET = 2_000
FREE = {f"limits.requests_per_{who}_per_min": 10_000_000 for who in ("address", "site", "guest")}
PATHS = ("/sites/shop/session", "/sites/shop/api/v2/", "/sites/{word}/session", "/{word}", "/v1?deploymentId={word}",
         "/static/{word}", "/oauth/token", "/sites/shop/v1", "/widget.js?deploymentId=" + DEPLOYMENT)  # fmt: skip


def hostile(chance: random.Random) -> bytes:
    """One request in which everything that a caller chooses is random."""

    def word() -> str:
        return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789-_.", k=chance.randint(3, 24)))

    method = chance.choice([*METHODS[:-1], word().upper().replace(".", "X").replace("_", "X")])
    path = chance.choice(PATHS).replace("{word}", word()) + chance.choice(["", f"?{word()}={word()}"])
    lines = [f"{method} {path} HTTP/1.1", f"Host: {chance.choice(['127.0.0.1', word() + '.example'])}",
             f"Origin: https://{word()}.example", f"Authorization: Bearer {word()}.{word()}.{word()}",
             f"User-Agent: {word()}", f"X-Request-Id: {word()}", "Content-Length: 0"]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def lane(stack: Stack, seed: int, count: int) -> int:
    """Send `count` requests, one after the other, over connections that last as long as the gateway keeps them."""
    chance, port, answered = random.Random(seed), urlsplit(stack.url).port, 0
    while answered < count:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while answered < count:
                request = hostile(chance)
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                answered += 1
                if b"\r\nconnection: close" in head:
                    break
                length = re.search(rb"\r\ncontent-length: (\d+)", head)
                if length is not None and not request.startswith(b"HEAD"):
                    await reader.readexactly(int(length[1]))
        except (asyncio.IncompleteReadError, ConnectionError):
            continue
        finally:
            writer.transport.abort()
    return answered


async def test_the_number_of_series_is_bounded_whatever_callers_send(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, FREE) as stack:
        before = stack.gateway.metrics.series_count()
        done = await asyncio.gather(*(lane(stack, seed, REQUESTS // LANES) for seed in range(LANES)))
        metrics = stack.gateway.metrics
        assert sum(done) == REQUESTS
        assert sum(cell.value for cell in metrics.http_requests.series().values()) >= REQUESTS
        assert metrics.series_count() <= BUDGET
        assert metrics.series_count() - before <= 350 + 3 * 14 * 17  # requests by route, method and code; durations
        for route, method, *_ in metrics.http_requests.series():
            assert route in ROUTES
            assert method in METHODS
        assert not any(cell.value for cell in metrics.label_overflow.series().values())
