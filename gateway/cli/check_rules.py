"""The part of `gateway check` that plays a file of rule tests: which failed, and how much of the routes they touch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from gateway.app.rule_tests import RuleReport, read_rules, run_rules
from gateway.config.compile import compile_config
from gateway.config.findings import Sources
from gateway.config.load import Loaded


def report_of(rules: Path, loaded: Loaded, sources: Sources) -> RuleReport:
    """Play the file against a sound configuration. Raises ConfigFault for a file that is none."""
    return run_rules(read_rules(rules), compile_config(loaded, sources), time.time())


def passes(report: RuleReport, fail_under: float) -> bool:
    """Did every test pass, and do they touch enough?"""
    return not report.failed and report.percent >= fail_under


def as_json(report: RuleReport) -> dict[str, Any]:
    """For machines."""
    return {
        "tests": [{"name": one.name, "fault": one.fault, **one.explanation.as_json()} for one in report.outcomes],
        "failed": len(report.failed), "coverage_percent": round(report.percent, 1), "not_covered": report.missing,
    }  # fmt: skip


def print_report(report: RuleReport, fail_under: float) -> None:
    """For people: the failures with every step, then what no test touches."""
    for one in report.failed:
        click.echo(f"failed  {one.name}: {one.fault}")
        for step, says in one.explanation.steps:
            click.echo(f"          {step:10}{says}")
    for pair in report.missing:
        click.echo(f"no test {pair}")
    passed = len(report.outcomes) - len(report.failed)
    click.echo(
        f"rules: {passed} of {len(report.outcomes)} passed, {report.percent:.1f} % of route and caller pairs covered"
        f" (at least {fail_under:g} %)"
    )
