"""Makes the store that [store] url names, and says whether it is shared.

The room for Redis is entered only where Redis is named: its library takes a tenth of a worker's memory and start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.config.compile import Compiled
from gateway.errors import ConfigFault
from gateway.store.base import Store
from gateway.store.memory import MemoryStore

if TYPE_CHECKING:
    from gateway.store.redis import RedisStore

MEMORY = "memory://"


def make_store(compiled: Compiled, clock: Callable[[], float]) -> Store:
    """The store. Raises ConfigFault for a URL of no store; connects to nothing."""
    url, settings = compiled.store_url.reveal(), compiled.config.store
    if url.rstrip("/") == MEMORY.rstrip("/"):
        return MemoryStore(clock)
    from gateway.store.redis import RedisStore  # noqa: PLC0415 - see above

    try:
        return RedisStore(url, clock, timeout_s=settings.timeout_s, prefix=settings.prefix)
    except ValueError as exc:
        raise ConfigFault([("store.url", str(exc))]) from exc


def shared(store: Store) -> RedisStore | None:
    """The store as one that several nodes share; None for this process's own."""
    if isinstance(store, MemoryStore):
        return None
    from gateway.store.redis import RedisStore  # noqa: PLC0415 - see above

    return store if isinstance(store, RedisStore) else None
