"""The JSON Schema of audit records, made from the tables of fields and actions. Pure."""

from typing import Any, Final

from gateway.observe.audit.actions import ACTIONS, Action
from gateway.observe.audit.fields import COMMON, FIELDS, Field

SCHEMA_ID: Final = "urn:gateway:audit:1"


def _type_of(field: Field) -> dict[str, Any]:
    described: dict[str, Any] = {"description": field.says}
    if field.kind == "strings":
        return described | {"type": "array", "items": {"type": "string"}}
    if field.kind == "string":
        described |= {"type": "string", "maxLength": field.max_chars}
        return described | ({"pattern": field.pattern} if field.pattern else {})
    return described | {"type": field.kind}


def _row(row: Action) -> dict[str, Any]:
    constant = {
        "event.action": {"const": row.name}, "event.category": {"const": list(row.category)},
        "event.type": {"const": list(row.type)}, "event.outcome": {"const": row.outcome},
    }  # fmt: skip
    names = sorted({*COMMON, *row.fields})
    return {
        "title": row.name,
        "description": f"Failure class {row.failure_class}; OCSF class {row.ocsf[0]}, activity {row.ocsf[1]}.",
        "type": "object",
        "properties": {name: constant.get(name, {"$ref": f"#/$defs/{name}"}) for name in names},
        "required": [*COMMON, *row.needs],
        "additionalProperties": False,
    }


def json_schema() -> dict[str, Any]:
    """Return the schema of one record (JSON Schema 2020-12): one closed shape per action."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Audit record, format audit/1",
        "oneOf": [_row(row) for row in ACTIONS.values()],
        "$defs": {name: _type_of(field) for name, field in FIELDS.items()},
    }
