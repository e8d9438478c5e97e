"""What a process and its children cost: CPU seconds and proportional memory, as the kernel counts them.

Leaves starting and loading to others. The rule: the whole tree counts, so that nobody hides work in a child.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds used so far."""

    user_s: float
    system_s: float

    @property
    def total_s(self) -> float:
        """Both together."""
        return self.user_s + self.system_s


def family(pid: int) -> list[int]:
    """The process and all its descendants that live now."""
    found = [pid]
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listing.read_text().split()
        except OSError:
            continue
        for child in children:
            found += family(int(child))
    return found


def usage(pid: int) -> Usage:
    """CPU seconds of the family; a member that has just gone is left out."""
    user = system = 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        user, system = user + int(fields[11]), system + int(fields[12])
    return Usage(user / TICKS_PER_S, system / TICKS_PER_S)


def memory_kib(pid: int) -> int:
    """Proportional set size of the family: pages that several share are divided among them."""
    total = 0
    for member in family(pid):
        try:
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


def resident_kib(pid: int) -> int:
    """Resident set size of one process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def descriptors(pid: int) -> int:
    """Open descriptors of one process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
