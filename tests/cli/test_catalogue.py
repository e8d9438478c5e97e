"""`gateway catalogue`: what the gateway knows of Genesys' operations, and how it learns more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run
from tests.config.test_swagger import SWAGGER


def test_the_edition_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["catalogue", "show"]) == Exit.OK
    assert "3315 operations, 41 removed" in capsys.readouterr().out
    assert run(["catalogue", "show", "-o", "json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["version"]


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/api/v2/users/me", Exit.OK, "not valid with a client-credentials token"),
        ("/api/v2/routing/queues/1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10", Exit.OK, "ALL routing:queue:view"),
        ("/api/v2/routing/queue/{id}", Exit.FAILED, "is no operation; near:"),
        ("/api/v2/me", Exit.FAILED, "GET /api/v2/users/me for a person"),
        ("/api/v2/webchat/settings", Exit.FAILED, "removed by Genesys in August 2026. Use /api/v2/webdeployments/conf"),
    ],
)
def test_an_operation_is_found_with_what_it_asks(
    path: str, code: Exit, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["catalogue", "find", "get", path]) == code
    assert words in capsys.readouterr().out
    assert run(["catalogue", "find", "-o", "json", "get", path]) == code
    assert json.loads(capsys.readouterr().out)["operations"]


def test_a_swagger_file_makes_a_new_edition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swagger, out = tmp_path / "swagger.json", tmp_path / "new.json"
    swagger.write_text(json.dumps(SWAGGER))
    assert run(["catalogue", "refresh", str(swagger), "--out", str(out)]) == Exit.OK
    assert "added               POST /api/v2/new/{id}" in capsys.readouterr().out
    assert "POST /api/v2/new/{id}" in json.loads(out.read_text())["operations"]
    assert run(["catalogue", "refresh", "-o", "json", str(swagger)]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["version"] == "swagger v2 11000"


@pytest.mark.parametrize("text", ["not json", "{}"])
def test_a_file_that_is_none_is_told_so(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    swagger = tmp_path / "swagger.json"
    swagger.write_text(text)
    assert run(["catalogue", "refresh", str(swagger)]) == Exit.FAILED
    assert "catalogue.unreadable" in capsys.readouterr().err
