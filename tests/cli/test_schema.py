"""`gateway schema` prints a valid JSON Schema that knows every section."""

from __future__ import annotations

import json

import jsonschema
import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run
from gateway.config.model import Config


def test_the_schema_is_valid_and_describes_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == Exit.OK
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == set(Config.model_fields)
    assert all(part.get("description") for part in schema["properties"].values())
