"""Shows the configuration to people and editors: effective values with their source, reference tables, JSON Schema.

The rule: of a secret nothing is shown but its reference and fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.config import shape
from gateway.config.check_secrets import secret_values
from gateway.config.load import Loaded
from gateway.config.model import Config
from gateway.config.secrets import Secrets, SecretUnreadable, shown
from gateway.config.section import Section, holds_secret, is_annotated, is_secret_type

SCHEMA_ID: Final = "urn:gateway:schema:config:1"
_TYPE_WORDS: Final = {str: "string", int: "integer", float: "number", bool: "boolean", object: "any"}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file, closed like the model itself."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return head | Config.model_json_schema() | {"title": "config.toml of gateway, version 1"}


def effective(loaded: Loaded, secrets: Secrets) -> Iterator[tuple[str, object, str]]:
    """Yield every effective value as (key, value, source); a secret as its reference and fingerprint."""
    hidden = {path: reference for path, _, reference in secret_values(loaded.config)}
    for path, value in shape.leaves(loaded.config.model_dump(mode="python")):
        key = shape.written(path)
        said = _secret_words(hidden[path], secrets) if path in hidden else value
        yield key, said, loaded.origins_of_values[key]


def changed_keys(before: Config, after: Config) -> list[str]:
    """Return the keys whose values differ, as people write them; of secrets those whose reference differs."""
    old, new = (dict(shape.leaves(config.model_dump(mode="python"))) for config in (before, after))
    missing = object()
    return sorted(
        shape.written(path) for path in old.keys() | new.keys() if old.get(path, missing) != new.get(path, missing)
    )


def _secret_words(reference: str, secrets: Secrets) -> str:
    if "://" in reference:
        return reference.rpartition("@")[2] if "@" in reference else reference  # a store URL, without its user part
    try:
        return f"{shown(reference)} sha256 {secrets.read(reference).fingerprint()}"
    except SecretUnreadable:
        return f"{shown(reference)} (cannot be read)"


def reference_tables() -> str:
    """Return the tables of docs/configuration.md: every section with its keys, types, defaults and meanings."""
    parts = [_section_text("", Config, "The whole file.")]
    for key in shape.every_key():
        if key.section is not None:
            container = shape.section_of(key.field.annotation)[1]
            parts.append(_section_text(".".join((*key.path, *container)), key.section, key.field.description or ""))
    return "\n".join(parts)


def _section_text(path: str, section: type[Section], meaning: str) -> str:
    if path.endswith(".[]"):
        title = f"`[[{path.removesuffix('.[]').replace('.[]', '')}]]`"
    else:
        title = f"`[{path.replace('.[]', '')}]`" if path else "Top level"
    rows = [
        f"| `{name}` | {_type_of(field)}{_bounds(field)} | {_default(field)} | {_cell(field.description)} |"
        for name, field in section.model_fields.items()
        if shape.section_of(field.annotation)[0] is None
    ]
    if not rows:
        return f"### {title}\n\n{meaning}\n"
    table = "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])
    return f"### {title}\n\n{meaning}\n\n{table}\n"


def _type_of(field: FieldInfo) -> str:
    """A secret reference that stands alone is marked on the field, since pydantic takes the annotation apart."""
    return "secret reference" if holds_secret(field) else type_words(field.annotation)


def type_words(annotation: Any) -> str:
    """Return a type in the words of TOML."""
    if is_secret_type(annotation):
        return "secret reference"
    kind, parts = get_origin(annotation), get_args(annotation)
    if kind is Literal:
        return ", ".join(f"`{json.dumps(word)}`" for word in parts)
    if kind is tuple:
        return f"array of {type_words(parts[0])}"
    if kind is dict:
        return f"table of {type_words(parts[1])}"
    if is_annotated(annotation):
        return type_words(parts[0])
    if shape.is_union(annotation):
        return " or ".join(type_words(part) for part in parts if part is not type(None))
    return _TYPE_WORDS[annotation]


def _bounds(field: FieldInfo) -> str:
    found = [
        f"{sign} {getattr(rule, name):,g}"
        for rule in field.metadata
        for name, sign in (("gt", ">"), ("ge", "\u2265"), ("lt", "<"), ("le", "\u2264"))
        if hasattr(rule, name)
    ]
    return f", {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    return f"`{json.dumps(value)}`"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")
