"""What every section of config.toml is made of: closed, frozen, strict, and silent about what may be a secret.

Leaves the keys themselves to `model` and `site_model`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

SecretRef = Annotated[str, Field(min_length=1, json_schema_extra={"secret": True})]
"""`env:NAME`, `file:PATH`, `exec:CMD`; the plain value itself only with `dev = true`."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""The name of a site, org, client, backend or route: it appears in paths, metric labels and records."""
Day = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
"""A day as YYYY-MM-DD."""
Caller = Literal["guest", "backend"]


def holds_secret(field: FieldInfo) -> bool:
    """Is the field's value a secret reference?"""
    return _marked(field.json_schema_extra) or _annotation_marked(field.annotation)


def _annotation_marked(annotation: Any) -> bool:
    return is_secret_type(annotation) or any(_annotation_marked(part) for part in get_args(annotation))


def is_secret_type(annotation: Any) -> bool:
    """Is the annotation itself `SecretRef`?"""
    extras = get_args(annotation)[1:] if is_annotated(annotation) else ()
    return any(_marked(getattr(extra, "json_schema_extra", None)) for extra in extras)


def is_annotated(annotation: Any) -> bool:
    """Is the annotation `Annotated[...]`?"""
    return get_origin(annotation) is Annotated


def _marked(extra: Any) -> bool:
    return isinstance(extra, dict) and extra.get("secret") is True


class Section(BaseModel):
    """What every section shares: closed, frozen, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _arrays_are_tuples(cls, data: Any) -> Any:
        """TOML and JSON know arrays, frozen sections hold tuples; every other type must be exact."""
        if not isinstance(data, dict):
            return data
        return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Hide what may be a plain secret (dev) from repr and str, and so from logs and tracebacks."""
        for name, value in super().__repr_args__():
            field = type(self).model_fields.get(name or "")
            hidden = value is not None and field is not None and holds_secret(field)
            yield name, "***" if hidden else value
