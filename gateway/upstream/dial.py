"""How a connection to an upstream comes about: name, addresses, TCP race, TLS; each with a time of its own.

Leaves counting connections to pool.py. The rule: the host is the configured one, its certificate is verified, and
every failure says which of the four steps it was.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Any

from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.settings import LegSettings

Address = tuple[socket.AddressFamily, Any]
"""Family, and the address in the shape that the family wants."""


def default_tls() -> ssl.SSLContext:
    """A verifying client context: system roots, TLS 1.2 at least, HTTP/1.1 by ALPN."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def interleave(addresses: Sequence[Address]) -> list[Address]:
    """Order addresses so that families take turns, the resolver's first choice first (RFC 8305 section 4)."""
    if not addresses:
        return []
    first = [address for address in addresses if address[0] == addresses[0][0]]
    other = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain.from_iterable(zip_longest(first, other)) if address is not None]


class Dialler:
    """Opens connections to one host and port."""

    def __init__(self, host: str, port: int, settings: LegSettings, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._settings = settings
        self._tls = tls
        self._known: list[Address] = []
        self._known_until = 0.0
        self._resolving = asyncio.Lock()

    async def open(self, factory: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """Return the protocol of `factory` on a new connection. Raises UpstreamFault; no byte of a request was sent."""
        loop = asyncio.get_running_loop()
        addresses = await self._addresses(loop)
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                sock = await race(loop, addresses, self._settings.attempt_delay_s)
        except TimeoutError as exc:
            raise UpstreamFault(FaultKind.CONNECT_TIMEOUT, self._host) from exc
        except OSError as exc:
            raise UpstreamFault(FaultKind.CONNECT, f"{self._host}: {exc.strerror or type(exc).__name__}") from exc
        if self._tls is None:
            return (await loop.create_connection(factory, sock=sock))[1]
        try:
            _, protocol = await loop.create_connection(
                factory,
                sock=sock,
                ssl=self._tls,
                server_hostname=self._host,
                ssl_handshake_timeout=self._settings.tls_timeout_s,
            )
        except (ssl.SSLError, OSError) as exc:
            reason = exc.reason if isinstance(exc, ssl.SSLError) else type(exc).__name__
            raise UpstreamFault(FaultKind.TLS, f"{self._host}: {reason}") from exc
        return protocol

    async def _addresses(self, loop: asyncio.AbstractEventLoop) -> list[Address]:
        """The host's addresses, asked anew every `dns_keep_s`; when the resolver fails, the last good ones."""
        async with self._resolving:
            if self._known and loop.time() < self._known_until:
                return self._known
            try:
                async with asyncio.timeout(self._settings.dns_timeout_s):
                    self._known = await resolve(loop, self._host, self._port)
            except (OSError, UnicodeError) as exc:  # TimeoutError is an OSError, gaierror too
                if not self._known:
                    raise UpstreamFault(FaultKind.DNS, self._host) from exc
            self._known_until = loop.time() + self._settings.dns_keep_s
            return self._known


async def resolve(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[Address]:
    """Ask the system's resolver; addresses come back in the order in which to try them. Raises OSError."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return interleave([(socket.AddressFamily(family), address) for family, _, _, _, address in found])
    if literal.version == 4:
        return [(socket.AF_INET, (host, port))]
    return [(socket.AF_INET6, (host, port, 0, 0))]


async def race(loop: asyncio.AbstractEventLoop, addresses: Sequence[Address], delay_s: float) -> socket.socket:
    """Connect to the first address that answers, starting the next when one fails or is late (RFC 8305 section 5).

    Raises the first OSError when none answers. Sockets that lost are closed.
    """
    waiting = deque(addresses)
    pending: set[asyncio.Task[socket.socket]] = set()
    errors: list[BaseException] = []
    try:
        while waiting or pending:
            if waiting:
                pending.add(loop.create_task(_connect(loop, waiting.popleft())))
            done, _ = await asyncio.wait(
                pending, timeout=delay_s if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                pending.discard(task)
                error = task.exception()
                if error is None:
                    pending |= done - {task}  # a second winner of the same instant is closed below
                    return task.result()
                errors.append(error)
    finally:
        for task in pending:
            task.cancel()
            task.add_done_callback(_close_loser)
    raise errors[0] if errors else OSError("no address")


async def _connect(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    """One TCP connection."""
    sock = socket.socket(address[0], socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, address[1])
    except BaseException:
        sock.close()
        raise
    return sock


def _close_loser(task: asyncio.Task[socket.socket]) -> None:
    """Close what a late connection attempt brought."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
