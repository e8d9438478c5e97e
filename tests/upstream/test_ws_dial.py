"""Dialling one socket: over TLS, with its own time, and without leaving anything open."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.upstream.settings import LegSettings
from gateway.upstream.ws_dial import SocketDialer
from tests.upstream.socket_stage import WAIT_S, Peer


def dialer(timeout_s: float = WAIT_S) -> SocketDialer:
    """Only the time that a test is about is short: a machine that stalls must not change the verdict."""
    settings = LegSettings(connect_timeout_s=WAIT_S, tls_timeout_s=WAIT_S)
    return SocketDialer(os.urandom, timeout_s=timeout_s, settings=settings)


async def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Refusal) as refused:
            await dialer().dial(f"ws://127.0.0.1:{port}", "/v1", "https://shop.example")
    assert refused.value.reason is errors.UPSTREAM_UNREACHABLE


async def test_a_silent_upstream_times_out_and_is_hung_up_on() -> None:
    came, hung_up = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        try:
            while await reader.read(1024):
                pass
        except ConnectionError:
            pass
        hung_up.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        while not came.is_set():  # on a stalled machine the time may end before the connection has begun
            with pytest.raises(Refusal) as refused:
                await dialer(0.1).dial(f"ws://127.0.0.1:{port}", "/v1", "https://shop.example")
            assert refused.value.reason is errors.UPSTREAM_TIMEOUT
        await asyncio.wait_for(hung_up.wait(), WAIT_S)


async def test_the_path_of_the_base_stays_and_credentials_in_it_never_leave() -> None:
    peers: asyncio.Queue[Peer] = asyncio.Queue()
    server = await asyncio.start_server(lambda r, w: peers.put_nowait(Peer(r, w, masks=False)), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    dialling = asyncio.create_task(
        dialer().dial(f"ws://user:pass@127.0.0.1:{port}/base/", "/v1?deploymentId=d", "https://shop.example")
    )
    peer = await peers.get()
    head = await peer.accept()
    assert head[""] == "GET /base/v1?deploymentId=d HTTP/1.1"
    assert head["host"] == f"127.0.0.1:{port}"
    assert "pass" not in str(head)
    dialled = await dialling
    dialled.transport.abort()
    peer.writer.transport.abort()
    server.close()


async def test_a_dial_that_is_cancelled_leaves_no_connection() -> None:
    peers: asyncio.Queue[Peer] = asyncio.Queue()
    server = await asyncio.start_server(lambda r, w: peers.put_nowait(Peer(r, w, masks=False)), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    dialling = asyncio.create_task(dialer().dial(f"ws://127.0.0.1:{port}", "/v1", "https://shop.example"))
    peer = await peers.get()
    await peer.opening()
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling
    assert await peer.gone()
    peer.writer.transport.abort()
    server.close()


async def test_a_certificate_of_nobody_we_trust_is_unreachable() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Refusal) as refused:
            await dialer().dial(f"wss://127.0.0.1:{port}", "/v1", "https://shop.example")
    assert refused.value.reason is errors.UPSTREAM_UNREACHABLE
