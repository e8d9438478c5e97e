"""The parts of the soak: each does something a great many times to a running gateway, and judges what came of it.

Leaves the clients to clients.py and guests.py, and other people's tools to tools.py. The rule: whatever was opened is
closed again before memory and descriptors are judged.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.load import Ask, drive
from tests.bench.meter import descriptors, resident_kib
from tests.bench.plan import post
from tests.bench.subject import Subject
from tests.soak import tools
from tests.soak.clients import Tally, call_until, hold_slow
from tests.soak.guests import close_guests, open_guests
from tests.soak.verdicts import Verdicts, settled

CONNECTIONS: Final = 32
FEW_DESCRIPTORS: Final = 40
OWN_DESCRIPTORS: Final = 100
"""What the gateway needs beside those of sockets; each socket takes two."""
CHURN: Final = 500
TARGETS: Final = {
    "slow headers": "/sites/shop/widget.js",
    "slow body": "/oauth/token",
    "slow read": "/sites/shop/widget.js",
}
ATTACK_S: Final = 50
"""Longer than the time for a header (10 s), and than that for a body (30 s)."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What every part works on."""

    ours: Subject
    directory: Path
    verdicts: Verdicts

    @property
    def pid(self) -> int:
        """The process that is watched."""
        return self.ours.process.pid

    def open_sockets(self) -> float:
        """How many sockets the gateway counts as open."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ours.admin_port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        name = "gateway_websocket_connections"
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def requests(on: Ground, count: int) -> None:
    """Memory after half of the requests, and after all of them."""
    done, at_half, failed, ask = 0, 0, 0, post(on.ours.session())
    while done < count:
        sample = drive(ask, on.ours.port, on.pid, on.directory, seconds=5, connections=CONNECTIONS)
        done, failed = done + sample.requests, failed + sample.failed
        if at_half == 0 and done >= count // 2:
            at_half = resident_kib(on.pid)
    on.verdicts.say(failed == 0, f"{done} requests, {failed} failed")
    on.verdicts.flat("requests", at_half, resident_kib(on.pid))


def churn(on: Ground, count: int) -> None:
    """Sockets of ever new guests, opened and closed in batches: nothing of them is left."""
    before, opened, at_half = descriptors(on.pid), 0, 0

    async def batch() -> None:
        await close_guests(await open_guests(on.ours.port, CHURN))

    while opened < count:
        asyncio.run(batch())
        opened += CHURN
        if at_half == 0 and opened >= count // 2:
            at_half = resident_kib(on.pid)
    _all_gone(on, before, f"{opened} sockets in turn")
    on.verdicts.flat("sockets", at_half, resident_kib(on.pid))


def idle(on: Ground, count: int) -> None:
    """Many idle sockets at once, twice: they cost what they cost the first time, and nothing of them is left."""
    fitting = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OWN_DESCRIPTORS) // 2
    if fitting < count:
        on.verdicts.skip(f"{count - fitting} of {count} idle sockets: this machine gives a process too few descriptors")
        count = fitting
    before, resting = descriptors(on.pid), resident_kib(on.pid)
    peaks: list[int] = []
    rests: list[int] = []
    for _ in range(2):
        asyncio.run(_hold_idle(on, count, peaks))
        _all_gone(on, before, f"{count} idle sockets at once")
        rests.append(resident_kib(on.pid))
    on.verdicts.note(f"{(peaks[0] - resting) / count:.1f} KiB for each of the first {count} idle sockets")
    on.verdicts.flat("idle sockets (two rounds), closed", *rests)
    on.verdicts.flat("idle sockets (two rounds), open", *peaks)


async def _hold_idle(on: Ground, count: int, peaks: list[int]) -> None:
    """Open all, see that all are open, and close them."""
    guests = await open_guests(on.ours.port, count)
    counted = await asyncio.to_thread(on.open_sockets)
    on.verdicts.say(counted == count, f"{counted:.0f} of {count} sockets are open at once")
    peaks.append(resident_kib(on.pid))
    gone = await close_guests(guests)
    on.verdicts.say(gone == 0, f"{gone} of {count} idle sockets were cut while they were idle")


def _all_gone(on: Ground, before: int, what: str) -> None:
    """Judge descriptors and the gauge."""
    most = before + FEW_DESCRIPTORS
    left = settled(lambda: descriptors(on.pid), most)
    on.verdicts.say(left <= most, f"{what}; descriptors {before} before, {left:.0f} after")
    still = settled(on.open_sockets, 0)
    on.verdicts.say(still == 0, f"{what}; {still:.0f} counted as open at the end")


def slow(on: Ground, count: int) -> None:
    """Half a header, a body of a byte a second, silence: dropped in time, and the others are served meanwhile."""
    held = asyncio.run(hold_slow(on.ours.port, post(on.ours.session()), count, within_s=45))
    on.verdicts.say(held.left == 0, f"{3 * count} slow clients, {held.left} still connected after 45 s")
    served = f"{held.served} requests beside them, {held.failed} failed, the slowest {held.worst_ms:.0f} ms"
    on.verdicts.say(held.worst_ms < 1000 and held.failed == 0, served)


def attacks(on: Ground, count: int) -> None:
    """slowhttptest's slow headers, slow bodies and slow reads: the first two are dropped, others are served."""
    if not tools.is_here("slowhttptest"):
        on.verdicts.skip("slow headers, bodies and reads by slowhttptest, which is not installed")
        return
    before = descriptors(on.pid)
    for kind, path in TARGETS.items():
        found = tools.attack(kind, f"http://127.0.0.1:{on.ours.port}{path}", count, ATTACK_S)
        served = f"slowhttptest, {kind}, {count} connections: {found.answered} of {found.probes} looks were answered"
        on.verdicts.say(found.answered == found.probes, served)
        if kind != "slow read":  # who reads slowly, but reads, is served: it costs a connection and no thread
            on.verdicts.say(found.all_closed, f"slowhttptest, {kind}: all dropped after {found.seconds} s")
    most = before + FEW_DESCRIPTORS
    left = settled(lambda: descriptors(on.pid), most, within_s=90)
    on.verdicts.say(left <= most, f"after slowhttptest: descriptors {before} before, {left:.0f} after")


