"""How many workers [server] workers asks for; "auto" is what this process may use of the machine's processors.

The rule: a container with half a processor on a machine with 64 gets one worker, not 64.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

from gateway.config.check_network import MAX_WORKERS

QUOTA_FILE: Final = Path("/sys/fs/cgroup/cpu.max")


def worker_count(asked: int | Literal["auto"], quota_file: Path = QUOTA_FILE) -> int:
    """The number of workers, at least one."""
    if asked != "auto":
        return asked
    usable = len(os.sched_getaffinity(0))
    quota = _quota(quota_file)
    return max(1, min(usable, MAX_WORKERS, usable if quota is None else int(quota)))


def _quota(file: Path) -> float | None:
    """Processors that the control group may use, None without a limit.

    "$MAX $PERIOD" in microseconds: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    """
    try:
        most, period = file.read_text().split()
        return None if most == "max" else int(most) / int(period)
    except (OSError, ValueError):
        return None  # another kind of control group, or none
