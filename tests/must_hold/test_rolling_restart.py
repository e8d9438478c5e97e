"""Workers are replaced one after the other while guests chat: each socket is told to come again, none is refused."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from aiohttp import WSMsgType, web

from tests.app.node_stage import Callers, running_node
from tests.bench.subject import ORIGIN
from tests.soak.guests import Guest, close_guests, open_guests

GUESTS = 24
GOING_AWAY = 1001


async def echo(request: web.Request) -> web.WebSocketResponse:
    """A Guest API that says everything back."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def stays(port: int, closes: list[int | None], leave: asyncio.Event) -> Guest:
    """A guest that opens its socket anew whenever the gateway ends it, until it wants to leave; its last socket."""
    while True:
        (guest,) = await open_guests(port, 1)
        leaving: asyncio.Future[object] = asyncio.ensure_future(leave.wait())
        ended: asyncio.Future[object] = asyncio.shield(guest.lost)
        await asyncio.wait({ended, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        ended.cancel()
        if not guest.lost.done():
            return guest
        closes.append(guest.close_code)


async def test_a_rolling_restart_tells_every_socket_and_refuses_none(tmp_path: Path) -> None:
    application = web.Application()
    application.router.add_get("/v1", echo)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    settings = (
        f"orgs.acme.endpoints.webmessaging=ws://127.0.0.1:{runner.addresses[0][1]}",
        f'sites.shop.origins=["{ORIGIN}", "http://127.0.0.1:8088"]', "limits.connects_per_deployment_per_min=100000",
        "server.drain_s=4",
    )  # fmt: skip
    try:
        async with running_node(tmp_path, 2, *settings) as node:
            before, closes, leave = node.pids(), list[int | None](), asyncio.Event()
            guests = [asyncio.create_task(stays(node.port, closes, leave)) for _ in range(GUESTS)]
            callers = Callers(node, 4)
            async with callers.calling():
                async with asyncio.timeout(60):
                    while sum((await node.metric("gateway_websocket_connections")).values()) < GUESTS:
                        await asyncio.sleep(0.05)
                node.process.send_signal(signal.SIGUSR2)
                await node.until(lambda: bool(node.events("workers.restarted")))
            leave.set()
            async with asyncio.timeout(60):
                last = await asyncio.gather(*guests)
                assert await close_guests(list(last)) == 0
            assert not before.items() & node.pids().items()
            assert len(closes) >= GUESTS  # the two workers had them all
            assert set(closes) == {GOING_AWAY}
            assert (callers.lost, callers.wrong, callers.refused) == ([], [], 0)
    finally:
        await runner.cleanup()
