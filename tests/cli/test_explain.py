"""`gateway explain`: the exit code is the answer, the steps are the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run

CONFIG = str(Path(__file__).resolve().parents[2] / "config.toml")
WAIT = "/api/v2/routing/queues/d0000000-0000-4000-8000-000000000001/estimatedwaittime"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--path", WAIT, "--caller", "backend:servicenow"], Exit.OK, "permitted"),
        (["--path", WAIT, "--caller", "guest", "--origin", "http://127.0.0.1:8088"], Exit.VERIFICATION, "not_allowed"),
        (["--path", WAIT], Exit.VERIFICATION, "origin.missing"),
        (["--believe", "webchat:guest:write"], Exit.OK, "POST /sites/{site}/session"),
        (["--believe", "POST /api/v2/oauth/token"], Exit.OK, "login host"),
        (["--believe", "https://api.mypurecloud.com/api/v2/oauth/token"], Exit.OK, "login host"),
        (["--believe", "DELETE /api/v2/widgets/deployments/7"], Exit.OK, "/api/v2/webdeployments/deployments"),
        (["--believe", "conversations:readonly"], Exit.OK, "the role of the client decides"),
    ],
)
def test_the_exit_code_is_the_answer(
    arguments: list[str], code: Exit, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", "--config", CONFIG, *arguments]) == code
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], Exit.USAGE),
        (["--path", WAIT, "--caller", "king"], Exit.USAGE),
        (["--believe", "nothing-of-it"], Exit.FAILED),
        (["--believe", "GET /api/v2/users/me"], Exit.FAILED),
    ],
)
def test_a_question_that_is_none_is_told_so(
    arguments: list[str], code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", "--config", CONFIG, *arguments]) == code
    assert capsys.readouterr().err


def test_machines_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--config", CONFIG, "-o", "json", "--path", WAIT, "--caller", "backend:servicenow"]) == 0
    assert json.loads(capsys.readouterr().out)["route"] == "queue-wait"
    assert run(["explain", "-o", "json", "--believe", "/oauth2/token"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "token-endpoint.oauth2"
