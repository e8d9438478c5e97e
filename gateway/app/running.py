"""Starts and stops a gateway with its two listeners, answers signals, and reloads without dropping anybody.

The parts are `gateway.py`'s, the listeners `listeners.py`'s. The rule: a configuration that cannot be used leaves the
running one in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import platform
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from gateway import __version__
from gateway.app.audit_setup import share_keys
from gateway.app.feeding import measure_lag, probe_store
from gateway.app.gateway import Gateway, Surroundings
from gateway.app.known_secrets import teach
from gateway.app.listeners import IDLE_GRACE_S, Places, PublicListener, listen_admin, listen_public
from gateway.app.rotation import SecretWatch, record_rotations, show_fingerprints
from gateway.app.settled import settle
from gateway.build import build_form
from gateway.config.compile import Compiled
from gateway.config.describe import changed_keys
from gateway.config.secrets import Secrets
from gateway.errors import ConfigFault, GatewayError, Refusal
from gateway.observe.audit import records
from gateway.observe.log import REDACTOR

log = structlog.get_logger(__name__)
Recompile = Callable[[], Compiled]
"""Reads the configuration again; raises GatewayError when it cannot be used."""
OWN_PLACES: Final = Places()


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that listens. `url` and `admin_url` hold the ports that were bound."""

    gateway: Gateway
    url: str
    admin_url: str


@contextlib.asynccontextmanager
async def running(
    compiled: Compiled, surroundings: Surroundings, places: Places = OWN_PLACES
) -> AsyncIterator[Running]:
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
                predecessors=await asyncio.to_thread(gateway.audit.predecessors),
            )
        )
        _note_config(gateway, compiled, surroundings.clock())
        show_fingerprints(gateway.metrics, {}, compiled.fingerprints, surroundings.clock())
        log.info("gateway.started", version=__version__, build=build_form(), pid=os.getpid())
        public = await listen_public(gateway, compiled, places, stack)
        admin_url = await listen_admin(gateway, compiled, places, stack)
        warming = asyncio.create_task(gateway.tokens.warm_up())
        lagging = asyncio.create_task(measure_lag(gateway.metrics))
        probing = asyncio.create_task(probe_store(gateway.metrics, gateway.store.ready))
        stack.push_async_callback(_cancelled, warming)
        stack.push_async_callback(_cancelled, lagging)
        stack.push_async_callback(_cancelled, probing)
        sharing = asyncio.create_task(share_keys(gateway.audit))
        stack.push_async_callback(_cancelled, sharing)
        stack.push_async_callback(_drained, gateway, public, surroundings)
        yield Running(gateway, public.url, admin_url)


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
    loop.add_signal_handler(signal.SIGUSR2, log.warning, "signal.nothing_to_replace")  # untended it would end us
    async with running(compiled, surroundings, Places(idle_grace_s=IDLE_GRACE_S)) as run:
        reloader = asyncio.create_task(_reload_on_signal(run.gateway, reloads, recompile, surroundings))
        watching = asyncio.create_task(watch_secrets(lambda: run.gateway.compiled, lambda: reloads.put_nowait(None)))
        try:
            settle()
            ready(run)
            await stop.wait()
        finally:
            await _cancelled(watching)
            await _cancelled(reloader)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        loop.remove_signal_handler(number)


async def watch_secrets(in_force: Callable[[], Compiled], changed: Callable[[], None]) -> None:
    """Call `changed` whenever a secret in force has another value at its place. Never returns."""

    def reader() -> tuple[Secrets, Mapping[str, str]]:
        secrets = in_force().secrets
        return secrets, dict(secrets.fingerprints)

    rhythm = in_force().config.secrets
    await SecretWatch(reader, poll_s=rhythm.poll_s, exec_s=rhythm.exec_s).run(changed)


async def reload(gateway: Gateway, recompile: Recompile, clock: Callable[[], float]) -> bool:
    """Read the configuration again and put it in force. False: it cannot be used, and the old one stays."""
    try:
        await take(gateway, await asyncio.to_thread(recompile), clock)
    except (GatewayError, ValueError) as fault:
        await note_rejection(gateway, *words_of(fault), clock)
        return False
    return True


async def take(gateway: Gateway, compiled: Compiled, clock: Callable[[], float]) -> None:
    """Put a configuration in force, on record first. Raises GatewayError or ValueError; the old one then stays."""
    teach(REDACTOR, compiled)
    before = gateway.compiled.fingerprints
    keys = changed_keys(gateway.compiled.config, compiled.config)
    await gateway.audit.grant(
        records.config_loaded(at=clock(), sha256=checksum(compiled), version=1, changed_keys=keys)
    )
    await record_rotations(gateway.gate, before, compiled.fingerprints, clock())
    gateway.apply(compiled)
    show_fingerprints(gateway.metrics, before, compiled.fingerprints, clock())
    log.info("config.reloaded", sha256=checksum(compiled))
    gateway.metrics.config_reloads.child("ok").inc()
    _note_config(gateway, compiled, clock())


async def note_rejection(gateway: Gateway, reason: str, keys: Sequence[str], clock: Callable[[], float]) -> None:
    """Put on record and in the metrics that a configuration was not taken."""
    gateway.metrics.config_last_reload_successful.child().set(0)
    gateway.metrics.config_reloads.child("rejected").inc()
    with contextlib.suppress(Refusal):  # the fault is told in log and metric too
        await gateway.audit.grant(records.config_rejected(at=clock(), reason=reason, keys=list(keys)))


def words_of(fault: Exception) -> tuple[str, list[str]]:
    """The kind of a fault and the keys that it names, for records; its whole text goes to the log."""
    log.error("config.rejected", reason=str(fault))
    return type(fault).__name__, [key for key, _ in fault.faults] if isinstance(fault, ConfigFault) else []


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


async def _drained(gateway: Gateway, public: PublicListener, surroundings: Surroundings) -> None:
    """Say that we stop, then let sockets and requests end within the time; other workers take what comes new."""
    with contextlib.suppress(Refusal):  # the log may be what made us stop
        await gateway.audit.grant(records.gateway_stopping(at=surroundings.clock(), pid=os.getpid()))
    within_s, clock = gateway.compiled.config.server.drain_s, asyncio.get_running_loop().time
    end = clock() + within_s
    if public.is_shared:
        await asyncio.gather(gateway.drain(within_s), public.end(within_s))
    else:
        await gateway.drain(within_s)
        await public.end(max(end - clock(), 0.0))


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
