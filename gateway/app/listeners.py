"""The two listeners of a process: where they are bound, their TLS, and how the public one ends and loses no request.

What is answered is `web/`'s. The rule: a listener first takes no more connections, then lets those that are open come
to their end, and only then closes what says nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from gateway.app.accepting import HANDSHAKE_S, Accepting, Shared
from gateway.app.console_state import Console
from gateway.app.feeding import feed_secrets
from gateway.app.gateway import Gateway
from gateway.app.own_tls import OwnTls
from gateway.config.compile import Compiled
from gateway.errors import REQUEST_MALFORMED, ConfigFault, Refusal
from gateway.gate import Trail
from gateway.web.admin import Admin, AdminParts
from gateway.web.connection import ConnectionLimits, GatewayServer
from gateway.web.console import ConsoleParts

BACKLOG: Final = 4_096
IDLE_GRACE_S: Final = 5.0
"""How long a kept connection may still bring its next request after SIGTERM: the answer then says that it ends. Without
it, a request that is on its way to a connection just being closed is lost (RFC 9112, 9.5)."""
LEFTOVERS_S: Final = 1.0
"""What is still under way after [server] drain_s is cancelled, and given this long to notice."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a process listens, as far as that is not what its configuration says.

    `public`: a listening socket that other workers accept from too; `admin`: a Unix socket.
    """

    public: Shared | None = None
    admin: Path | None = None
    idle_grace_s: float = 0.0


class PublicListener:
    """The public listener of this process. `url` holds the port that was bound."""

    def __init__(
        self, url: str, server: GatewayServer, stop_accepting: Callable[[], Awaitable[None]], places: Places
    ) -> None:
        self.url = url
        self.is_shared = places.public is not None
        self._server, self._stop_accepting, self._idle_grace_s = server, stop_accepting, places.idle_grace_s

    async def end(self, within_s: float) -> None:
        """Take no more connections, and return when the open ones have ended, at the latest after `within_s`."""
        clock = asyncio.get_running_loop().time
        end = clock() + within_s
        await self._stop_accepting()
        await asyncio.sleep(0)  # what was accepted last gets its protocol in this turn of the loop
        if not await self._server.quiet(min(self._idle_grace_s, within_s)):
            self._server.end_connections()
            await self._server.quiet(max(end - clock(), 0.0))


async def listen_public(
    gateway: Gateway, compiled: Compiled, places: Places, stack: contextlib.AsyncExitStack
) -> PublicListener:
    """Listen for everybody. Raises ConfigFault for an address that cannot be bound."""
    server, front, sockets = compiled.config.server, gateway.front, gateway.sockets
    if front is None or sockets is None:
        raise RuntimeError("the gateway has not been started")

    def malformed(peer: str, request_id: str) -> None:
        trail = Trail(request_id=request_id, surface="unmatched", method="_OTHER", client_ip=peer, started=0.0)
        gateway.gate.refused(Refusal(REQUEST_MALFORMED), trail)
        gateway.metrics.request_ended("unmatched", "_OTHER", REQUEST_MALFORMED.status, "gateway", 0.0)

    listener = GatewayServer(front, ConnectionLimits(server.header_timeout_s, server.keepalive_s), malformed)
    runner = web.ServerRunner(listener, handle_signals=False, shutdown_timeout=LEFTOVERS_S)
    context = await _own_tls(gateway, compiled, stack)
    scheme = "https" if context else "http"
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    if places.public is None:
        bound = await _bind(runner, server.listen, "server.listen", context)

        async def stop() -> None:
            for site in tuple(runner.sites):
                await site.stop()

        return PublicListener(f"{scheme}://{bound}", listener, stop, places)
    accepting = Accepting(places.public, listener, lambda: listener.open_connections + sockets.open_sockets, context)
    listener.changed = accepting.publish
    stack.push_async_callback(accepting.stop)
    url = f"{scheme}://{address_of(places.public.listening, server.listen)}"
    return PublicListener(url, listener, accepting.stop, places)


async def listen_admin(gateway: Gateway, compiled: Compiled, places: Places, stack: contextlib.AsyncExitStack) -> str:
    """Listen for operators, or for the supervisor alone. Raises ConfigFault for an address that cannot be bound."""
    now = gateway.surroundings.clock

    async def audit_ready() -> str | None:
        return gateway.audit.ready(now())

    async def signing_ready() -> str | None:
        return gateway.ring.ready(now())

    async def exposition(accept: str) -> tuple[bytes, str]:
        return gateway.metrics.exposition(accept)

    console = Console(gateway)
    watching = asyncio.create_task(console.watch())

    async def ended() -> None:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    async def states() -> Sequence[Mapping[str, Any]]:
        return [console.state()]

    async def request(request_id: str) -> Sequence[Mapping[str, Any]]:
        return console.request(request_id)

    stack.push_async_callback(ended)
    token = compiled.admin_token
    parts = AdminParts(
        checks={"store": gateway.store.ready, "audit": audit_ready, "signing": signing_ready},
        exposition=exposition,
        tail=gateway.audit.tail,
        is_draining=lambda: gateway.front is not None and gateway.front.draining,
        token=token.reveal() if token is not None else None,
        guarded=gateway.admin_guests().routes(),
        console=ConsoleParts(states, request),
    )
    return await serve_admin(Admin(parts), compiled.config.admin.listen, places.admin, stack)


async def serve_admin(admin: Admin, listen: str, unix: Path | None, stack: contextlib.AsyncExitStack) -> str:
    """Serve these calls at `listen`, or at the Unix socket instead; returns the address."""
    runner = web.AppRunner(admin.application(), handle_signals=False, access_log=None, shutdown_timeout=LEFTOVERS_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    if unix is not None:
        await web.UnixSite(runner, unix).start()
        return str(unix)
    return f"http://{await _bind(runner, listen, 'admin.listen', None)}"


def shared_socket(listen: str) -> socket.socket:
    """The public address as a listening socket that workers inherit. Raises ConfigFault.

    One socket rather than one each with SO_REUSEPORT: what waits to be accepted belongs to no worker, so that none of
    it is lost when workers come and go; with several sockets such connections are dropped (https://lwn.net/Articles/542629/).
    """
    host, port = _split(listen)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as exc:
        raise _cannot("server.listen", listen, exc) from exc
    made.setblocking(False)
    return made


def address_of(listening: socket.socket, listen: str) -> str:
    """host:port, the host as it was written and the port as it was bound."""
    return f"{listen.rpartition(':')[0]}:{listening.getsockname()[1]}"


class _Site(web.TCPSite):
    """aiohttp's, with a time for the TLS handshake: until it is over the clock of the first header does not run."""

    async def start(self) -> None:
        """Listen. Raises OSError."""
        await web.BaseSite.start(self)
        if (server := self._runner.server) is None:
            raise RuntimeError("the runner has not been set up")
        within_s = None if self._ssl_context is None else HANDSHAKE_S
        self._server = await asyncio.get_running_loop().create_server(
            server, self._host, self._port, backlog=self._backlog, reuse_address=True,
            ssl=self._ssl_context, ssl_handshake_timeout=within_s,
        )  # fmt: skip


async def _bind(runner: web.BaseRunner, listen: str, key: str, context: ssl.SSLContext | None) -> str:
    """Listen; returns host:port as bound. Raises ConfigFault naming the key."""
    host, port = _split(listen)
    site = _Site(runner, host, port, ssl_context=context, backlog=BACKLOG)
    try:
        await site.start()
    except OSError as exc:
        raise _cannot(key, listen, exc) from exc
    return f"{listen.rpartition(':')[0]}:{runner.addresses[-1][1]}"


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _cannot(key: str, listen: str, exc: OSError) -> ConfigFault:
    why = exc.strerror if isinstance(exc, socket.gaierror) else os.strerror(exc.errno or 0)
    return ConfigFault([(key, f"{listen} cannot be listened on: {why}")])


async def _own_tls(gateway: Gateway, compiled: Compiled, stack: contextlib.AsyncExitStack) -> ssl.SSLContext | None:
    """The context of own TLS, kept up to date until the end; None behind a balancer. Raises ConfigFault."""
    if (settings := compiled.config.server.tls) is None:
        return None
    directory = compiled.secrets.directory
    tls = await asyncio.to_thread(OwnTls, settings, directory)

    def taken() -> None:
        feed_secrets(gateway.metrics, gateway.compiled, directory)

    watching = asyncio.create_task(tls.watch(compiled.config.secrets.poll_s, taken))

    async def ended() -> None:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    stack.push_async_callback(ended)
    return tls.context
