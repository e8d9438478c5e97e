"""Starts and stops a gateway with its two listeners, answers signals, and reloads without dropping anybody.

The parts are `gateway.py`'s. The rule: a configuration that cannot be used leaves the running one in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import platform
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web

from gateway.app.audit_setup import share_keys
from gateway.app.feeding import measure_lag, probe_store
from gateway.app.gateway import Gateway, Surroundings
from gateway.app.known_secrets import teach
from gateway.app.rotation import SecretWatch, record_rotations, show_fingerprints
from gateway.config.compile import Compiled
from gateway.config.secrets import Secrets
from gateway.errors import REQUEST_MALFORMED, ConfigFault, GatewayError, Refusal
from gateway.gate import Trail
from gateway.observe.audit import records
from gateway.observe.log import REDACTOR
from gateway.web.admin import Admin, AdminParts
from gateway.web.connection import ConnectionLimits, GatewayServer

log = structlog.get_logger(__name__)
Recompile = Callable[[], Compiled]
"""Reads the configuration again; raises GatewayError when it cannot be used."""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that listens. `url` and `admin_url` hold the ports that were bound."""

    gateway: Gateway
    url: str
    admin_url: str


@contextlib.asynccontextmanager
async def running(compiled: Compiled, surroundings: Surroundings) -> AsyncIterator[Running]:
    """Run a gateway for the length of the block; at its end what is under way is finished, within [server] drain_s.

    Raises ConfigFault for a listener that cannot be bound, and what the parts raise when they start.
    """
    teach(REDACTOR, compiled)
    gateway = Gateway(compiled, surroundings)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        await gateway.audit.grant(
            records.gateway_started(
                at=surroundings.clock(),
                pid=os.getpid(),
                python=platform.python_version(),
                config_sha256=checksum(compiled),
            )
        )
        _note_config(gateway, compiled, surroundings.clock())
        show_fingerprints(gateway.metrics, {}, compiled.fingerprints, surroundings.clock())
        url = await _listen_public(gateway, compiled, stack)
        admin_url = await _listen_admin(gateway, compiled, stack)
        warming = asyncio.create_task(gateway.tokens.warm_up())
        lagging = asyncio.create_task(measure_lag(gateway.metrics))
        probing = asyncio.create_task(probe_store(gateway.metrics, gateway.store.ready))
        stack.push_async_callback(_cancelled, warming)
        stack.push_async_callback(_cancelled, lagging)
        stack.push_async_callback(_cancelled, probing)
        sharing = asyncio.create_task(share_keys(gateway.audit))
        stack.push_async_callback(_cancelled, sharing)
        stack.push_async_callback(_drained, gateway, compiled, surroundings)
        yield Running(gateway, url, admin_url)


async def serve(
    compiled: Compiled, surroundings: Surroundings, recompile: Recompile, ready: Callable[[Running], None]
) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads. `ready` is called once both listeners answer."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reloads: asyncio.Queue[None] = asyncio.Queue()
    loop.add_signal_handler(signal.SIGHUP, reloads.put_nowait, None)
    async with running(compiled, surroundings) as run:
        reloader = asyncio.create_task(_reload_on_signal(run.gateway, reloads, recompile, surroundings))
        watching = asyncio.create_task(watch_secrets(run.gateway, lambda: reloads.put_nowait(None)))
        try:
            ready(run)
            await stop.wait()
        finally:
            await _cancelled(watching)
            await _cancelled(reloader)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.remove_signal_handler(number)


async def watch_secrets(gateway: Gateway, changed: Callable[[], None]) -> None:
    """Call `changed` whenever a secret in force has another value at its place. Never returns."""

    def in_force() -> tuple[Secrets, Mapping[str, str]]:
        reader = gateway.compiled.secrets
        return reader, dict(reader.fingerprints)

    rhythm = gateway.compiled.config.secrets
    await SecretWatch(in_force, poll_s=rhythm.poll_s, exec_s=rhythm.exec_s).run(changed)


async def reload(gateway: Gateway, recompile: Recompile, clock: Callable[[], float]) -> bool:
    """Read the configuration again and put it in force. False: it cannot be used, and the old one stays."""
    metrics = gateway.metrics
    try:
        compiled = await asyncio.to_thread(recompile)
        teach(REDACTOR, compiled)
        before = gateway.compiled.fingerprints
        await gateway.audit.grant(records.config_loaded(at=clock(), sha256=checksum(compiled), version=1))
        await record_rotations(gateway.gate, before, compiled.fingerprints, clock())
        gateway.apply(compiled)
        show_fingerprints(metrics, before, compiled.fingerprints, clock())
    except (GatewayError, ValueError) as fault:
        keys = [key for key, _ in fault.faults] if isinstance(fault, ConfigFault) else []
        log.error("config.rejected", reason=str(fault))
        metrics.config_last_reload_successful.child().set(0)
        metrics.config_reloads.child("rejected").inc()
        with contextlib.suppress(Refusal):  # the fault is told in log and metric too
            await gateway.audit.grant(records.config_rejected(at=clock(), reason=type(fault).__name__, keys=keys))
        return False
    log.info("config.reloaded", sha256=checksum(compiled))
    metrics.config_reloads.child("ok").inc()
    _note_config(gateway, compiled, clock())
    return True


