"""A yardstick: an aiohttp server with one fixed answer, and a WebSocket that echoes. `python fixed_answer.py PORT`."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import WSMsgType, web


async def fixed(request: web.Request) -> web.Response:
    """Always the same few bytes."""
    return web.Response(body=b'{"ok":true}', content_type="application/json")


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send every text back."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def serve(port: int) -> None:
    """Serve until killed."""
    application = web.Application()
    application.router.add_get("/v1", echo)
    application.router.add_route("*", "/{rest:.*}", fixed)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
