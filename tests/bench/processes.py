"""Starts the programs that are measured and stops exactly those, each waited for until it answers.

Leaves what they are to peers.py and subject.py. The rule: every port is free when it is taken, and every process that
was started here is ended here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


class DidNotStartError(RuntimeError):
    """A program did not listen in time; the message holds the end of what it said."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in taken]


def answers(port: int) -> bool:
    """Does somebody listen there?"""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def program(
    command: Sequence[str], port: int, directory: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the length of the block, from when it listens on `port`. Raises DidNotStartError."""
    said = directory / f"{Path(command[0]).name}-{port}.out"
    with said.open("wb") as out:
        process = subprocess.Popen(
            list(command), cwd=directory, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, **(environ or {})}, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_listening(process, port, said)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_listening(process: subprocess.Popen[bytes], port: int, said: Path) -> None:
    """Return once the port answers. Raises DidNotStartError when the process ends or the time is up."""
    give_up = time.monotonic() + START_TIMEOUT_S
    while not answers(port):
        if process.poll() is not None or time.monotonic() > give_up:
            raise DidNotStartError(f"{process.args!r}: {said.read_text(errors='replace')[-1500:]}")
        time.sleep(0.02)
