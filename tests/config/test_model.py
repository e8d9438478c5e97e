"""The model is closed, frozen and strict, and keeps plain secrets out of its repr."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.config.model import Backend, Config, Log, Store


def test_a_section_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Config(version=1).log.level = "debug"  # type: ignore[misc]  # that is the point


def test_no_type_is_converted_but_arrays() -> None:
    assert Backend.model_validate({"key": "k", "sites": ["a"]}).sites == ("a",)
    for wrong in ({"handle_s": "60"}, {"handle_s": 60.5}, {"sites": "a"}, {"key": 1}):
        with pytest.raises(ValidationError):
            Backend.model_validate({"key": "k", **wrong})


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError):
        Log.model_validate({"levle": "info"})


def test_a_plain_secret_is_not_in_repr_or_str() -> None:
    backend = Backend(key="canary", previous_key="canary")
    assert "canary" not in f"{backend!r} {backend} {[backend]}"
    assert "key='***'" in repr(backend)
    assert "canary" not in repr(Store(url="redis://:canary@h"))


def test_nobody_is_admitted_by_default() -> None:
    backend = Backend(key="k")
    assert (backend.sites, backend.routes) == ((), ())
    assert (Config(version=1).sites, Config(version=1).routes) == ({}, ())
