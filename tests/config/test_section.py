"""What every section shares: closed, frozen, strict, secrets hidden."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from gateway.config.section import SecretRef, Section, holds_secret


class Lamp(Section):
    """A section for the test."""

    watt: int = Field(5, description="Power.")
    colours: tuple[str, ...] = ()
    key: SecretRef | None = None


def test_an_unknown_member_and_a_converted_type_are_faults() -> None:
    for wrong in ({"wat": 5}, {"watt": "5"}, {"watt": 5.0}, {"colours": "red"}):
        with pytest.raises(ValidationError):
            Lamp.model_validate(wrong)


def test_arrays_become_tuples() -> None:
    assert Lamp.model_validate({"colours": ["red", "green"]}).colours == ("red", "green")


def test_secrets_are_marked_and_hidden() -> None:
    lamp = Lamp(key="canary")
    assert holds_secret(type(lamp).model_fields["key"])
    assert not holds_secret(type(lamp).model_fields["watt"])
    assert "canary" not in f"{lamp!r} {lamp}"
