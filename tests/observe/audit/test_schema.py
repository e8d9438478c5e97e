"""The published schema is the one made from the tables, and it is closed."""

from pathlib import Path

import jsonschema
import orjson
import pytest

from gateway.observe.audit.actions import ACTIONS
from gateway.observe.audit.schema import json_schema
from tests.observe.audit.making import Made, lines_of

FILE = Path(__file__).parents[3] / "gateway" / "data" / "audit-schema.json"


def test_the_shipped_file_is_the_schema() -> None:
    assert orjson.loads(FILE.read_bytes()) == json_schema()


def test_it_is_a_schema_with_one_closed_shape_per_action() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert [row["title"] for row in schema["oneOf"]] == list(ACTIONS)
    assert all(row["additionalProperties"] is False for row in schema["oneOf"])


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    document = orjson.loads(lines_of(Made(tmp_path).add(1).close().path)[1])
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(document)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document | {"http.request.body.content": "x"})
