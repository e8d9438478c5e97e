"""Verdicts are sums of findings."""

import pytest

from gateway.observe.audit.findings import SEVERITY, Finding, Report, WriterReport


@pytest.mark.parametrize(
    ("kinds", "verdict", "code"),
    [([], "intact", 0), (["PRUNED", "LIVE"], "intact", 0), (["UNSEALED_TAIL", "PRUNED"], "unproved", 6),
        (["NO_ANCHOR", "GAP"], "tampered", 5)],
)  # fmt: skip
def test_the_worst_finding_decides(kinds: list[str], verdict: str, code: int) -> None:
    writer = WriterReport("w", first=2, size=5, findings=[Finding(kind, "w", "") for kind in kinds])
    report = Report(writers=[writer])
    assert (report.verdict, report.exit_code, report.records) == (verdict, code, 3)
    assert report.as_json()["verdict"] == verdict


def test_every_kind_has_a_severity_of_the_three() -> None:
    assert set(SEVERITY.values()) == {"tampered", "unproved", "information"}
