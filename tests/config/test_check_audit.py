"""Rules of the audit log name sites and routes that exist, and are within reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config.findings import Finding

Judge = Callable[..., tuple[Finding, ...]]


def rules(*found: dict[str, Any]) -> dict[str, Any]:
    return {"audit.levels": [{"level": "aggregate"} | rule for rule in found]}


def test_sound_rules_have_no_finding(judge: Judge) -> None:
    assert judge(rules({"sites": ["shop"], "level": "metadata"}, {"routes": ["guest-history"]}, {})) == ()


@pytest.mark.parametrize(
    ("found", "key", "severity", "words"),
    [
        (rules({"sites": ["shop", "shup"]}), "audit.levels[0].sites[1]", "error", "names no site: shup"),
        (rules({"routes": ["nothing"]}), "audit.levels[0].routes[0]", "error", "names no route: nothing"),
        (rules({}, {"sites": ["shop"]}), "audit.levels[1]", "warning", "never reached"),
    ],
)
def test_a_fault_is_found_by_its_key(judge: Judge, found: dict[str, Any], key: str, severity: str, words: str) -> None:
    [finding] = judge(found)
    assert (finding.key, finding.severity) == (key, severity)
    assert words in finding.message
