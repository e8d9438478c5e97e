"""Listeners end in order: nothing that was accepted is lost, and what waits at a shared socket is somebody else's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import aiohttp
import pytest

from gateway.app.accepting import LoadBoard, Shared
from gateway.app.gateway import Surroundings
from gateway.app.listeners import Places, address_of, shared_socket
from gateway.app.running import running
from gateway.errors import ConfigFault
from tests.stack import compiled

FLAGS = {"server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0", "log.level": "error"}
ASK = b"GET /sites/shop/widget.js HTTP/1.1\r\nHost: x\r\n\r\n"


def shared(listening: socket.socket) -> Shared:
    """A worker's place at the socket, as a worker of its own process would have it."""
    return Shared(listening.dup(), LoadBoard.create(), 0)


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """One answer with a Content-Length: head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await reader.readexactly(int(length.partition(b":")[2]))


async def test_a_kept_connection_may_bring_one_more_request_after_the_end_has_begun(tmp_path: Path) -> None:
    with shared_socket("127.0.0.1:0") as listening:
        places = Places(shared(listening), tmp_path / "admin.sock", idle_grace_s=60.0)
        async with contextlib.AsyncExitStack() as stack:
            run = await stack.enter_async_context(running(compiled(FLAGS), Surroundings(tmp_path), places))
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(ASK)
            head, _ = await answer(reader)
            assert b"connection: close" not in head.lower()
            ending = asyncio.create_task(stack.pop_all().aclose())
            front = run.gateway.front
            assert front is not None
            while not front.draining:
                await asyncio.sleep(0)
            writer.write(ASK)
            head, _ = await answer(reader)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in head.lower()
            assert await reader.read() == b""
            async with asyncio.timeout(30):  # long before the grace is over: nobody is there any more
                await ending
            writer.close()


async def test_who_says_nothing_is_closed_after_the_grace(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        run = await stack.enter_async_context(running(compiled(FLAGS), Surroundings(tmp_path)))
        host, _, port = run.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(ASK)
        await answer(reader)
        async with asyncio.timeout(30):
            await stack.pop_all().aclose()
        assert await reader.read() == b""
        writer.close()


async def test_what_comes_to_a_shared_socket_waits_for_another_worker(tmp_path: Path) -> None:
    with shared_socket("127.0.0.1:0") as listening:
        first = Places(shared(listening), tmp_path / "1.sock")
        async with running(compiled(FLAGS), Surroundings(tmp_path / "1"), first):
            pass
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(ASK)
        second = Places(shared(listening), tmp_path / "2.sock")
        async with running(compiled(FLAGS), Surroundings(tmp_path / "2"), second):
            head, _ = await answer(reader)
            assert head.startswith(b"HTTP/1.1 200 ")
            writer.close()


async def test_a_worker_answers_operators_at_its_unix_socket(tmp_path: Path) -> None:
    with shared_socket("127.0.0.1:0") as listening:
        places = Places(shared(listening), tmp_path / "admin.sock")
        async with running(compiled(FLAGS), Surroundings(tmp_path), places) as run:
            assert run.url == f"http://{address_of(listening, '127.0.0.1:0')}"
            connector = aiohttp.UnixConnector(str(tmp_path / "admin.sock"))
            async with (
                aiohttp.ClientSession(connector=connector) as client,
                client.get("http://worker/healthz") as found,
            ):
                assert await found.text() == "ok\n"


def test_a_shared_port_that_is_taken_is_a_fault_of_its_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConfigFault, match=r"server\.listen: .*cannot be listened on: Address already in use"):
            shared_socket(listen)


def test_a_host_that_is_unknown_is_a_fault_of_its_key() -> None:
    with pytest.raises(ConfigFault, match=r"server\.listen: .*cannot be listened on"):
        shared_socket("no-such-host.invalid:80")


def test_addresses_of_the_sixth_version_are_listened_on_too() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with shared_socket("[::1]:0") as listening:
        assert address_of(listening, "[::1]:0") == f"[::1]:{listening.getsockname()[1]}"
