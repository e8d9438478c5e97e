"""Soaks one gateway on loopback within bounds, and says of each promise whether it was kept. Exit code 1: one was not.

Promises: memory stays flat (+5 %), descriptors come back, no socket is left, slow clients are dropped while others are
served, bursts are answered, and SIGTERM under load loses nothing that was accepted. What each part does is parts.py's.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.bench import peers
from tests.bench.subject import Shape, gateway
from tests.soak import parts
from tests.soak.parts import Ground
from tests.soak.verdicts import Verdicts

Part = Callable[[Ground, argparse.Namespace], None]
PARTS: Final[dict[str, Part]] = {
    "requests": lambda on, given: parts.requests(on, given.requests),
    "sockets": lambda on, given: parts.churn(on, given.sockets),
    "idle": lambda on, given: parts.idle(on, given.idle),
    "slow": lambda on, given: parts.slow(on, given.slow),
    "attacks": lambda on, given: parts.attacks(on, given.attack),
    "bursts": lambda on, given: parts.bursts(on, given.bursts),
    "end": lambda on, given: parts.ending(on),
}
"""In the order in which they run; `end` ends the gateway."""


def main() -> int:
    """Parse the arguments and soak."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--requests", type=int, default=100_000, help="requests (default 100000)")
    parser.add_argument("--sockets", type=int, default=10_000, help="sockets opened and closed in turn (default 10000)")
    parser.add_argument("--idle", type=int, default=10_000, help="idle sockets at once (default 10000)")
    parser.add_argument("--slow", type=int, default=100, help="slow clients of each kind (default 100)")
    parser.add_argument("--attack", type=int, default=300, help="connections of slowhttptest (default 300)")
    parser.add_argument("--bursts", type=int, default=20_000, help="requests of each h2load burst (default 20000)")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    verdicts = Verdicts()
    with tempfile.TemporaryDirectory(prefix="gateway-soak-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        behind = stack.enter_context(peers.upstream(directory))
        _, echo_port = stack.enter_context(peers.FIXED.running(directory, 0))
        shape = Shape(f"http://127.0.0.1:{behind.port}", f"ws://127.0.0.1:{echo_port}")
        on = Ground(stack.enter_context(gateway(shape, directory)), directory, verdicts)
        for part in PARTS:
            if not given.parts or part in given.parts:
                PARTS[part](on, given)
    return 1 if verdicts.broken else 0


if __name__ == "__main__":
    sys.exit(main())
