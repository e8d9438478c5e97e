"""`gateway keys`: rotation as an operator does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run
from gateway.config.shipped import shipped_config


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('version = 1\ndev = true\n[oidc]\nkeys_dir = "signing"\n')
    return path


def listed(config: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert run(["keys", "list", "-o", "json", "--config", str(config)]) == Exit.OK
    keys: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["keys"]
    return keys


def test_before_the_first_key_the_list_is_empty_and_says_why(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "list", "--config", str(config)]) == Exit.OK
    told = capsys.readouterr()
    assert told.out == ""
    assert "no keys yet" in told.err


def test_a_rotation_publishes_a_key_that_waits(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "rotate", "--config", str(config)]) == Exit.OK
    assert "signs since" in capsys.readouterr().out
    assert run(["keys", "rotate", "-o", "json", "--config", str(config)]) == Exit.OK
    waiting = json.loads(capsys.readouterr().out)
    assert waiting["phase"] == "next"
    assert [key["phase"] for key in listed(config, capsys)] == ["current", "next"]
    assert run(["keys", "rotate", "--config", str(config)]) == Exit.FAILED
    assert "keys.ring" in capsys.readouterr().err


def test_a_leaked_key_is_replaced_and_withdrawn(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "rotate", "--config", str(config)])
    capsys.readouterr()
    (leaked,) = listed(config, capsys)
    assert run(["keys", "withdraw", leaked["kid"], "--config", str(config)]) == Exit.FAILED
    assert "rotate --now first" in capsys.readouterr().err
    assert run(["keys", "rotate", "--now", "--config", str(config)]) == Exit.OK
    assert run(["keys", "withdraw", leaked["kid"], "--config", str(config)]) == Exit.OK
    capsys.readouterr()
    (left,) = listed(config, capsys)
    assert left["phase"] == "current"
    assert left["kid"] != leaked["kid"]
    assert not list((config.parent / "signing").glob(f"key-{leaked['kid']}.pem"))


def test_the_list_says_what_each_key_does(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "rotate", "--config", str(config)])
    run(["keys", "rotate", "--config", str(config)])
    capsys.readouterr()
    assert run(["keys", "list", "--config", str(config)]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert ["current signs since" in lines[0], "is published, signs from" in lines[1]] == [True, True]


def test_a_damaged_ring_is_one_clear_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "rotate", "--config", str(config)])
    (config.parent / "signing" / "ring.json").write_text("{")
    capsys.readouterr()
    for command in (["keys", "list"], ["keys", "rotate"], ["keys", "rotate", "--now"], ["keys", "withdraw", "x"]):
        assert run([*command, "--config", str(config)]) == Exit.FAILED
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("gateway: keys.ring: the list of signing keys is damaged")


def actions(config: Path) -> list[str]:
    """What stands in the audit log, in order."""
    found: list[tuple[str, str]] = []
    for path in (config.parent / ".gateway" / "audit").rglob("*.jsonl"):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            found.append((record["@timestamp"], record["event.action"]))
    return [action for _, action in sorted(found) if not action.startswith("audit.")]


def test_who_changes_keys_stands_in_the_audit_log(config: Path) -> None:
    run(["keys", "rotate", "--config", str(config)])
    assert sorted(actions(config)) == ["admin.action", "secret.rotated"]
    run(["keys", "withdraw", "unknown", "--config", str(config)])
    assert sorted(actions(config)) == ["admin.action", "admin.action", "secret.rotated"]


def test_without_a_record_nothing_is_changed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / ".gateway").touch()
    assert run(["keys", "rotate", "--config", str(config)]) == Exit.FAILED
    assert "audit" in capsys.readouterr().err
    assert not (config.parent / "signing").exists()


def test_without_a_signing_key_of_the_log_nothing_is_changed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text('version = 1\n[oidc]\nkeys_dir = "signing"\n')
    assert run(["keys", "rotate", "--config", str(config)]) == Exit.FAILED
    assert "keys.audit" in capsys.readouterr().err
    assert not (config.parent / "signing").exists()


def test_a_key_id_that_begins_with_a_hyphen_is_no_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(shipped_config().read_text())
    assert run(["keys", "rotate", "--config", str(config)]) == Exit.OK
    kid = "-6E294pu1IzeQUqX0Gnl6OgbJtsqiCcpS9Y5l2TUP4M"
    assert run(["keys", "withdraw", kid, "--config", str(config)]) == Exit.FAILED
    assert "there is no key -6E294pu1" in capsys.readouterr().err
