"""Whether the measured programs had a core when they wanted one: how long they waited, and how to let them go first.

On a shared machine most of a slow answer is waiting for a core, which says nothing about the server. Leaves what is
measured to the parts. The rule: whoever is let go first is named in the table.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.bench.meter import family

FIRST: Final = os.sched_param(1)


def waited_s(pid: int) -> float:
    """Seconds that all threads of a process and its children have been ready to run and had no core."""
    total = 0
    for thread in _threads(pid):
        try:
            total += int(Path(f"/proc/{thread}/schedstat").read_text().split()[1])
        except OSError:
            continue
    return total / 1e9


def let_go_first(pids: Sequence[int]) -> bool:
    """Run these processes and their children before all ordinary ones from now on. False: that is not allowed here."""
    try:
        for pid in pids:
            for thread in _threads(pid):
                os.sched_setscheduler(thread, os.SCHED_RR, FIRST)
    except PermissionError:
        return False
    return True


def go_along(pid: int = 0) -> None:
    """Take a place among the ordinary processes again; the opposite of `let_go_first`, for this one process."""
    os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


def _threads(pid: int) -> list[int]:
    return [int(task.name) for member in family(pid) for task in Path(f"/proc/{member}/task").glob("*")]
