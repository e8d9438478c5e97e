"""Ports of loopback for servers that must know theirs before they bind it.

Outside the range from which the system gives ports to those who bind port 0 or call out, and for each of the test
processes that run at once a part of its own: nobody else takes a port between the look at it and the server's start.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
from typing import Final

RESERVED: Final = range(12_000, 30_000)
PROCESSES: Final = 16


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    part = len(RESERVED) // PROCESSES
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
    found: list[int] = []
    for port in random.sample(RESERVED[worker * part : (worker + 1) * part], part):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free ports")


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]
