"""A peer: the least that a Python user would write, an aiohttp reverse proxy that injects a header, checks nothing.

Run as `python plain_proxy.py PORT UPSTREAM_URL`.
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web

NOT_PASSED = frozenset(
    {"authorization", "connection", "content-length", "cookie", "host", "keep-alive", "te", "trailer",
     "transfer-encoding", "upgrade", "content-encoding"}
)  # fmt: skip


async def serve(port: int, upstream: str) -> None:
    """Serve until killed."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as client:

        async def pass_on(request: web.Request) -> web.Response:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_PASSED}
            headers["Authorization"] = "Bearer a-token-that-never-changes"
            body = await request.read()
            async with client.request(
                request.method, upstream + request.raw_path, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                payload = await answer.read()
                back = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_PASSED}
            back["Access-Control-Allow-Origin"] = request.headers.get("Origin", "")
            return web.Response(status=answer.status, body=payload, headers=back)

        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", pass_on)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
