"""The key cache against a real issuer that counts its calls: single flight, interval, outages, rotation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from gateway.errors import Refusal
from gateway.policy.visitors import IssuerRules
from gateway.upstream.http import HttpLeg
from gateway.upstream.jwks import IssuerKeys, KeyTimes

MATERIAL = RSAAlgorithm.to_jwk(
    rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(), as_dict=True
)


@dataclass
class Issuer:
    """An OpenID issuer that can be told to change its keys, to fail, and to wait."""

    kids: list[str] = field(default_factory=lambda: ["one"])
    status: int = 200
    body: bytes | None = None
    calls: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def __post_init__(self) -> None:
        self.gate.set()

    async def discovery(self, request: web.Request) -> web.Response:
        self.calls.append("discovery")
        await self.gate.wait()
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return web.json_response(document, status=self.status)

    async def keys(self, request: web.Request) -> web.Response:
        self.calls.append("keys")
        if self.body is not None:
            return web.Response(body=self.body)
        return web.json_response({"keys": [{**MATERIAL, "kid": kid} for kid in self.kids]})


@dataclass
class Bench:
    """The cache, its issuer, and the time."""

    cache: IssuerKeys
    issuer: Issuer
    now: float = 1_000.0

    @property
    def rules(self) -> IssuerRules:
        return IssuerRules("oidc", "idp", issuer=self.issuer.url, audience="chat")

    async def kids(self, kid: str | None) -> list[str | None]:
        return [key.kid for key in await self.cache.keys(self.rules, kid)]

    async def settled(self) -> None:
        """Wait for what is asked in the background."""
        known = self.cache._issuers[self.issuer.url]
        if known.asking is not None:
            await known.asking


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", issuer.discovery)
    app.router.add_get("/keys", issuer.keys)
    async with TestServer(app) as server:
        issuer.url = f"http://127.0.0.1:{server.port}"
        legs: dict[str, HttpLeg] = {}
        cache = IssuerKeys(
            lambda base: legs.setdefault(base, HttpLeg(base)), lambda: made.now, times=KeyTimes(), http_too=True
        )
        made = Bench(cache, issuer)
        yield made
        await cache.close()
        for leg in legs.values():
            await leg.close()


async def test_a_hundred_tokens_at_once_cost_one_request(bench: Bench) -> None:
    bench.issuer.gate.clear()
    asking = [asyncio.create_task(bench.kids("one")) for _ in range(100)]
    while not bench.issuer.calls:
        await asyncio.sleep(0)
    bench.issuer.gate.set()
    assert await asyncio.gather(*asking) == [["one"]] * 100
    assert bench.issuer.calls == ["discovery", "keys"]
    await bench.kids("one")
    await bench.kids(None)
    assert len(bench.issuer.calls) == 2


async def test_an_unknown_key_id_is_asked_for_once_in_the_interval(bench: Bench) -> None:
    await bench.kids("one")
    bench.issuer.kids = ["one", "two"]
    for _ in range(50):
        assert "two" not in await bench.kids("two")  # too soon: what an attacker makes up costs the issuer nothing
    assert len(bench.issuer.calls) == 2
    bench.now += 31
    assert await bench.kids("two") == ["one", "two"]
    assert len(bench.issuer.calls) == 4


async def test_old_keys_serve_while_new_ones_are_fetched(bench: Bench) -> None:
    await bench.kids("one")
    bench.now += 3_601
    bench.issuer.gate.clear()
    assert await bench.kids("one") == ["one"]  # answered at once, though the issuer does not
    bench.issuer.kids = ["two"]
    bench.issuer.gate.set()
    await bench.settled()
    assert await bench.kids("two") == ["two"]


async def test_keys_outlive_an_outage_but_not_for_ever(bench: Bench) -> None:
    await bench.kids("one")
    bench.issuer.status = 503
    bench.now += 80_000
    assert await bench.kids("one") == ["one"]
    await bench.settled()
    bench.now += 10_000
    with pytest.raises(Refusal) as refused:
        await bench.kids("one")
    assert (refused.value.code, refused.value.retry_after_s) == ("visitor.keys_unavailable", 30)


@pytest.mark.parametrize("body", [b"<html>", b'{"keys": []}', b'{"keys": [' + b" " * 300_000 + b"]}"])
async def test_an_answer_that_is_no_key_set_leaves_the_old_keys(bench: Bench, body: bytes) -> None:
    await bench.kids("one")
    bench.issuer.body = body
    bench.now += 3_601
    await bench.kids("one")
    await bench.settled()
    assert await bench.kids("one") == ["one"]


async def test_an_issuer_that_never_answered_is_not_hammered(bench: Bench) -> None:
    bench.issuer.status = 500
    for _ in range(20):
        with pytest.raises(Refusal):
            await bench.kids("one")
    assert bench.issuer.calls == ["discovery"]


async def test_an_issuer_that_cannot_be_reached_is_a_refusal(bench: Bench) -> None:
    rules = IssuerRules("oidc", "idp", issuer="http://127.0.0.1:1", audience="chat")
    with pytest.raises(Refusal) as refused:
        await bench.cache.keys(rules, "one")
    assert refused.value.code == "visitor.keys_unavailable"


async def test_a_caller_that_leaves_does_not_end_the_request_of_the_others(bench: Bench) -> None:
    bench.issuer.gate.clear()
    first, second = (asyncio.create_task(bench.kids("one")) for _ in range(2))
    while not bench.issuer.calls:
        await asyncio.sleep(0)
    first.cancel()
    bench.issuer.gate.set()
    assert await second == ["one"]
    assert bench.issuer.calls == ["discovery", "keys"]


async def test_closing_gives_up_what_is_under_way(bench: Bench) -> None:
    bench.issuer.gate.clear()
    asking: asyncio.Task[Any] = asyncio.create_task(bench.kids("one"))
    while not bench.issuer.calls:
        await asyncio.sleep(0)
    await bench.cache.close()
    with pytest.raises((asyncio.CancelledError, Refusal)):
        await asking
    bench.issuer.gate.set()
