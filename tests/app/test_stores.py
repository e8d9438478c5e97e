"""The store that the configuration names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.app.stores import make_store, shared
from gateway.errors import ConfigFault
from gateway.store.memory import MemoryStore
from tests.stack import compiled


def test_memory_is_the_embedded_default() -> None:
    assert isinstance(make_store(compiled({}), lambda: 0.0), MemoryStore)


def test_another_kind_of_store_is_a_fault() -> None:
    with pytest.raises(ConfigFault, match=r"store\.url"):
        make_store(compiled({"store.url": "mongodb://127.0.0.1"}), lambda: 0.0)


def test_only_a_store_of_redis_is_shared() -> None:
    assert shared(make_store(compiled({}), lambda: 0.0)) is None
    store = make_store(compiled({"store.url": "redis://127.0.0.1:1"}), lambda: 0.0)
    assert shared(store) is store


def test_a_gateway_without_a_shared_store_never_loads_the_library_for_one() -> None:
    look = "import sys, gateway.app.gateway, gateway.cli.serve; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
