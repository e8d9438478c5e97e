"""A configuration reaches a worker as it was read, with its secrets as references only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.handover import Handover, as_message, compiled_of, from_message
from gateway.app.running import checksum
from gateway.config.load import Loaded, load
from gateway.config.shipped import shipped_config
from gateway.errors import ConfigFault


def loaded(**flags: object) -> Loaded:
    return load(shipped_config(), {}, {key.replace("__", "."): value for key, value in flags.items()})


def test_a_handover_comes_out_as_it_went_in() -> None:
    handover = Handover(3, "shop-w3", 7, 8, Path("/run/x/3.sock"), Path("/srv"), loaded(server__workers=4))
    assert Handover.from_message(json.loads(json.dumps(handover.as_message()))) == handover


def test_what_is_compiled_from_it_is_the_same_configuration() -> None:
    first = loaded()
    assert checksum(compiled_of(from_message(as_message(first)))) == checksum(compiled_of(first))


def test_a_configuration_without_a_file_is_handed_over_too() -> None:
    first = replace(loaded(), path=None)
    assert from_message(json.loads(json.dumps(as_message(first)))) == first


def test_secrets_are_handed_over_as_references(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READER_SECRET", "value-that-must-not-travel")
    text = json.dumps(as_message(loaded(orgs__acme__clients__reader__secret="env:READER_SECRET")))
    assert "env:READER_SECRET" in text
    assert "value-that-must-not-travel" not in text


def test_an_unsound_configuration_is_refused_with_its_faults() -> None:
    with pytest.raises(ConfigFault, match=r"server\.workers"):
        compiled_of(loaded(server__workers=0))
