"""The store that the configuration names."""

from __future__ import annotations

import pytest

from gateway.app.stores import make_store
from gateway.errors import ConfigFault
from gateway.store.memory import MemoryStore
from tests.stack import compiled


def test_memory_is_the_embedded_default() -> None:
    assert isinstance(make_store(compiled({}), lambda: 0.0), MemoryStore)


def test_another_kind_of_store_is_a_fault() -> None:
    with pytest.raises(ConfigFault, match=r"store\.url"):
        make_store(compiled({"store.url": "mongodb://127.0.0.1"}), lambda: 0.0)
