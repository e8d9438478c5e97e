"""Drives HTTP load with wrk and reads what it reports; the requests look like those of a chat page.

Leaves the cost of the server to meter.py. The rule: an answer other than 2xx or 3xx is counted, never overlooked.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.meter import usage

MESSAGE: Final = (
    '{"body":"My parcel 1234 has still not come, could somebody please look where it is just now?",'
    '"bodyType":"standard"}'
)
PAGE_HEADERS: Final = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    "Accept": "*/*",
    "Accept-Language": "en-US,en;q=0.9",
    "Referer": "https://shop.example.com/",
    "Cookie": "a=1; b=2",
    "Origin": "https://shop.example.com",
}
_TURNS: Final = """local at = 0
request = function()
  at = at % #callers + 1
  wrk.headers["Authorization"] = callers[at][2]
  return wrk.format(nil, callers[at][1])
end"""
_UNITS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_COUNT: Final = re.compile(r"(\d+) requests in")
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_LATENCY: Final = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)\s*$", re.MULTILINE)
_REFUSED: Final = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_ERRORS: Final = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of request."""

    path: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    callers: tuple[tuple[str, str], ...] = ()
    """Paths and bearers that take turns; empty: the one path, and the bearer among the headers."""

    def script(self) -> str:
        """The request as wrk's Lua."""
        lines = [f"wrk.method = {_lua(self.method)}"]
        if self.body:
            lines.append(f"wrk.body = {_lua(self.body)}")
        lines += [f"wrk.headers[{_lua(name)}] = {_lua(value)}" for name, value in self.headers.items()]
        if self.callers:
            pairs = ",".join(f"{{{_lua(path)},{_lua('Bearer ' + bearer)}}}" for path, bearer in self.callers)
            lines += [f"local callers = {{{pairs}}}", _TURNS]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: CPU of the server per request, throughput, latency, and what went wrong."""

    cpu_us: float
    per_s: float
    p50_ms: float
    p99_ms: float
    failed: int
    requests: int


def drive(ask: Ask, port: int, pid: int, directory: Path, *, seconds: float, connections: int) -> Sample:
    """Load one server and measure it; a short warm-up goes first."""
    script = directory / f"ask-{port}.lua"
    script.write_text(ask.script())
    _wrk(script, ask, port, 1, connections)
    before = usage(pid).total_s
    said = _wrk(script, ask, port, seconds, connections)
    spent_s = usage(pid).total_s - before
    requests = int(_found(_COUNT, said))
    latency = {name: float(number) * _UNITS[unit] for name, number, unit in _LATENCY.findall(said)}
    refused = _REFUSED.search(said)
    errors = _ERRORS.search(said)
    failed = int(refused[1]) if refused else 0
    failed += sum(map(int, errors.groups())) if errors else 0
    return Sample(
        spent_s / max(requests, 1) * 1e6, float(_found(_RATE, said)), latency.get("50", 0.0), latency.get("99", 0.0),
        failed, requests,
    )  # fmt: skip


def _wrk(script: Path, ask: Ask, port: int, seconds: float, connections: int) -> str:
    command = [
        "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", str(script),
        f"http://127.0.0.1:{port}{ask.path}",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    if match is None:
        raise RuntimeError(f"wrk did not say {pattern.pattern!r}: {text[-500:]}")
    return match[1]


def _lua(text: str) -> str:
    """A Lua string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
