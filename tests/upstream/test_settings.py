"""A bound cannot be switched off by a number."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from gateway.upstream.faults import FaultKind
from gateway.upstream.settings import LegSettings, Unheard


@pytest.mark.parametrize("name", [one.name for one in fields(LegSettings) if one.name != "max_waiting"])
@pytest.mark.parametrize("value", [0, -1])
def test_bound_of_nothing_is_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=name):
        replace(LegSettings(), **{name: value})


def test_nobody_needs_to_wait() -> None:
    assert replace(LegSettings(), max_waiting=0).max_waiting == 0
    with pytest.raises(ValueError, match="max_waiting"):
        replace(LegSettings(), max_waiting=-1)


def test_nobody_needs_to_listen() -> None:
    ear = Unheard()
    ear.answered(200, 0.1)
    ear.failed(FaultKind.DNS, 0.1)
    ear.retried(FaultKind.RESET)
    ear.breaker_moved("open")
