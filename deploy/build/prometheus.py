"""The files of Prometheus and Alertmanager: recording rules, alerts, example configurations, and the runbook pages.

Every file is made from the tables beside this one. The rule: an alert without a page, or a page without an alert,
cannot be written.
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy.build.alerts_guard import GUARD_ALERTS
from deploy.build.alerts_service import SERVICE_ALERTS
from deploy.build.objectives import burn_alerts, recording_rules
from deploy.build.rules import Alert, with_job
from deploy.build.yaml_text import yaml_text

HEAD = "# Written by `python -m deploy.build`; edit the tables in deploy/build instead.\n"


def alerts() -> list[Alert]:
    """Every alert, in the order of the files."""
    return [*SERVICE_ALERTS, *GUARD_ALERTS, *burn_alerts()]


def files() -> dict[str, str]:
    """Every file by its path in the repository."""
    groups = {"gateway-service": SERVICE_ALERTS, "gateway-guard": GUARD_ALERTS, "gateway-objectives": burn_alerts()}
    found = {
        "deploy/prometheus/recording.yaml": _document({"groups": [_group("gateway-slo", recording_rules(), "30s")]}),
        "deploy/prometheus/alerts.yaml": _document(
            {"groups": [_group(name, [alert.rule for alert in rows], "30s") for name, rows in groups.items()]}
        ),
        "deploy/prometheus/prometheus.yaml": _document(SCRAPING),
        "deploy/prometheus/alertmanager.yaml": _document(ROUTING),
    }
    pages: dict[str, list[Alert]] = {}
    for alert in alerts():
        pages.setdefault(alert.name, []).append(alert)
    return (
        found
        | {f"docs/runbook/{name}.md": _page(rows) for name, rows in pages.items()}
        | {"docs/runbook/README.md": _contents(pages)}
    )


def _group(name: str, rules: list[dict[str, object]], interval: str) -> dict[str, object]:
    return {"name": name, "interval": interval, "rules": rules}


def _document(value: Mapping[str, object]) -> str:
    return HEAD + yaml_text(dict(value))


SCRAPING: Mapping[str, object] = {
    "global": {"scrape_interval": "15s", "evaluation_interval": "30s"},
    "rule_files": ["recording.yaml", "alerts.yaml"],
    "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]},
    "scrape_configs": [
        {
            "job_name": "gateway",
            "metrics_path": "/metrics",
            "authorization": {"type": "Bearer", "credentials_file": "/etc/prometheus/gateway-admin-token"},
            "static_configs": [{"targets": ["127.0.0.1:9090"]}],
        }
    ],
}
ROUTING: Mapping[str, object] = {
    "route": {
        "receiver": "tickets",
        "group_by": ["alertname", "region"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "4h",
        "routes": [{"receiver": "on-call", "matchers": ["severity = page"], "repeat_interval": "1h"}],
    },
    "inhibit_rules": [
        {
            "source_matchers": ["alertname = GatewayDown"],
            "target_matchers": ['alertname =~ "Gateway(State|Audit|EventLoop).*"'],
            "equal": ["instance"],
        }
    ],
    "receivers": [
        {"name": "on-call", "webhook_configs": [{"url": "http://127.0.0.1:9099/page"}]},
        {"name": "tickets", "webhook_configs": [{"url": "http://127.0.0.1:9099/ticket"}]},
    ],
}


def _page(rows: list[Alert]) -> str:
    first = rows[0]
    lines = [
        f"# {first.name}",
        "",
        f"**{first.summary}.**" if len(rows) == 1 else f"**{first.summary.partition(':')[0]}.**",
    ]
    for row in rows:
        hold = "at once" if row.hold == "0m" else f"after {row.hold}"
        window = f", window {row.labels['window']}" if row.labels else ""
        lines += ["", f"{row.severity.capitalize()}, {hold}{window}:", "", "```promql", with_job(row.expr), "```"]
    lines += ["", _sentence(first.description), "", "## Look", ""]
    lines += [f"{number}. {text}" for number, text in enumerate(first.look, 1)]
    lines += ["", "## Do", ""]
    lines += [f"{number}. {text}" for number, text in enumerate(first.do, 1)]
    lines += ["", f"Dashboard: `{first.dashboard}`. All alerts: [README.md](README.md)."]
    return "\n".join(lines) + "\n"


def _sentence(template: str) -> str:
    """A description with its placeholders as words."""
    text = template
    for placeholder in ("{{ $value | humanizePercentage }}", "{{ $value | humanizeDuration }}",
                        "{{ $value | humanize }}", "{{ $value }}"):  # fmt: skip
        text = text.replace(placeholder, "(value)")
    while "{{ $labels." in text:
        before, _, rest = text.partition("{{ $labels.")
        name, _, after = rest.partition(" }}")
        text = f"{before}({name}){after}"
    return text


def _contents(pages: Mapping[str, list[Alert]]) -> str:
    lines = [
        "# Runbook",
        "",
        "One page per alert of `deploy/prometheus/alerts.yaml`: what it means, where to look, what to do.",
        "",
        "| alert | severity | says |",
        "|---|---|---|",
    ]
    for name, rows in sorted(pages.items()):
        severities = ", ".join(dict.fromkeys(row.severity for row in rows))
        says = rows[0].summary if len(rows) == 1 else rows[0].summary.partition(":")[0]
        lines.append(f"| [{name}]({name}.md) | {severities} | {says} |")
    return "\n".join(lines) + "\n"
