"""The listener's certificate follows its files, and a bad pair of files never takes the listener down."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.app import accepting, listeners
from gateway.app.accepting import LoadBoard, Shared
from gateway.app.gateway import Surroundings
from gateway.app.listeners import Places, shared_socket
from gateway.app.own_tls import OwnTls
from gateway.app.running import running
from gateway.config.model import Tls
from gateway.errors import ConfigFault
from tests.stack import compiled

TLS = Tls(certificate="chain.pem", key="key.pem")
NOW = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)


def write_pair(directory: Path, name: str, password: bytes | None = None) -> None:
    """A fresh self-signed certificate of this name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=9_000))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    (directory / "chain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
    )


async def name_at(port: int) -> str:
    """The name in the certificate that a listener shows, after one answer over it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(b"GET /sites/shop/widget.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()
    [found] = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found.value)


def test_files_that_are_missing_or_do_not_fit_are_a_fault_of_their_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match=r"server\.tls\.certificate: cannot be used"):
        OwnTls(TLS, tmp_path)
    write_pair(tmp_path, "one")
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(ConfigFault, match=r"server\.tls\.certificate: cannot be used"):
        OwnTls(TLS, tmp_path)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    write_pair(tmp_path, "one", password=b"secret")
    with pytest.raises(ConfigFault):
        OwnTls(TLS, tmp_path)


def test_only_another_pair_that_fits_is_taken(tmp_path: Path) -> None:
    write_pair(tmp_path, "one")
    tls = OwnTls(TLS, tmp_path)
    assert tls.refresh() is False
    old = (tmp_path / "key.pem").read_bytes()
    write_pair(tmp_path, "two")
    new = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "key.pem").write_bytes(old)  # the certificate is written first
    assert tls.refresh() is False
    assert tls.refresh() is False
    (tmp_path / "key.pem").unlink()
    assert tls.refresh() is False
    (tmp_path / "key.pem").write_bytes(new)
    assert tls.refresh() is True
    assert tls.refresh() is False


async def test_it_is_told_after_each_change(tmp_path: Path) -> None:
    write_pair(tmp_path, "one")
    tls, turns, told = OwnTls(TLS, tmp_path), asyncio.Semaphore(0), asyncio.Event()

    async def turn(_pause_s: float) -> None:
        await turns.acquire()

    watching = asyncio.create_task(tls.watch(1.0, told.set, turn))
    turns.release()
    write_pair(tmp_path, "two")
    turns.release()
    async with asyncio.timeout(30):
        await told.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.parametrize("shared", [False, True], ids=["own listener", "shared listener"])
async def test_handshakes_after_the_change_show_the_new_certificate(tmp_path: Path, shared: bool) -> None:
    write_pair(tmp_path, "one")
    config = compiled(
        {
            "server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0", "log.level": "error",
            "secrets.poll_s": 0.01,
            "server.tls.certificate": str(tmp_path / "chain.pem"), "server.tls.key": str(tmp_path / "key.pem"),
        }
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        places = Places()
        if shared:
            listening: socket.socket = stack.enter_context(shared_socket("127.0.0.1:0"))
            places = Places(Shared(listening.dup(), LoadBoard.create(), 0), tmp_path / "admin.sock")
        async with running(config, Surroundings(tmp_path), places) as run:
            assert run.url.startswith("https://")
            port = int(run.url.rpartition(":")[2])
            assert await name_at(port) == "one"
            write_pair(tmp_path, "two")
            async with asyncio.timeout(30):
                while await name_at(port) != "two":
                    await asyncio.sleep(0)
            if shared:  # who speaks no TLS gets no answer, and takes nobody along
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    assert not (await reader.read()).startswith(b"HTTP")
                writer.close()
                assert await name_at(port) == "two"


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "half a hello"])
@pytest.mark.parametrize("shared", [False, True], ids=["own listener", "shared listener"])
async def test_who_does_not_finish_the_handshake_in_time_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool, sent: bytes
) -> None:
    """Before the handshake is over there is no connection to count, and no header to wait for."""
    for room in (accepting, listeners):
        monkeypatch.setattr(room, "HANDSHAKE_S", 0.2)
    write_pair(tmp_path, "one")
    files = {"server.tls.certificate": str(tmp_path / "chain.pem"), "server.tls.key": str(tmp_path / "key.pem")}
    config = compiled({"server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0", "log.level": "error"} | files)
    with contextlib.ExitStack() as stack:
        places = Places()
        if shared:
            listening: socket.socket = stack.enter_context(shared_socket("127.0.0.1:0"))
            places = Places(Shared(listening.dup(), LoadBoard.create(), 0), tmp_path / "admin.sock")
        async with running(config, Surroundings(tmp_path), places) as run:
            port = int(run.url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            async with asyncio.timeout(30):
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()
