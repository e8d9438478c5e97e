"""The compiled build as a second subject, where `make compiled` has left one of the sources as they are now.

Leaves measuring to the parts. The rule: machine code that was made of other sources is not measured, and that is said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.build import build_form
from tests.bench.plan import Plan
from tests.bench.report import Report

ROOT: Final = Path(__file__).resolve().parents[2]
SITE: Final = ROOT / ".cache" / "compiled" / "site"
SUFFIX: Final = ", compiled"
Part = Callable[[Plan, Report], None]


def compiled_environ() -> dict[str, str] | None:
    """The environment in which Python imports the compiled package; None where there is none of these sources."""
    if build_form() == "compiled" or not SITE.is_dir():
        return None
    stale = [path for path in (ROOT / "gateway").rglob("*.py") if not _is_same(path, SITE / path.relative_to(ROOT))]
    if stale:
        print(f"... {SITE} was made of other sources: make compiled", file=sys.stderr)  # noqa: T201 - a program's own
        return None
    return {"PYTHONPATH": f"{SITE}{os.pathsep}{ROOT}"}


def _is_same(source: Path, copy: Path) -> bool:
    return copy.is_file() and source.read_bytes() == copy.read_bytes()


def in_both_forms(name: str, part: Part) -> Part:
    """The part as it is, and once more in a process that imports the compiled package."""

    def run(plan: Plan, report: Report) -> None:
        before = len(report.rows)
        part(plan, report)
        environ = compiled_environ()
        if environ is None:
            return
        written = plan.directory / "compiled.json"
        subprocess.run(
            [sys.executable, "-P", "-m", "tests.bench", name, "--json", str(written)],
            cwd=plan.directory, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        own = report.rows[before:]
        for row, mine in zip(json.loads(written.read_text())["rows"], own, strict=True):
            report.add(row["part"], row["subject"] + SUFFIX, **row["figures"])
            report.compare(mine.part, mine.subject + SUFFIX, mine.subject, "loop_us")

    return run
