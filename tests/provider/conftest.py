"""Fixtures of the provider's tests."""

from __future__ import annotations

import pytest

from gateway.store.base import Store
from gateway.store.memory import MemoryStore
from tests.provider.parts import Clock, Entropy, People, Trail


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