def checksum(compiled: Compiled) -> str:
    """SHA-256 of the effective configuration; secrets are in it as references only."""
    return hashlib.sha256(compiled.config.model_dump_json().encode()).hexdigest()


def _note_config(gateway: Gateway, compiled: Compiled, now: float) -> None:
    metrics = gateway.metrics
    metrics.config_last_reload_successful.child().set(1)
    metrics.config_last_reload_success.child().set(now)
    metrics.config_checksum.child().set(int(checksum(compiled)[:12], 16))  # 48 bits: exact in a float


async def _reload_on_signal(
    gateway: Gateway, reloads: asyncio.Queue[None], recompile: Recompile, surroundings: Surroundings
) -> None:
    while True:
        await reloads.get()
        await reload(gateway, recompile, surroundings.clock)


async def _listen_public(gateway: Gateway, compiled: Compiled, stack: contextlib.AsyncExitStack) -> str:
    server, front = compiled.config.server, gateway.front
    if front is None:
        raise RuntimeError("the gateway has not been started")

    def malformed(peer: str, request_id: str) -> None:
        trail = Trail(request_id=request_id, surface="unmatched", method="_OTHER", client_ip=peer, started=0.0)
        gateway.gate.refused(Refusal(REQUEST_MALFORMED), trail)
        gateway.metrics.request_ended("unmatched", "_OTHER", REQUEST_MALFORMED.status, "gateway", 0.0)

    limits = ConnectionLimits(server.header_timeout_s, server.keepalive_s)
    listener = GatewayServer(front.handle, limits, malformed)
    runner = web.ServerRunner(listener, handle_signals=False, shutdown_timeout=server.drain_s)
    context = _tls(compiled)
    bound = await _bind(runner, server.listen, "server.listen", stack, context)
    return f"{'https' if context else 'http'}://{bound}"


async def _listen_admin(gateway: Gateway, compiled: Compiled, stack: contextlib.AsyncExitStack) -> str:
    now = gateway.surroundings.clock

    async def audit_ready() -> str | None:
        return gateway.audit.ready(now())

    async def signing_ready() -> str | None:
        return gateway.ring.ready(now())

    async def exposition(accept: str) -> tuple[bytes, str]:
        return gateway.metrics.exposition(accept)

    token = compiled.admin_token
    parts = AdminParts(
        checks={"store": gateway.store.ready, "audit": audit_ready, "signing": signing_ready},
        exposition=exposition,
        tail=gateway.audit.tail,
        is_draining=lambda: gateway.front is not None and gateway.front.draining,
        token=token.reveal() if token is not None else None,
        guarded=gateway.admin_guests().routes(),
    )
    runner = web.AppRunner(Admin(parts).application(), handle_signals=False, access_log=None, shutdown_timeout=1.0)
    return f"http://{await _bind(runner, compiled.config.admin.listen, 'admin.listen', stack, None)}"


async def _bind(
    runner: web.BaseRunner,
    listen: str,
    key: str,
    stack: contextlib.AsyncExitStack,
    context: ssl.SSLContext | None,
) -> str:
    """Listen; returns host:port as bound. Raises ConfigFault naming the key."""
    host, _, port = listen.rpartition(":")
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=context, backlog=4096, reuse_address=True)
    try:
        await site.start()
    except OSError as exc:
        raise ConfigFault([(key, f"{listen} cannot be listened on: {os.strerror(exc.errno or 0)}")]) from exc
    bound = runner.addresses[-1]
    return f"{host}:{bound[1]}"


def _tls(compiled: Compiled) -> ssl.SSLContext | None:
    tls = compiled.config.server.tls
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(tls.certificate, tls.key)
    return context


async def _drained(gateway: Gateway, compiled: Compiled, surroundings: Surroundings) -> None:
    """Say that we stop, then let sockets and requests end within the time."""
    with contextlib.suppress(Refusal):  # the log may be what made us stop
        await gateway.audit.grant(records.gateway_stopping(at=surroundings.clock(), pid=os.getpid()))
    await gateway.drain(compiled.config.server.drain_s)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def node_name() -> str:
    """The name of this node in records: its host name, in the characters that a file name may have."""
    return "".join(c if c.isalnum() or c == "-" else "-" for c in socket.gethostname().lower())[:40] or "node"
