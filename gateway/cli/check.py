"""`gateway check`: judges the configuration offline, and shows what is effective and who set it.

Leaves the judgement to `gateway.config.checks`. Ends with exit code 3 for errors, and for findings of severity high
unless they are allowed.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.app.rule_tests import RuleReport
from gateway.cli import check_rules
from gateway.cli.exits import Exit
from gateway.cli.options import config_option, load_config, output_option, print_json
from gateway.config import checks
from gateway.config.describe import effective
from gateway.config.findings import Finding, Severity, Sources
from gateway.config.load import Loaded
from gateway.errors import ConfigFault

Value = tuple[str, object, str]


@click.command()
@config_option
@output_option
@click.option("--show", is_flag=True, help="Show every effective value with its source; secrets by reference only.")
@click.option("--allow-high", is_flag=True, help="End with 0 in spite of findings of severity high.")
@click.option(
    "--rules", type=click.Path(path_type=Path, dir_okay=False), help="Play a file of rule tests; see docs/commands.md."
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    default=0.0,
    show_default=True,
    help="With --rules: least share of route and caller pairs that the tests must touch, in percent.",
)
@click.pass_context
def check(
    ctx: click.Context,
    config_path: Path | None,
    settings: tuple[str, ...],
    output: str,
    show: bool,
    allow_high: bool,
    rules: Path | None,
    fail_under: float,
) -> None:
    """Judge the configuration without any network: its shape, and everything that keys must know of each other.

    Severities: error (cannot be served), high (works and is dangerous), warning, info. Exit code 3 when there is an
    error, or a high finding without --allow-high; 5 when a rule test fails or too little is covered.
    """
    if fail_under and rules is None:
        raise click.UsageError("--fail-under says what the tests of --rules must touch; name their file")
    report: RuleReport | None = None
    values: list[Value] = []
    loaded: Loaded | None = None
    try:
        loaded = load_config(config_path, settings)
    except ConfigFault as fault:
        found = tuple(Finding(key, "error", message, _remedy(message)) for key, message in fault.faults)
    else:
        sources = sources_of(loaded)
        found = checks.check(loaded, sources)
        values = list(effective(loaded, sources.secrets)) if show else []
    counts = Counter(finding.severity for finding in found)
    sound = not counts["error"] and (allow_high or not counts["high"])
    if rules is not None and loaded is not None and not counts["error"]:
        report = check_rules.report_of(rules, loaded, sources_of(loaded))
    if output == "json":
        more = {"rules": check_rules.as_json(report)} if report is not None else {}
        print_json(_document(found, values, sound=sound, show=show) | more)
    else:
        _print_text(found, values, counts, sound=sound)
        if report is not None:
            check_rules.print_report(report, fail_under)
    proved = report is None or check_rules.passes(report, fail_under)
    ctx.exit(Exit.CONFIG if not sound else Exit.OK if proved else Exit.VERIFICATION)


def _remedy(message: str) -> str:
    """What to do about a fault of the file or of its shape; `serve` leaves it to the reader."""
    if message.startswith("cannot be read"):
        return "Name a file that can be read, with --config or GATEWAY_CONFIG."
    return "Correct the file." if message.startswith("is not TOML") or message == "is not UTF-8" else "Correct the key."


def sources_of(loaded: Loaded) -> Sources:
    """What checks and compilation need beside this configuration."""
    return checks.sources_of(loaded, os.environ)


def _document(found: tuple[Finding, ...], values: list[Value], *, sound: bool, show: bool) -> dict[str, Any]:
    names = ("key", "severity", "message", "remedy")
    document: dict[str, Any] = {
        "sound": sound,
        "findings": [{name: getattr(finding, name) for name in names} for finding in found],
    }
    if show:
        document["values"] = [{"key": key, "value": value, "source": source} for key, value, source in values]
    return document


def _print_text(found: tuple[Finding, ...], values: list[Value], counts: Counter[Severity], *, sound: bool) -> None:
    for key, value, source in values:
        click.echo(f"{key} = {'none' if value is None else orjson.dumps(value).decode()}  ({source})")
    for finding in found:
        click.echo(f"{finding.severity:8}{finding.key}: {finding.message}. {finding.remedy}")
    tally = ", ".join(f"{counts[severity]} {severity}" for severity in checks.ORDER)
    click.echo(f"{'sound' if sound else 'not sound'}: {tally}")
