"""Fixtures of the provider's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.store.base import Store
from gateway.store.memory import MemoryStore
from tests.provider.parts import Bench, Clock, Entropy, People, Trail, ring_in


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def entropy() -> Entropy:
    return Entropy()


@pytest.fixture
def trail() -> Trail:
    return Trail()


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def store(clock: Clock) -> Store:
    return MemoryStore(clock)


@pytest.fixture
def bench(store: Store, clock: Clock, tmp_path: Path) -> Bench:
    return Bench(store, clock, ring_in(tmp_path / "keys"))
