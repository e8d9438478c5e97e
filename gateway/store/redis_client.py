"""Makes the redis-py client for a store URL: one server, TLS, or the master that Sentinels name.

Leaves the use of it to `redis.py`. Rule kept: no retries behind our back (a one-use value must not be taken twice),
and no URL, which may hold a password, in any message.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis, Sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_PORT = 6379
_SENTINEL_PORT = 26379
_SENTINELS = ("redis+sentinel", "rediss+sentinel")


def make_client(url: str, timeout_s: float, max_connections: int) -> Redis:
    """Return a client that has not connected yet. Raises ValueError for a URL that is none of ours.

    redis://[user:password@]host[:port][/db], rediss:// the same with TLS,
    redis+sentinel://[user:password@]host[:port][,host[:port]...]/service[/db].
    """
    parts = urlsplit(url)
    common: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if parts.scheme in ("redis", "rediss") and parts.hostname:
        pool = BlockingConnectionPool.from_url(url, max_connections=max_connections, timeout=timeout_s, **common)
        return Redis.from_pool(pool)
    if parts.scheme in _SENTINELS:
        return _master(url, {**common, "ssl": parts.scheme.startswith("rediss")}, max_connections)
    raise ValueError("a store URL is redis://host, rediss://host or redis+sentinel://host,host/service")


def _master(url: str, common: dict[str, Any], max_connections: int) -> Redis:
    """The client of the master that the Sentinels name, asked again after each lost connection."""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not hosts or not service:
        raise ValueError("a Sentinel URL names its hosts and the service: redis+sentinel://host,host/service")
    user, _, password = credentials.partition(":")
    sentinels = [_address(host) for host in hosts.split(",")]
    sentinel = Sentinel(sentinels, sentinel_kwargs=common, **common)  # type: ignore[no-untyped-call]  # redis-py types all but this
    master: Redis = sentinel.master_for(
        service,
        db=int(database or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
        max_connections=max_connections,
    )
    return master


def _address(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a Sentinel host is empty")
    return parts.hostname, parts.port or _SENTINEL_PORT
