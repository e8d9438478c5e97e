"""slowhttptest and h2load against the gateway: run within bounds, and their words read into figures.

Leaves judging to the soak. The rule: words that cannot be read are a fault, never a success.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.load import Ask

SLOW_KINDS: Final = {
    "slow headers": ("-H", "-i", "3"),
    "slow body": ("-B", "-s", "8192", "-f", "application/json", "-x", "10", "-i", "3"),
    "slow read": ("-X", "-w", "10", "-y", "20", "-n", "5", "-z", "5", "-k", "3"),
}
_AVAILABLE: Final = re.compile(r"service available:\s+(YES|NO)")
_ENDED: Final = re.compile(r"Test ended on (\d+)\w+ second\s+Exit status: ([^\n]+)")
_NONE_LEFT: Final = "No open connections left"
_DONE: Final = re.compile(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed")
_CODES: Final = re.compile(r"status codes: (\d+) 2xx")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Attack:
    """What slowhttptest saw: how often its probe was answered, when it ended, and whether all was closed by then."""

    probes: int
    answered: int
    seconds: int
    all_closed: bool


@dataclass(frozen=True, slots=True)
class Burst:
    """What h2load counted."""

    total: int
    succeeded: int
    failed: int


def is_here(program: str) -> bool:
    """Is the program installed?"""
    return shutil.which(program) is not None


def attack(kind: str, url: str, connections: int, seconds: int) -> Attack:
    """Run one kind of slow attack. Raises RuntimeError when what it says cannot be read."""
    command = [
        "slowhttptest", *SLOW_KINDS[kind], "-c", str(connections), "-r", str(max(connections // 3, 1)),
        "-l", str(seconds), "-p", "3", "-u", url,
    ]  # fmt: skip
    said = _COLOURS.sub("", _said(command, seconds + 60))
    probes, ended = _AVAILABLE.findall(said), _ENDED.search(said)
    if not probes or ended is None:
        raise RuntimeError(f"slowhttptest said: {said[-600:]}")
    return Attack(len(probes), probes.count("YES"), int(ended[1]), ended[2].strip() == _NONE_LEFT)


def burst(ask: Ask, port: int, directory: Path, requests: int, connections: int) -> Burst:
    """Have h2load ask over HTTP/1.1. Raises RuntimeError when what it says cannot be read."""
    body = directory / "h2load-body.json"
    body.write_text(ask.body)
    headers = [part for name, value in ask.headers.items() for part in ("-H", f"{name}: {value}")]
    command = [
        "h2load", "--h1", "-n", str(requests), "-c", str(connections), "-t", "1", "-d", str(body), *headers,
        f"http://127.0.0.1:{port}{ask.path}",
    ]  # fmt: skip
    said = _said(command, 600)
    done, codes = _DONE.search(said), _CODES.search(said)
    if done is None or codes is None:
        raise RuntimeError(f"h2load said: {said[-600:]}")
    return Burst(int(done[1]), min(int(done[3]), int(codes[1])), int(done[1]) - int(done[2]) + int(done[4]))


def _said(command: list[str], within_s: float) -> str:
    """What a tool printed; its exit code says nothing of use, its words are read instead."""
    return subprocess.run(command, capture_output=True, text=True, timeout=within_s, check=False).stdout
