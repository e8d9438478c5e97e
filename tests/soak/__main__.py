"""Soaks one gateway on loopback within bounds, and says of each promise whether it was kept. Exit code 1: one was not.

Promises: memory stays flat after the warm-up (+-5 %), descriptors come back, no socket is left, slow clients are
dropped while others are served, and SIGTERM under load loses nothing that was accepted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench import peers
from tests.bench.load import Ask, drive
from tests.bench.meter import descriptors, resident_kib
from tests.bench.plan import post
from tests.bench.sockets import open_and_close
from tests.bench.subject import Shape, Subject, gateway
from tests.soak.clients import Tally, call_until, hold_slow

FLAT: Final = 1.05
FEW_DESCRIPTORS: Final = 40


@dataclass(slots=True)
class Verdicts:
    """What was found."""

    broken: int = 0
    lines: list[str] = field(default_factory=list)

    def say(self, kept: bool, words: str) -> None:
        """Note one promise."""
        self.broken += not kept
        line = f"{'kept  ' if kept else 'BROKEN'}  {words}"
        self.lines.append(line)
        print(line, flush=True)  # noqa: T201 - a program's own output


def requests(ours: Subject, ask: Ask, count: int, directory: Path, verdicts: Verdicts) -> None:
    """Memory after half of the requests, and after all of them."""
    pid, done, at_half, failed = ours.process.pid, 0, 0, 0
    while done < count:
        sample = drive(ask, ours.port, pid, directory, seconds=5, connections=32)
        done, failed = done + sample.requests, failed + sample.failed
        if at_half == 0 and done >= count // 2:
            at_half = resident_kib(pid)
    end = resident_kib(pid)
    verdicts.say(failed == 0, f"{done} requests, {failed} failed")
    verdicts.say(end <= at_half * FLAT, f"memory {at_half} KiB after half of the requests, {end} KiB after all")


def churn(ours: Subject, count: int, verdicts: Verdicts) -> None:
    """Open and close sockets in batches: nothing of them is left."""
    pid, batch = ours.process.pid, 500
    before, opened, at_half = descriptors(pid), 0, 0
    while opened < count:
        asyncio.run(open_and_close(ours.port, batch))
        opened += batch
        if at_half == 0 and opened >= count // 2:
            at_half = resident_kib(pid)
    left = _settled(lambda: descriptors(pid), before + FEW_DESCRIPTORS)
    end = resident_kib(pid)
    verdicts.say(left <= before + FEW_DESCRIPTORS, f"{opened} sockets; descriptors {before} before, {left} after")
    verdicts.say(end <= at_half * FLAT, f"memory {at_half} KiB after half of the sockets, {end} KiB after all")
    open_now = _metric(ours, "gateway_websocket_connections")
    verdicts.say(open_now == 0, f"{open_now:.0f} sockets counted as open at the end")


def slow(ours: Subject, ask: Ask, count: int, verdicts: Verdicts) -> None:
    """Half a header, a body of a byte a second, silence: dropped in time, and the others are served meanwhile."""
    held = asyncio.run(hold_slow(ours.port, ask, count, within_s=45))
    verdicts.say(held.left == 0, f"{3 * count} slow clients, {held.left} still connected after 45 s")
    served = f"{held.served} requests beside them, {held.failed} failed, the slowest {held.worst_ms:.0f} ms"
    verdicts.say(held.worst_ms < 1000 and held.failed == 0, served)


def ending(ours: Subject, ask: Ask, verdicts: Verdicts) -> None:
    """SIGTERM under load."""
    tally: Tally = asyncio.run(call_until(ours.port, ask, lambda: ours.process.send_signal(signal.SIGTERM)))
    code = ours.process.wait(30)
    verdicts.say(tally.lost == 0, f"SIGTERM under load: {tally.answered} answered, {tally.lost} lost after acceptance")
    verdicts.say(code == 0, f"exit code {code}")


def _settled(look: Callable[[], int], at_most: int, within_s: float = 20.0) -> int:
    """The figure once it is low enough, or when the time is up."""
    end = time.monotonic() + within_s
    while (found := look()) > at_most and time.monotonic() < end:
        time.sleep(0.2)
    return found


def _metric(ours: Subject, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{ours.admin_port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def main() -> int:
    """Parse the arguments and soak."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="requests (default 100000)")
    parser.add_argument("--sockets", type=int, default=10_000, help="sockets opened and closed (default 10000)")
    parser.add_argument("--slow", type=int, default=100, help="slow clients of each kind (default 100)")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    verdicts = Verdicts()
    with tempfile.TemporaryDirectory(prefix="gateway-soak-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        behind = stack.enter_context(peers.upstream(directory))
        _, echo_port = stack.enter_context(peers.FIXED.running(directory, 0))
        shape = Shape(f"http://127.0.0.1:{behind.port}", f"ws://127.0.0.1:{echo_port}")
        ours = stack.enter_context(gateway(shape, directory))
        ask = post(ours.session())
        requests(ours, ask, given.requests, directory, verdicts)
        churn(ours, given.sockets, verdicts)
        slow(ours, ask, given.slow, verdicts)
        ending(ours, post(ours.session()), verdicts)
    return 1 if verdicts.broken else 0


if __name__ == "__main__":
    sys.exit(main())
