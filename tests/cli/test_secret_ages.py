"""`gateway keys secrets`: keys, fingerprints and ages; never a value."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run
from gateway.cli.secret_ages import last_rotations
from gateway.observe.audit import records
from gateway.observe.audit.oneoff import write_once
from gateway.observe.audit.settings import AuditSettings

SHIPPED = ["--config", str(Path(__file__).resolve().parents[2] / "config.toml")]
KEY = "orgs.acme.clients.closer.secret"


def aged(tmp_path: Path, days: float) -> list[str]:
    """Options that put the closer's secret into a file of this age."""
    place = tmp_path / "closer"
    place.write_text("a-secret-that-nobody-must-see")
    then = time.time() - days * 86_400
    os.utime(place, (then, then))
    return [*SHIPPED, "--set", f"{KEY}=file:{place}"]


def test_the_age_of_a_file_is_told_and_its_content_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "secrets", *aged(tmp_path, 12)]) == Exit.OK
    out = capsys.readouterr().out
    assert f"{KEY}  file:" in out
    assert "12.0 days" in out
    assert "nobody-must-see" not in out
    assert "never-use-it-elsewhere" not in out


@pytest.mark.parametrize(("most", "code"), [(10, Exit.VERIFICATION), (100, Exit.UNPROVED)])
def test_a_secret_that_is_too_old_fails_and_one_of_unknown_age_proves_nothing(
    tmp_path: Path, most: int, code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["keys", "secrets", *aged(tmp_path, 12), "-o", "json", "--older-than", str(most)]) == code
    rows = {row["key"]: row for row in json.loads(capsys.readouterr().out)["secrets"]}
    assert rows[KEY]["age_days"] == 12.0
    assert rows["backends.servicenow.key"]["age_days"] is None


def test_a_secret_that_cannot_be_read_is_shown_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "secrets", *SHIPPED, "--set", f"{KEY}=file:{tmp_path / 'none'}"]) == Exit.OK
    assert "unreadable" in capsys.readouterr().out


def test_the_last_rotation_on_record_is_the_age_of_what_is_no_file(tmp_path: Path) -> None:
    settings = AuditSettings(dir=tmp_path, dev=True)
    now = 1_790_000_000.0
    write_once(
        settings, [records.secret_rotated(at=now + n, name=KEY, new_fp="b" * 12, old_fp="a" * 12) for n in (0, 60)]
    )
    found = last_rotations([tmp_path])
    assert found == {KEY: now + 60}
