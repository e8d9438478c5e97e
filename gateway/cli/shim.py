"""`gateway shim report|table`: which of Zendesk's calls the pages really make, and what happens to each of them.

Leaves counting to the gateway's metrics. The rule: a call that is used and has no equivalent is never left out.
"""

from __future__ import annotations

import os
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from prometheus_client.parser import text_string_to_metric_families

from gateway.app.scripts import static_dir
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import config_option, load_config, output_option, print_json
from gateway.config.secrets import Secrets
from gateway.web.shim_table import UNKNOWN, ShimRow, as_markdown, read_table

TIMEOUT_S: Final = 10.0
METRIC: Final = "gateway_legacy_calls_total"
_NEEDS_WORK: Final = ("lost", "unknown", "partly")


@dataclass(frozen=True, slots=True)
class Use:
    """One call that pages of a site make."""

    site: str
    call: str
    views: int
    how_far: str
    now: str


@click.group()
def shim() -> None:
    """Zendesk's calls on the pages: what is used, and what happens to it."""


@shim.command()
def table() -> None:
    """Print every call that is known, how far it works, and what happens now (Markdown)."""
    click.echo(as_markdown(read_table(static_dir())), nl=False)


@shim.command()
@click.option("--metrics", metavar="URL|FILE", help="Where the metrics are.  [default: the admin listener's /metrics]")
@click.option("--site", help="Only this site.")
@config_option
@output_option
def report(
    metrics: str | None, site: str | None, config_path: Path | None, settings: tuple[str, ...], output: str
) -> None:
    """List the old calls that pages really make, those without equivalent first; by page views since the start.

    The names of unknown calls are in the gateway's log, as zendesk.unknown_call.
    """
    text = _metrics_text(metrics, config_path, settings)
    uses = [use for use in uses_of(text, read_table(static_dir())) if site in (None, use.site)]
    if output == "json":
        print_json([{name: getattr(use, name) for name in Use.__slots__} for use in uses])
        return
    if not uses:
        click.echo("no page has made one of Zendesk's calls since the gateway started")
        return
    for use in uses:
        click.echo(f"{use.how_far:9}{use.views:8}  {use.site}  {use.call}: {use.now}")
    tally = Counter(use.how_far for use in uses)
    click.echo(", ".join(f"{tally[word]} {word}" for word in (*_NEEDS_WORK, "accepted", "works") if tally[word]))


def uses_of(text: str, rows: tuple[ShimRow, ...]) -> list[Use]:
    """The calls that were counted, what needs work first. Raises CommandFault for what is no exposition."""
    known = {row.call: row for row in rows}
    nobody = ShimRow(UNKNOWN, "", "unknown", "Not in the table; the log names them (zendesk.unknown_call).")
    found: Counter[tuple[str, str]] = Counter()
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == METRIC:
                    found[sample.labels["site"], sample.labels["call"]] += round(sample.value)
    except (ValueError, KeyError) as exc:
        raise CommandFault(
            Exit.FAILED, "metrics.malformed", "This is no Prometheus exposition of a gateway.", "Name its /metrics."
        ) from exc
    uses = []
    for (site, call), views in found.items():
        row = known.get(call, nobody)
        uses.append(Use(site, call, views, row.how_far, row.now))
    order = (*_NEEDS_WORK, "accepted", "works")
    return sorted(uses, key=lambda use: (order.index(use.how_far), -use.views, use.site, use.call))


def _metrics_text(where: str | None, config_path: Path | None, settings: tuple[str, ...]) -> str:
    if where is not None and "://" not in where:
        try:
            return Path(where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise CommandFault(
                Exit.USAGE, "metrics.unreadable", f"{where} cannot be read.", "Name a file or an http(s) URL."
            ) from exc
    if where is not None:
        return _fetched(where, None)
    loaded = load_config(config_path, settings)
    admin = loaded.config.admin
    secrets = Secrets(loaded.directory, os.environ, dev=loaded.config.dev)
    token = secrets.read(admin.token).reveal() if admin.token is not None else None
    return _fetched(f"http://{admin.listen}/metrics", token)


def _fetched(url: str, token: str | None) -> str:
    if not url.startswith(("http://", "https://")):
        raise click.UsageError("--metrics takes a file or an http(s) URL")
    headers = {"Accept": "text/plain"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  # http(s) only, checked above
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  # as above
            body: bytes = answer.read()
    except OSError as exc:
        raise CommandFault(
            Exit.UNREACHABLE, "metrics.unreachable", f"{url} gave no metrics: {exc}.",
            "Is the gateway running, and is this its admin listener? --metrics names another.",
        ) from exc  # fmt: skip
    return body.decode("utf-8", "replace")
