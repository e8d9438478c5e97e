"""Alerts and objectives: valid for Prometheus, each fired and not fired, each with its page, all made from tables."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from deploy.build.objectives import OBJECTIVES, WINDOWS, recording_rules
from deploy.build.prometheus import alerts, files
from deploy.build.rules import Alert, Case
from deploy.build.yaml_text import yaml_text

ROOT = Path(__file__).resolve().parents[2]
RULES = [ROOT / "deploy/prometheus/recording.yaml", ROOT / "deploy/prometheus/alerts.yaml"]
ALERTS = alerts()


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a program; its output. Fails the test when the program fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("path", sorted(files()))
def test_what_is_committed_is_what_the_tables_say(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == files()[path], "run: python -m deploy.build"


def test_every_page_of_the_runbook_is_of_an_alert() -> None:
    written = {Path(path).name for path in files() if path.startswith("docs/runbook/")}
    assert {path.name for path in (ROOT / "docs/runbook").iterdir()} == written


def test_prometheus_takes_the_rules_without_a_complaint() -> None:
    out = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert f"{len(ALERTS)} rules found" in out
    assert f"{len(OBJECTIVES) * (len(WINDOWS) + 1)} rules found" in out


def test_the_example_configurations_are_valid(tmp_path: Path) -> None:
    run("promtool", "check", "config", "--syntax-only", ROOT / "deploy/prometheus/prometheus.yaml")
    run("amtool", "check-config", ROOT / "deploy/prometheus/alertmanager.yaml")


@pytest.mark.parametrize(("severity", "receiver"), [("page", "on-call"), ("ticket", "tickets")])
def test_alerts_reach_whom_their_severity_says(severity: str, receiver: str) -> None:
    config = ROOT / "deploy/prometheus/alertmanager.yaml"
    out = run("amtool", "config", "routes", "test", "--config.file", config, f"severity={severity}")
    assert out.strip() == receiver


def firing(alert: Alert) -> str:
    """An expression that is 1 while the alert fires and 0 while it does not."""
    labels = {"alertname": alert.name, "alertstate": "firing", "severity": alert.severity, **alert.labels}
    selector = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
    return f"clamp_max(count(ALERTS{{{selector}}}), 1) or vector(0)"


def proof(alert: Alert, case: Case, expected: int) -> dict[str, object]:
    """One test of promtool."""
    return {
        "interval": f"{case.step_min}m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [
            {"expr": firing(alert), "eval_time": f"{case.at_min}m",
             "exp_samples": [{"labels": "{}", "value": expected}]}
        ],
    }  # fmt: skip


def named(alert: Alert) -> str:
    return "-".join((alert.name, *alert.labels.values()))


@pytest.mark.parametrize("alert", ALERTS, ids=named)
def test_each_alert_fires_when_it_should_and_only_then(alert: Alert, tmp_path: Path) -> None:
    needed = [rule for rule in recording_rules() if str(rule["record"]) in alert.expr]
    rules = {"groups": [{"name": "proof", "rules": [*needed, alert.rule]}]}
    (tmp_path / "rules.yaml").write_text(yaml_text(rules))
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{alert.fires.step_min}m",
        "tests": [proof(alert, alert.fires, 1), proof(alert, alert.quiet, 0)],
    }
    (tmp_path / "proof.yaml").write_text(yaml_text(document))
    run("promtool", "test", "rules", tmp_path / "proof.yaml")


@pytest.mark.parametrize("alert", ALERTS, ids=named)
def test_each_alert_says_what_it_is_about(alert: Alert) -> None:
    assert alert.look
    assert alert.do
    assert alert.description.endswith(".")
    assert (ROOT / "docs/runbook" / f"{alert.name}.md").is_file()


def test_two_alerts_are_never_the_same() -> None:
    assert len({named(alert) + alert.severity for alert in ALERTS}) == len(ALERTS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": ["x", "y z"]}, 'a: 1\nb:\n  - x\n  - "y z"\n'),
        ({"on": "no", "n": None, "t": True, "e": []}, '"on": "no"\n"n": null\nt: true\ne: []\n'),
        ([{"a": {"b": "1"}}, "c"], '- a:\n    b: "1"\n- c\n'),
    ],
)
def test_yaml_is_written_so_that_nothing_is_guessed(value: object, text: str) -> None:
    assert yaml_text(value) == text


def test_only_documents_are_written() -> None:
    with pytest.raises(TypeError):
        yaml_text("text")
