"""Makes the store that [store] url names."""

from __future__ import annotations

from collections.abc import Callable

from gateway.config.compile import Compiled
from gateway.errors import ConfigFault
from gateway.store.base import Store
from gateway.store.memory import MemoryStore

MEMORY = "memory://"


def make_store(compiled: Compiled, clock: Callable[[], float]) -> Store:
    """The store. Raises ConfigFault for a URL of another kind."""
    url = compiled.store_url.reveal()
    if url.rstrip("/") == MEMORY.rstrip("/"):
        return MemoryStore(clock)
    raise ConfigFault([("store.url", f"has the scheme {url.partition(':')[0]}, which no store has")])