def bursts(on: Ground, count: int) -> None:
    """h2load over HTTP/1.1, with few and with many connections: every answer is a 2xx."""
    if not tools.is_here("h2load"):
        on.verdicts.skip("bursts by h2load, which is not installed")
        return
    for connections in (16, 256):
        found = tools.burst(post(on.ours.session()), on.ours.port, on.directory, count, connections)
        words = f"h2load, {connections} connections: {found.succeeded} of {found.total} answered with 2xx"
        on.verdicts.say(found.succeeded == found.total and found.failed == 0, words)


def ending(on: Ground) -> None:
    """SIGTERM under load, with sockets open: every request that was accepted is answered, every socket told."""
    ask = post(on.ours.session())
    tally, told = asyncio.run(_end_under_load(on, ask))
    code = on.ours.process.wait(60)
    on.verdicts.say(
        tally.lost == 0, f"SIGTERM under load: {tally.answered} answered, {tally.lost} lost after acceptance"
    )
    on.verdicts.say(told, "SIGTERM under load: each open socket was closed with 1001")
    on.verdicts.say(code == 0, f"exit code {code}")


async def _end_under_load(on: Ground, ask: Ask) -> tuple[Tally, bool]:
    guests = await open_guests(on.ours.port, CHURN)
    tally = await call_until(on.ours.port, ask, lambda: on.ours.process.send_signal(signal.SIGTERM))
    async with asyncio.timeout(60):
        await asyncio.gather(*(guest.lost for guest in guests))
    return tally, all(guest.close_code == 1001 for guest in guests)
