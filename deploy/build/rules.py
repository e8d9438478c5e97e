"""What an alert or an objective is made of, and the one way in which expressions name the gateway's job.

Data types only. The rule: each alert says what it means, where to look and what to do, and proves itself with one set
of series that fires it and one that does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["page", "ticket"]
Dashboard = Literal["gateway-overview", "gateway-upstream", "gateway-security", "gateway-audit", "gateway-runtime"]
JOB = 'job="gateway"'


@dataclass(frozen=True, slots=True)
class Case:
    """Series as promtool writes them (selector to values, one each `step_min`), and the minute at which to look."""

    series: dict[str, str]
    at_min: int = 30
    step_min: int = 1


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. In `expr`, `$job` stands for the selector of the gateway's job."""

    name: str
    severity: Severity
    expr: str
    summary: str
    description: str
    dashboard: Dashboard
    look: tuple[str, ...]
    do: tuple[str, ...]
    fires: Case
    quiet: Case
    hold: str = "0m"
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def rule(self) -> dict[str, object]:
        """The rule as Prometheus reads it."""
        found: dict[str, object] = {"alert": self.name, "expr": with_job(self.expr)}
        if self.hold != "0m":
            found["for"] = self.hold
        return found | {
            "labels": {"severity": self.severity, **self.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"docs/runbook/{self.name}.md",
                "dashboard_uid": self.dashboard,
            },
        }


def of(metric: str, labels: str) -> str:
    """The selector of one series of the gateway's job."""
    return f"{metric}{{{JOB},{labels}}}"


def with_job(expr: str) -> str:
    """The expression with the selector of the gateway's job put in."""
    return expr.replace("$job", JOB)
