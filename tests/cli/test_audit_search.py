"""Searches from the command line that need no key, and following a log that grows."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.audit import audit_group
from tests.observe.audit.making import Made


def test_an_auditors_copy_can_be_searched_without_a_key(tmp_path: Path) -> None:
    Made(tmp_path).add(2).close()
    result = CliRunner().invoke(
        audit_group, ["query", "--dir", str(tmp_path), "--action", "proxy.allowed"], standalone_mode=False
    )
    assert len(result.stdout.splitlines()) == 2
    assert "not recorded" in result.stderr
    assert len(list(tmp_path.glob("*.jsonl"))) == 1


def test_following_shows_what_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(tmp_path).add(2)
    turns: Iterator[Callable[[], Made]] = iter([lambda: made.add(1), lambda: made.add(2)])

    def sleep(seconds: float) -> None:
        next(turns)()

    monkeypatch.setattr(time, "sleep", sleep)
    words = [
        "query",
        "--dir",
        str(tmp_path),
        "--action",
        "proxy.allowed",
        "--follow",
        "--limit",
        "5",
        "--format",
        "table",
    ]
    result = CliRunner().invoke(audit_group, words, standalone_mode=False)
    assert result.exception is None
    assert len(result.stdout.splitlines()) == 5
    made.crash()
