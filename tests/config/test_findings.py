"""A finding knows its severity, and lists read like a sentence."""

from __future__ import annotations

import pytest

from gateway.config.findings import Finding, error, high, info, listed, warning


@pytest.mark.parametrize(
    ("found", "severity"),
    [(error("k", "m", "r"), "error"), (high("k", "m", "r"), "high"), (warning("k", "m", "r"), "warning"),
     (info("k", "m", "r"), "info")],
)  # fmt: skip
def test_a_finding_has_the_severity_of_its_maker(found: Finding, severity: str) -> None:
    assert found == Finding("k", severity, "m", "r")  # type: ignore[arg-type]  # the table holds the four words


@pytest.mark.parametrize(("names", "text"), [({"b": 1, "a": 2}, "a, b"), ((), "none"), ({"x"}, "x")])
def test_names_are_listed_in_order(names: object, text: str) -> None:
    assert listed(names) == text
