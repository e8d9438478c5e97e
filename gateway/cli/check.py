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

from gateway.cli.exits import Exit
from gateway.cli.options import config_option, load_config, output_option, print_json
from gateway.config import checks
from gateway.config.describe import effective
from gateway.config.findings import Finding, Severity
from gateway.errors import ConfigFault

Value = tuple[str, object, str]


@click.command()
@config_option
@output_option
@click.option("--show", is_flag=True, help="Show every effective value with its source; secrets by reference only.")
@click.option("--allow-high", is_flag=True, help="End with 0 in spite of findings of severity high.")
@click.pass_context
def check(
    ctx: click.Context, config_path: Path | None, settings: tuple[str, ...], output: str, show: bool, allow_high: bool
) -> None:
    """Judge the configuration without any network: its shape, and everything that keys must know of each other.

    Severities: error (cannot be served), high (works and is dangerous), warning, info. Exit code 3 when there is an
    error, or a high finding without --allow-high.
    """
    values: list[Value] = []
    try:
        loaded = load_config(config_path, settings)
    except ConfigFault as fault:
        found = tuple(Finding(key, "error", message, "Correct the key.") for key, message in fault.faults)
    else:
        sources = checks.sources_of(loaded, os.environ)
        found = checks.check(loaded, sources)
        values = list(effective(loaded, sources.secrets)) if show else []
    counts = Counter(finding.severity for finding in found)
    sound = not counts["error"] and (allow_high or not counts["high"])
    if output == "json":
        print_json(_document(found, values, sound=sound, show=show))
    else:
        _print_text(found, values, counts, sound=sound)
    ctx.exit(Exit.OK if sound else Exit.CONFIG)


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
