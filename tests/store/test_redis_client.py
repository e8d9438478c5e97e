"""Store URLs: which make a client, and what they set."""

from __future__ import annotations

import ssl

import pytest
from redis.asyncio import SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool

from gateway.store.redis_client import make_client


@pytest.mark.parametrize(
    "url",
    ["", "memory://", "http://h", "redis://", "redis+sentinel://h", "redis+sentinel:///s", "redis+sentinel://,/s"],
)
def test_a_url_that_is_none_of_ours_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|Sentinel"):
        make_client(url, 0.25, 4)


async def test_sentinels_are_asked_for_the_master() -> None:
    client = make_client("redis+sentinel://user:p%40ss@one,two:7000/main/3", 0.25, 4)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "main"
    wanted = {"db": 3, "username": "user", "password": "p@ss"}
    assert {key: pool.connection_kwargs[key] for key in wanted} == wanted
    await client.aclose()


async def test_tls_is_verified() -> None:
    client = make_client("rediss://one/0", 0.25, 4)
    pool = client.connection_pool
    assert pool.connection_class is SSLConnection
    assert pool.connection_kwargs.get("ssl_cert_reqs", "required") == "required"
    connection = SSLConnection(host="one")
    assert connection.cert_reqs is ssl.CERT_REQUIRED
    assert connection.check_hostname
    await client.aclose()


async def test_nothing_is_retried_behind_our_back() -> None:
    client = make_client("redis://one/0", 0.25, 4)
    assert client.connection_pool.connection_kwargs["retry"]._retries == 0
    await client.aclose()
