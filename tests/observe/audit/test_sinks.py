"""Further places get the same bytes, best effort: a TLS syslog server and an HTTP server, both real;
drops are counted.
"""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.observe.audit.log import AuditLog
from gateway.observe.audit.settings import SinkSettings
from gateway.observe.audit.sinks import HttpTransport, Sink, SinkFaultError, SyslogTransport
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import Scope
from tests.observe.audit.making import lines_of, settings_for, use


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(private, hashes.SHA256())
    )  # fmt: skip
    cert_file, key_file = directory / "cert.pem", directory / "tls.pem"
    cert_file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


async def test_syslog_over_tls_gets_framed_messages(tmp_path: Path) -> None:
    cert_file, key_file = certificate(tmp_path)
    received: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                size = int(await reader.readuntil(b" "))
                received.append(await reader.readexactly(size))
            except asyncio.IncompleteReadError:
                break
            if b"audit.closed" in received[-1]:
                done.set()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    sink = SinkSettings("siem", "syslog-tls", f"localhost:{port}", ca_file=cert_file)
    log = AuditLog(settings_for(tmp_path / "log", sinks=(sink,)), Metrics(Scope(sinks=("siem",))))
    await log.open()
    assert log.try_use(use(1))
    await log.close()
    async with asyncio.timeout(30):
        await done.wait()
    server.close()
    await server.wait_closed()
    [segment] = (tmp_path / "log").glob("*.jsonl")
    lines = [line.rstrip(b"\n") for line in lines_of(segment)]
    assert [message.partition(b" - {")[2] for message in received] == [line[1:] for line in lines]


async def test_an_untrusted_syslog_server_gets_nothing(tmp_path: Path) -> None:
    cert_file, key_file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read(10))
        writer.close()

    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    transport = SyslogTransport(SinkSettings("siem", "syslog-tls", f"localhost:{port}"), settings_for(tmp_path))
    with pytest.raises(SinkFaultError):
        await transport.send([b"{}"])
    server.close()
    assert got in ([], [b""])


@pytest.mark.parametrize("status", [200, 503, 302])
async def test_http_gets_lines_of_json_and_must_say_so(status: int) -> None:
    bodies: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer x"
        bodies.append(await request.read())
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_post("/in", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    transport = HttpTransport(SinkSettings("siem", "http", f"http://127.0.0.1:{port}/in", authorization="Bearer x"))
    if status == 200:
        await transport.send([b"{1}", b"{2}"])
    else:
        with pytest.raises(SinkFaultError):
            await transport.send([b"{1}", b"{2}"])
    await transport.close()
    await runner.cleanup()
    assert bodies == [b"{1}\n{2}\n"]


class Broken:
    """A place that never takes anything."""

    def __init__(self) -> None:
        self.tries = asyncio.Event()

    async def send(self, lines: Sequence[bytes]) -> None:
        self.tries.set()
        raise SinkFaultError("refused")

    async def close(self) -> None:
        return None


async def test_a_dead_place_costs_bounded_memory_and_counted_drops() -> None:
    metrics = Metrics(Scope(sinks=("siem",)))
    place = Broken()
    sink = Sink("siem", place, metrics, 10)
    task = asyncio.create_task(sink.run())
    sink.offer([b"x"] * 25)
    await place.tries.wait()
    assert len(sink._lines) == 10
    assert metrics.audit_sink_errors.child("siem", "other").value == 15
    await asyncio.sleep(0)
    assert metrics.audit_sink_errors.child("siem", "refused").value == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
