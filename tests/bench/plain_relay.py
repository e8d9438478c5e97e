"""A peer: the least that a Python user would write to relay WebSockets. `python plain_relay.py PORT UPSTREAM`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import uvloop
from aiohttp import WSMsgType, web


async def copy(source: Any, target: Any) -> None:
    """Send on what comes, until one side closes."""
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await target.send_str(message.data)
        else:
            await target.send_bytes(message.data)
    await target.close()


async def serve(port: int, upstream: str) -> None:
    """Serve until killed."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def relay(request: web.Request) -> web.WebSocketResponse:
            below = web.WebSocketResponse(compress=False)
            await below.prepare(request)
            async with client.ws_connect(upstream + request.raw_path) as above:
                both = [asyncio.ensure_future(copy(below, above)), asyncio.ensure_future(copy(above, below))]
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            return below

        application = web.Application()
        application.router.add_get("/{rest:.*}", relay)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
