"""Rule tests: read strictly, played faithfully, and their coverage told pair by pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app.rule_tests import KINDS, read_rules, run_rules
from gateway.errors import ConfigFault
from tests.stack import compiled

SHIPPED = Path(__file__).resolve().parents[2] / "rules.toml"
NOW = 1_790_000_000.0
ONE = """
[[tests]]
name = "a server reads"
path = "/api/v2/routing/queues/d0000000-0000-4000-8000-000000000001/estimatedwaittime"
caller = "backend:servicenow"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    return path


def test_the_shipped_rules_hold_and_cover_the_shipped_routes() -> None:
    report = run_rules(read_rules(SHIPPED), compiled({}), NOW)
    assert report.failed == ()
    assert (report.percent, report.missing) == (100.0, ())


def test_a_rule_that_does_not_hold_says_what_came(tmp_path: Path) -> None:
    rules = read_rules(written(tmp_path, f'{ONE}expect = "route.unknown"\n'))
    (failed,) = run_rules(rules, compiled({}), NOW).failed
    assert failed.fault == "expected route.unknown, came allow"


def test_the_right_outcome_by_the_wrong_route_fails(tmp_path: Path) -> None:
    rules = read_rules(written(tmp_path, f'{ONE}expect = "allow"\nroute = "other"\n'))
    (failed,) = run_rules(rules, compiled({}), NOW).failed
    assert failed.fault == "expected route other, matched queue-wait"


def test_coverage_counts_pairs_of_route_and_caller(tmp_path: Path) -> None:
    config = compiled({})
    report = run_rules(read_rules(written(tmp_path, f'{ONE}expect = "allow"\n')), config, NOW)
    assert (report.covered, report.total) == (1, len(config.config.routes) * len(KINDS))
    assert "queue-wait by guest" in report.missing
    assert "queue-wait by backend" not in report.missing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "tests"),
        (f'{ONE}expect = "allow"\nmethode = "GET"\n', "methode"),
        (ONE, "expect"),
        (f'{ONE}expect = "no.such.code"\n', "no code"),
        ("not toml", "is not TOML"),
    ],
)
def test_a_file_that_is_none_is_refused_by_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigFault, match=words):
        read_rules(written(tmp_path, text))


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match="cannot be read"):
        read_rules(tmp_path / "none.toml")


def test_a_caller_that_does_not_exist_is_a_fault_of_the_file(tmp_path: Path) -> None:
    text = ONE.replace("servicenow", "nobody-knows")
    with pytest.raises(ConfigFault, match="no backend"):
        run_rules(read_rules(written(tmp_path, f'{text}expect = "allow"\n')), compiled({}), NOW)
