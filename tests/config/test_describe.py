"""Model, shipped file, documentation and JSON Schema speak of the same keys."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.cli.exits import EXIT_MEANINGS
from gateway.config import shape
from gateway.config.describe import changed_keys, effective, json_schema, reference_tables, type_words
from gateway.config.load import load
from gateway.config.secrets import Secrets

COMMENTED = re.compile(r"^# ((?:\[|[a-z_]+ =).*)$", re.MULTILINE)


def test_the_documentation_holds_the_tables_of_the_model(repository: Path) -> None:
    text = (repository / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert reference_tables() in text


def test_the_documentation_holds_every_exit_code(repository: Path) -> None:
    text = (repository / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert all(f"| {code.value} | {meaning} |" in text for code, meaning in EXIT_MEANINGS.items())


def test_every_key_has_a_meaning() -> None:
    assert [key.dotted for key in shape.every_key() if not key.field.description] == []


def test_every_key_stands_in_the_shipped_file(repository: Path) -> None:
    text = COMMENTED.sub(r"\1", (repository / "config.toml").read_text(encoding="utf-8"))
    written = {_pattern(path) for path, _ in shape.leaves(tomllib.loads(text))}
    leaves = [key.dotted for key in shape.every_key() if key.section is None]
    assert [key for key in leaves if not any(w == key or w.startswith(f"{key}.") for w in written)] == []


def _pattern(path: shape.Path) -> str:
    """Write a path of the file with X for names, as the model's keys are written."""
    text = ""
    for length, part in enumerate(path, start=1):
        named = length > 1 and shape.field_at(path[:length]) is shape.field_at(path[: length - 1])
        text += "[]" if isinstance(part, int) else f".{'X' if named else part}"
    return text.removeprefix(".")


def test_the_values_of_the_shipped_file_that_are_said_to_be_defaults_are(repository: Path) -> None:
    shipped = load(repository / "config.toml", {}).config
    fresh = type(shipped)(version=1)
    for section in ("admin", "store", "audit", "log", "keys", "limits"):
        assert getattr(shipped, section) == getattr(fresh, section), section
    assert shipped.server.model_copy(update={"public_url": ""}) == fresh.server


def test_the_schema_admits_the_shipped_file_and_nothing_unknown(repository: Path) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    data: dict[str, Any] = tomllib.loads((repository / "config.toml").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(data)] == []
    assert schema["$id"].startswith("urn:")
    for broken in ({**data, "x": 1}, {**data, "version": 2}, {**data, "server": {"listne": "x"}}):
        assert not validator.is_valid(broken)


def test_effective_values_show_secrets_by_reference_and_fingerprint_only(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "version = 1\ndev = true\n[admin]\ntoken = 'canary-plain'\n[keys]\nguest = 'env:G'\n"
        "[audit]\nkey = 'file:no'\n[store]\nurl = 'redis://u:canary-pw@h:1/0'\n"
    )
    loaded = load(path, {})
    shown = {
        key: (value, source) for key, value, source in effective(loaded, Secrets(tmp_path, {"G": "canary"}, dev=True))
    }
    assert "canary" not in str(shown)
    assert re.fullmatch(r"\(inline\) sha256 [0-9a-f]{12}", str(shown["admin.token"][0]))
    assert re.fullmatch(r"env:G sha256 [0-9a-f]{12}", str(shown["keys.guest"][0]))
    assert shown["audit.key"] == ("file:no (cannot be read)", "file")
    assert shown["store.url"][0] == "h:1/0"
    assert shown["server.listen"] == ("127.0.0.1:8080", "default")


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "string"),
        (tuple[str, ...], "array of string"),
        (dict[str, int], "table of integer"),
        (int | None, "integer"),
    ],
)
def test_a_type_is_written_in_the_words_of_toml(annotation: Any, words: str) -> None:
    assert type_words(annotation) == words


def test_changed_keys_are_named_without_their_values(repository: Path) -> None:
    before = load(repository / "config.toml", {}).config
    data = before.model_dump()
    data["audit"]["retention_days"] = 7
    data["admin"]["token"] = "env:SOME_TOKEN"
    site = next(iter(data["sites"]))
    data["sites"][site]["origins"] = ["https://new.example"]
    after = type(before).model_validate(data)
    found = changed_keys(before, after)
    assert found == ["admin.token", "audit.retention_days", f"sites.{site}.origins"]
    assert changed_keys(after, before) == found
    assert changed_keys(before, before) == []
