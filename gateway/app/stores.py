"""Makes the store that [store] url names."""

from __future__ import annotations

from collections.abc import Callable

from gateway.config.compile import Compiled
from gateway.errors import ConfigFault
from gateway.store.base import Store
from gateway.store.memory import MemoryStore
from gateway.store.redis import RedisStore

MEMORY = "memory://"


def make_store(compiled: Compiled, clock: Callable[[], float]) -> Store:
    """The store. Raises ConfigFault for a URL of no store; connects to nothing."""
    url, settings = compiled.store_url.reveal(), compiled.config.store
    if url.rstrip("/") == MEMORY.rstrip("/"):
        return MemoryStore(clock)
    try:
        return RedisStore(url, clock, timeout_s=settings.timeout_s, prefix=settings.prefix)
    except ValueError as exc:
        raise ConfigFault([("store.url", str(exc))]) from exc
