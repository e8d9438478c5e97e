"""From a name to a connection: order of addresses, the race, last good addresses, TLS that verifies."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.upstream import dial
from gateway.upstream.dial import Address, Dialler, default_tls, interleave, race, resolve
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.http import HttpLeg
from gateway.upstream.settings import LegSettings
from tests.upstream.misbehaving import Peer, upstream_of
from tests.upstream.test_http import ask, echo

PATIENT = LegSettings(connect_timeout_s=30.0, tls_timeout_s=30.0, attempt_delay_s=0.02, tick_s=0.02)


def v4(port: int) -> Address:
    return socket.AF_INET, ("127.0.0.1", port)


def v6(port: int) -> Address:
    return socket.AF_INET6, ("::1", port, 0, 0)


def test_families_take_turns_the_resolvers_first_choice_first() -> None:
    assert interleave([v6(1), v6(2), v4(3), v6(4)]) == [v6(1), v4(3), v6(2), v6(4)]
    assert interleave([v4(1), v6(2), v6(3)]) == [v4(1), v6(2), v6(3)]
    assert interleave([]) == []


async def test_literal_addresses_need_no_resolver() -> None:
    loop = asyncio.get_running_loop()
    assert await resolve(loop, "127.0.0.1", 5) == [v4(5)]
    assert await resolve(loop, "::1", 5) == [v6(5)]


@asynccontextmanager
async def deaf_port() -> AsyncIterator[int]:
    """A port whose backlog is full: connecting to it neither succeeds nor fails."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    try:
        yield listener.getsockname()[1]
    finally:
        for one in (*fillers, listener):
            one.close()


async def test_late_address_does_not_hold_up_the_next() -> None:
    async with deaf_port() as deaf, upstream_of(echo) as upstream:
        sock = await race(asyncio.get_running_loop(), [v4(deaf), v4(upstream.port)], 0.02)
        assert sock.getpeername()[1] == upstream.port
        sock.close()


async def test_refused_address_makes_way_at_once() -> None:
    async with upstream_of(echo) as gone:
        refused = gone.port
    async with upstream_of(echo) as upstream, asyncio.timeout(30):
        sock = await race(asyncio.get_running_loop(), [v4(refused), v4(upstream.port)], 60.0)
        assert sock.getpeername()[1] == upstream.port
        sock.close()
        with pytest.raises(ConnectionRefusedError):
            await race(asyncio.get_running_loop(), [v4(refused), v4(refused)], 60.0)


async def test_address_that_never_answers_is_a_connect_timeout() -> None:
    async with deaf_port() as deaf:
        leg = HttpLeg(f"http://127.0.0.1:{deaf}", replace(PATIENT, connect_timeout_s=0.3))
        with pytest.raises(UpstreamFault) as caught:
            await ask(leg, "POST")
        assert (caught.value.kind, caught.value.request_sent) == (FaultKind.CONNECT_TIMEOUT, False)
        await leg.close()


@dataclass
class Resolver:
    """Stands in for the system's resolver, which a test cannot break."""

    asked: int = 0
    healthy: bool = True

    async def __call__(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[Address]:
        self.asked += 1
        if not self.healthy:
            raise socket.gaierror("resolver down")
        return [v4(port)]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    stand_in = Resolver()
    monkeypatch.setattr(dial, "resolve", stand_in)
    return stand_in


async def reach(dialler: Dialler, times: int) -> None:
    """Open and close connections."""
    for _ in range(times):
        protocol = await dialler.open(Caller)
        assert isinstance(protocol, Caller)
        protocol.hang_up()


class Caller(asyncio.Protocol):
    """Connects, and hangs up when told."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.hang_up = transport.close


@pytest.mark.parametrize(("keep_s", "asked"), [(60.0, 1), (1e-9, 3)])
async def test_name_is_asked_anew_when_its_time_is_over(resolver: Resolver, keep_s: float, asked: int) -> None:
    async with upstream_of(echo) as upstream:
        await reach(Dialler("api.example", upstream.port, replace(PATIENT, dns_keep_s=keep_s), None), 3)
    assert resolver.asked == asked


async def test_last_good_address_serves_while_the_resolver_is_down(resolver: Resolver) -> None:
    async with upstream_of(echo) as upstream:
        dialler = Dialler("api.example", upstream.port, replace(PATIENT, dns_keep_s=1e-9), None)
        await reach(dialler, 1)
        resolver.healthy = False
        await reach(dialler, 2)
        assert resolver.asked == 3
        with pytest.raises(UpstreamFault, match="dns"):
            await reach(Dialler("api.example", upstream.port, PATIENT, None), 1)


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server that is `name` by a certificate of its own, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    alternative: x509.GeneralName = x509.DNSName(name)
    if name[0].isdigit():
        alternative = x509.IPAddress(ipaddress.ip_address(name))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, key_pem)
    client = default_tls()
    client.load_verify_locations(pem)
    return server, client


async def over_tls(folder: Path) -> None:
    """Verified, reused, refused where the name is wrong or the issuer unknown, and large both ways."""
    server, client = certificate(folder, "127.0.0.1")
    async with upstream_of(echo, ssl=server) as upstream:
        leg = HttpLeg(upstream.url, PATIENT, ssl_context=client)
        for body in (b"small", b"x" * 1_000_000):
            assert await (await ask(leg, "POST", body)).read(2_000_000) == body
        assert upstream.connections == 1
        await leg.close()
        stranger = HttpLeg(upstream.url, PATIENT)
        with pytest.raises(UpstreamFault) as caught:
            await ask(stranger, "POST")
        assert (caught.value.kind, caught.value.request_sent) == (FaultKind.TLS, False)
        await stranger.close()


async def test_tls_is_verified(tmp_path: Path) -> None:
    await over_tls(tmp_path)


def test_tls_is_verified_on_uvloop(tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(over_tls(tmp_path))


async def test_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "elsewhere.example")
    async with upstream_of(echo, ssl=server) as upstream:
        leg = HttpLeg(upstream.url, PATIENT, ssl_context=client)
        with pytest.raises(UpstreamFault, match="tls"):
            await ask(leg)
        await leg.close()


async def test_peer_that_never_shakes_hands_is_a_tls_fault() -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url.replace("http:", "https:"), replace(PATIENT, tls_timeout_s=0.3))
        with pytest.raises(UpstreamFault, match="tls"):
            await ask(leg, "POST")
        await leg.close()
