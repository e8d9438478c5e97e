"""`gateway check --rules`: rules that hold, rules that do not, and the coverage floor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
CHECK = ["check", "--config", str(ROOT / "config.toml")]


def test_the_shipped_rules_pass_at_full_coverage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CHECK, "--rules", str(ROOT / "rules.toml"), "--fail-under", "100"]) == Exit.OK
    assert "100.0 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expect", "floor", "code", "words"),
    [
        ("route.unknown", "0", Exit.VERIFICATION, "failed  reads: expected route.unknown, came allow"),
        ("allow", "50", Exit.VERIFICATION, "no test queue-wait by guest"),
        ("allow", "1", Exit.OK, "1 of 1 passed"),
    ],
)
def test_failures_and_gaps_end_with_their_own_code(
    tmp_path: Path, expect: str, floor: str, code: Exit, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "/api/v2/routing/queues/d0000000-0000-4000-8000-000000000001/estimatedwaittime"
    rules = tmp_path / "rules.toml"
    rules.write_text(
        f'[[tests]]\nname = "reads"\npath = "{path}"\ncaller = "backend:servicenow"\nexpect = "{expect}"\n'
    )
    assert run([*CHECK, "--rules", str(rules), "--fail-under", floor]) == code
    assert words in capsys.readouterr().out
    assert run([*CHECK, "-o", "json", "--rules", str(rules), "--fail-under", floor]) == code
    assert "coverage_percent" in json.loads(capsys.readouterr().out)["rules"]


def test_a_configuration_that_is_none_plays_no_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text("version = 2\n")
    assert run(["check", "--config", str(config), "--rules", str(ROOT / "rules.toml")]) == Exit.CONFIG
    assert "rules:" not in capsys.readouterr().out
