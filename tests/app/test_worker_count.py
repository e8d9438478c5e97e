""" "auto" means what the process may use, not what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.app.worker_count import worker_count


def test_a_number_is_that_number() -> None:
    assert worker_count(3) == 3


@pytest.mark.parametrize(
    ("quota", "found"),
    [("max 100000", 8), ("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1), ("9900000 100000", 8),
     ("nonsense", 8), ("100000 0 1", 8)],
)  # fmt: skip
def test_auto_heeds_the_quota_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, found: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert worker_count("auto", tmp_path / "cpu.max") == found


def test_auto_without_control_groups_is_what_the_scheduler_allows(tmp_path: Path) -> None:
    assert worker_count("auto", tmp_path / "none") == min(len(os.sched_getaffinity(0)), 128)
