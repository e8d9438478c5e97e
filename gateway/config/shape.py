"""Walks the configuration model: which keys there are, of which type, and which hold secrets.

Used by loading, `gateway check --show`, the JSON Schema and docs/configuration.md, so that all of them speak of
the same keys. A key is written as in the file: `sites.X.visitors.issuers[].kid`.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from gateway.config.model import Config
from gateway.config.section import Section, holds_secret, is_annotated

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the model. `path` holds `X` for a name and `[]` for an index; `section` is set for tables."""

    path: tuple[str, ...]
    field: FieldInfo
    section: type[Section] | None

    @property
    def dotted(self) -> str:
        """The key as the documentation writes it."""
        return ".".join(self.path).replace(".[]", "[]")

    @property
    def is_secret(self) -> bool:
        """Whether the value is a secret reference."""
        return holds_secret(self.field)


def every_key(model: type[Section] = Config, path: tuple[str, ...] = ()) -> Iterator[Key]:
    """Yield every key of the model in the order of the file, tables before their keys."""
    for name, field in model.model_fields.items():
        section, container = section_of(field.annotation)
        here = (*path, name)
        yield Key(here, field, section)
        if section is not None:
            yield from every_key(section, (*here, *container))


def section_of(annotation: Any) -> tuple[type[Section] | None, tuple[str, ...]]:
    """Return the section inside an annotation and how it is reached: directly, by name (`X`) or by index (`[]`)."""
    kind = get_origin(annotation)
    if is_annotated(annotation):
        return section_of(get_args(annotation)[0])
    if is_union(annotation):
        found = (section_of(part) for part in get_args(annotation))
        return next((f for f in found if f[0] is not None), (None, ()))
    if kind is dict:
        return section_of(get_args(annotation)[1])[0], ("X",)
    if kind is tuple:
        return section_of(get_args(annotation)[0])[0], ("[]",)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, ()
    return None, ()


def is_union(annotation: Any) -> bool:
    """Is the annotation a union, in either spelling?"""
    return get_origin(annotation) in (Union, types.UnionType)


def accepts_text(annotation: Any) -> bool:
    """Can a plain string be a value of the annotation (text, or one of some words)?"""
    kind = get_origin(annotation)
    if kind is Literal:
        return any(isinstance(word, str) for word in get_args(annotation))
    if is_annotated(annotation):
        return accepts_text(get_args(annotation)[0])
    if is_union(annotation):
        return any(accepts_text(part) for part in get_args(annotation))
    return annotation is str


def accepts_number(annotation: Any) -> bool:
    """Can a number or truth value be a value of the annotation?"""
    kind = get_origin(annotation)
    if kind is Literal:
        return any(isinstance(word, int) for word in get_args(annotation))
    if is_union(annotation) or is_annotated(annotation):
        return any(accepts_number(part) for part in get_args(annotation))
    return annotation in (int, float, bool)


def field_at(path: Path) -> FieldInfo | None:
    """Return the field that a path into a file leads to, or None when there is no such key or it is below a leaf."""
    model: type[Section] | None = Config
    field: FieldInfo | None = None
    skip = 0
    for part in path:
        if skip:
            skip -= 1
            continue
        field = model.model_fields.get(str(part)) if model is not None else None
        if field is None:
            return None
        model, container = section_of(field.annotation)
        skip = len(container)
    return field


def model_at(path: Path) -> type[Section] | None:
    """Return the section whose keys stand at a path, or None where the path leads to no section."""
    if not path:
        return Config
    for length in range(len(path), 0, -1):
        field = field_at(path[:length])
        if field is not None:
            section, container = section_of(field.annotation)
            inside = len(path) - length
            return section if section is not None and inside in (len(container), 0) else None
    return None


def written(path: Path) -> str:
    """Write a path as people write keys: `sites.shop.origins[2]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every leaf of nested data: values, arrays of values, and empty tables, each with its path."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, (list, tuple)) and value and all(isinstance(item, dict) for item in value):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value
