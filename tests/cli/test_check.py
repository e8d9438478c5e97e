"""`gateway check` by its users' eyes: findings, values, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run

SHIPPED = str(Path(__file__).resolve().parents[2] / "config.toml")
NULL_ORIGIN = ["--set", "sites.shop.allow_null_origin=true"]


def test_the_shipped_configuration_is_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", SHIPPED]) == Exit.OK
    assert capsys.readouterr().out == "sound: 0 error, 0 high, 0 warning, 0 info\n"


def test_the_file_may_be_named_by_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_CONFIG", SHIPPED)
    assert run(["check"]) == Exit.OK
    assert capsys.readouterr().out.startswith("sound")


def test_show_names_the_source_of_each_value_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", SHIPPED, "--show", "--set", "log.level=debug"]) == Exit.OK
    out = capsys.readouterr().out
    assert 'log.level = "debug"  (flag)' in out
    assert "server.tls = none  (default)" in out
    assert "never-use-it-elsewhere" not in out
    assert "mock-secret" not in out


@pytest.mark.parametrize(("extra", "code"), [([], Exit.CONFIG), (["--allow-high"], Exit.OK)])
def test_a_high_finding_fails_unless_it_is_allowed(
    extra: list[str], code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "--config", SHIPPED, *NULL_ORIGIN, *extra]) == code
    assert "high    sites.shop.allow_null_origin: " in capsys.readouterr().out


def test_an_error_fails_even_when_high_findings_are_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", SHIPPED, "--allow-high", "--set", "sites.shop.org=acne"]) == Exit.CONFIG
    assert "error   sites.shop.org: names no organisation: acne." in capsys.readouterr().out


def test_json_holds_findings_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", SHIPPED, "-o", "json", "--show", *NULL_ORIGIN]) == Exit.CONFIG
    document = json.loads(capsys.readouterr().out)
    assert document["sound"] is False
    assert [f["severity"] for f in document["findings"]] == ["high"]
    assert {"key": "version", "value": 1, "source": "file"} in document["values"]


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        (None, "cannot be read: No such file or directory", "Name a file that can be read"),
        ("version = ", "is not TOML: Invalid value", "Correct the file."),
        ("version = 1\nsite = 1", "unknown key; did you mean sites?", "Correct the key."),
        (
            "version = 1\n[sites.shop]",
            "sites.shop.org: is missing: Name of the organisation in [orgs]. Correct",
            "Correct the key.",
        ),
        ("version = 1\n[orgs.a]", "is missing: Any accepted spelling", "Correct the key."),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_what_to_do(
    text: str | None, message: str, remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.toml"
    if text is not None:
        path.write_text(text)
    assert run(["check", "--config", str(path)]) == Exit.CONFIG
    line = capsys.readouterr().out.splitlines()[0]
    assert message in line
    assert remedy in line
    assert ".." not in line.removeprefix(f"error   {path}")


def test_a_share_of_no_rule_tests_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--config", SHIPPED, "--fail-under", "50"]) == Exit.USAGE
    assert "--rules" in capsys.readouterr().err


def test_faults_of_shape_are_findings_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text("version = 1\nsite = 1\n")
    assert run(["check", "--config", str(path), "-o", "json"]) == Exit.CONFIG
    [finding] = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["key"], finding["message"]) == ("site", "unknown key; did you mean sites?")
