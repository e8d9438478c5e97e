"""The figures of a run: rows by part and subject, with ratios against the named peers; as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One measured subject. `figures` in the units that their names hold."""

    part: str
    subject: str
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure against another of the same run, and what was aimed at (None: told only)."""

    part: str
    what: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the aim was reached."""
        if self.at_most is None and self.at_least is None:
            return ""
        good = (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )
        return "reached" if good else "MISSED"


@dataclass(slots=True)
class Report:
    """Collects."""

    rows: list[Row] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    failed: int = 0

    def add(self, part: str, subject: str, **figures: float) -> None:
        """Add one subject; `failed` requests among its figures are summed up."""
        self.rows.append(Row(part, subject, figures))
        self.failed += int(figures.get("failed", 0))

    def figure(self, part: str, subject: str, name: str) -> float | None:
        """A figure of this run, None when it was not measured."""
        for row in self.rows:
            if (row.part, row.subject) == (part, subject):
                return row.figures.get(name)
        return None

    def compare(
        self,
        part: str,
        subject: str,
        other: str,
        name: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Add subject / other for one figure, when both were measured."""
        mine, theirs = self.figure(part, subject, name), self.figure(part, other, name)
        if mine is not None and theirs:
            self.ratios.append(Ratio(part, f"{name}: {subject} / {other}", mine / theirs, at_most, at_least))

    def hold(
        self, part: str, what: str, value: float, *, at_most: float | None = None, at_least: float | None = None
    ) -> None:
        """Add a figure that has an aim of its own."""
        self.ratios.append(Ratio(part, what, value, at_most, at_least))

    def table(self) -> str:
        """Everything as plain text."""
        lines: list[str] = []
        part = ""
        for row in self.rows:
            if row.part != part:
                part = row.part
                lines.append(f"\n{part:<26}" + "".join(f"{name:>12}" for name in row.figures))
            lines.append(f"  {row.subject:<24}" + "".join(f"{_short(value):>12}" for value in row.figures.values()))
        lines.append(f"\n{'ratios and aims':<62}{'value':>8}{'aim':>10}")
        for ratio in self.ratios:
            aim = "" if ratio.at_most is None else f"<= {ratio.at_most:g}"
            aim = aim if ratio.at_least is None else f">= {ratio.at_least:g}"
            lines.append(f"  {ratio.part + ': ' + ratio.what:<60}{ratio.value:>8.2f}{aim:>10} {ratio.verdict}")
        lines.append(f"\nfailed requests: {self.failed}")
        return "\n".join(lines)

    def json(self) -> str:
        """Everything as JSON, with the machine it was measured on."""
        machine = {
            "cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(),
            "kernel": platform.release(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }  # fmt: skip
        ratios = [{**asdict(ratio), "verdict": ratio.verdict} for ratio in self.ratios]
        rows = [asdict(row) for row in self.rows]
        return json.dumps({"machine": machine, "rows": rows, "ratios": ratios, "failed": self.failed}, indent=1)


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.2f}"
