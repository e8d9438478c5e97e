"""Taking a connection over from aiohttp: early bytes, nothing left behind, and a client that has gone."""

from __future__ import annotations

import asyncio
import gc
import ssl
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import uvloop
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway import errors
from gateway.errors import Refusal
from gateway.upstream.ws_takeover import is_gone, take_over
from tests.patience import PATIENCE_S

UPGRADE = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Shout(asyncio.Protocol):
    """Answers in capitals."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())


@asynccontextmanager
async def served(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    certificate: Path | None = None,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, web.Server]]:
    """A client connected to an aiohttp server with this handler."""
    server = web.Server(handler, access_log=None)
    ours = theirs = None
    if certificate is not None:
        ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ours.load_cert_chain(certificate)
        theirs = ssl.create_default_context(cafile=str(certificate))
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=ours)
    port = listening.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=theirs)
    try:
        yield reader, writer, server
    finally:
        writer.transport.abort()
        listening.close()
        await server.shutdown(1.0)
        await asyncio.sleep(0)


async def test_the_connection_speaks_the_new_protocol_and_early_bytes_are_handed_over() -> None:
    early_bytes: list[bytes] = []
    requests: list[weakref.ref[web.BaseRequest]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        requests.append(weakref.ref(request))
        await asyncio.sleep(0.01)
        response, early = take_over(request, b"HTTP/1.1 101 Go\r\n\r\n", Shout)
        early_bytes.append(early)
        return response

    async with served(handle) as (reader, writer, server):
        writer.write(UPGRADE + b"early")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 101 Go\r\n\r\n"
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        assert early_bytes == [b"early"]
        assert len(server.connections) == 0
        async with asyncio.timeout(PATIENCE_S):
            while requests[0]() is not None:
                gc.collect()
                await asyncio.sleep(0)


async def test_shutting_the_server_down_leaves_the_socket_alone() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return take_over(request, b"HTTP/1.1 101 Go\r\n\r\n", Shout)[0]

    async with served(handle) as (reader, writer, server):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await server.shutdown(0.1)
        writer.write(b"still")
        assert await reader.readexactly(5) == b"STILL"


async def test_a_client_that_has_gone_is_not_written_to() -> None:
    outcome: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()
    arrived = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert not is_gone(request)
        arrived.set()
        while not is_gone(request):
            await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            take_over(request, b"HTTP/1.1 101 Go\r\n\r\n", Shout)
        outcome.set_result(refused.value)
        return web.Response()

    async with served(handle) as (_reader, writer, _server):
        writer.write(UPGRADE)
        await arrived.wait()
        writer.transport.abort()
        assert (await asyncio.wait_for(outcome, PATIENCE_S)).reason is errors.CLIENT_GONE


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "certificate.pem"
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


async def shout_over_tls(certificate: Path) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return take_over(request, b"HTTP/1.1 101 Go\r\n\r\n", Shout)[0]

    async with served(handle, certificate) as (reader, writer, server):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x" * 100_000)
        assert await reader.readexactly(100_000) == b"X" * 100_000
        assert len(server.connections) == 0


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_own_tls_makes_no_difference(loop: Callable[[], asyncio.AbstractEventLoop], certificate: Path) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(shout_over_tls(certificate))
