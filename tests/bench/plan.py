"""How a part measures: subjects take turns, the median of the rounds counts. Leaves what is measured to the parts."""

from __future__ import annotations

import statistics
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.bench.load import MESSAGE, PAGE_HEADERS, Ask, Sample, drive
from tests.bench.report import Report
from tests.bench.subject import POST_PATH

OURS: Final = "gateway"
NO_SOCKETS: Final = "ws://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and where."""

    directory: Path
    seconds: float
    rounds: int
    sockets: int

    def within(self, directory: Path) -> Plan:
        """The same in another directory."""
        return replace(self, directory=directory)


Target = tuple[subprocess.Popen[bytes], int, Ask]


def post(handle: str = "gws_a-handle-that-nobody-checks-0123456789abcdefghij") -> Ask:
    """The call that is measured: a message of a guest."""
    headers = {**PAGE_HEADERS, "Content-Type": "application/json", "Authorization": f"Bearer {handle}"}
    return Ask(POST_PATH, "POST", headers, MESSAGE)


def take_turns(plan: Plan, targets: dict[str, Target], connections: int) -> dict[str, list[Sample]]:
    """Measure each in turn, `rounds` times."""
    samples: dict[str, list[Sample]] = {name: [] for name in targets}
    for _ in range(plan.rounds):
        for name, (process, port, ask) in targets.items():
            samples[name].append(
                drive(ask, port, process.pid, plan.directory, seconds=plan.seconds, connections=connections)
            )
    return samples


def tell(report: Report, part: str, samples: dict[str, list[Sample]]) -> None:
    """Medians of the rounds into the report."""
    for name, taken in samples.items():
        report.add(
            part, name,
            cpu_us=statistics.median(one.cpu_us for one in taken),
            per_s=statistics.median(one.per_s for one in taken),
            p50_ms=statistics.median(one.p50_ms for one in taken),
            p99_ms=statistics.median(one.p99_ms for one in taken),
            failed=sum(one.failed for one in taken),
        )  # fmt: skip
