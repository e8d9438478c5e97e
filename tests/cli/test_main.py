"""The command line as its users meet it: exit codes, stdout, stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gateway import __version__
from gateway.build import build_form
from gateway.cli import main as module
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.main import COMMANDS, Entry, run
from gateway.errors import ORIGIN_MISSING, GatewayError, Refusal

REPOSITORY = Path(__file__).resolve().parents[2]


def test_help_names_every_command_and_exit_code_without_importing_any() -> None:
    script = (
        "import sys; from gateway.cli.main import run; code = run(['--help']); "
        "assert 'gateway.config.model' not in sys.modules; assert 'pydantic' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in COMMANDS)
    assert "the configuration is invalid" in done.stdout


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_can_be_imported_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == Exit.OK
    assert "Usage: gateway" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["chek"],
        ["check", "--no"],
        ["check", "-o", "xml"],
        ["check", "--set", "novalue"],
        ["check", "--set", "server.drain_s=soon"],
    ],
)
def test_a_wrong_call_ends_with_2_and_words_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert run(arguments) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Error: " in captured.err


def test_no_configuration_ends_with_3_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    assert run(["check"]) == Exit.CONFIG
    assert capsys.readouterr().err == (
        "gateway: config.missing: There is no config.toml in this directory. "
        "Name one with --config or GATEWAY_CONFIG.\n"
    )


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (
            CommandFault(Exit.UNREACHABLE, "doctor.login", "No answer.", "Try again."),
            4,
            "gateway: doctor.login: No answer. Try again.",
        ),
        (Refusal(ORIGIN_MISSING, "here"), 1, "gateway: origin.missing: here"),
        (GatewayError("broken"), 1, "gateway: broken"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
    ],
)
def test_a_fault_becomes_one_line_and_its_exit_code(
    fault: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def failing() -> None:
        raise fault

    monkeypatch.setattr(module, "failing", failing, raising=False)
    monkeypatch.setitem(COMMANDS, "failing", Entry("gateway.cli.main:failing", "Fails."))
    assert run(["failing"]) == code
    assert words in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"{sys.executable} -m gateway schema | head -c 1"
    done = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "{"
    assert done.stderr == ""


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["additionalProperties"] is False


def test_the_version_says_which_form_of_the_package_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == Exit.OK
    assert capsys.readouterr().out == f"gateway {__version__}, {build_form()}\n"
