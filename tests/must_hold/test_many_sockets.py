"""A thousand idle sockets at once, twice, and as many in turn, over a gateway that is a process of its own.

The same as `make soak` does with ten times as many: descriptors, the gauge and memory come back.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

from tests.bench import peers
from tests.bench.subject import Shape, gateway
from tests.soak import parts
from tests.soak.parts import Ground
from tests.soak.verdicts import Verdicts

SOCKETS = 1_000


@contextlib.contextmanager
def all_descriptors() -> Iterator[None]:
    """As many descriptors as this process, and those that it starts, may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_idle_sockets_at_once_leave_nothing(tmp_path: Path) -> None:
    verdicts = Verdicts()
    with contextlib.ExitStack() as stack:
        stack.enter_context(all_descriptors())
        _, echo_port = stack.enter_context(peers.FIXED.running(tmp_path, 0))
        shape = Shape("http://127.0.0.1:9", f"ws://127.0.0.1:{echo_port}")
        on = Ground(stack.enter_context(gateway(shape, tmp_path)), tmp_path, verdicts)
        parts.idle(on, SOCKETS)
        parts.churn(on, SOCKETS)
    assert verdicts.broken == 0, verdicts.said
