"""Recognising calls that may take the short way: what is remembered, for how long, and that both ways say the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp import web
from hypothesis import example, given

from gateway.web.exchange import Exchange
from gateway.web.fast_lane import KEPT_BYTES, MOST_LUCK, FastLane
from gateway.web.places import Places
from tests.web.conftest import PAGE, RunningFront, front_rules, new_front, site_rules
from tests.web.test_framing import BARE, PLAIN, mutated
from tests.web.wire import Wire, steady

SERVED = frozenset({"rest_proxy", "session", "oauth_token"})
CALL = b"GET /sites/shop/api/v2/x HTTP/1.1\r\nHost: gw\r\nOrigin: https://shop.example\r\n\r\n"


def places(*sites: str) -> Places:
    rules = front_rules(tuple(site_rules(site, PAGE) for site in sites or ("shop", "club")))
    return Places(rules.sites, rules.rules, rules.regions, SERVED)


def test_equal_heads_are_read_once() -> None:
    lane = FastLane(places())
    first, second = lane.recognise(PLAIN), lane.recognise(PLAIN.replace(b"{}", b"[]"))
    assert first is not None
    assert second is not None
    assert first[0] is second[0]
    assert (first[1], second[1]) == (b"{}", b"[]")


def test_what_is_known_of_a_call_stands_in_its_head() -> None:
    found = FastLane(places()).recognise(PLAIN)
    assert found is not None
    call = found[0]
    assert (call.method, call.target) == ("POST", "/sites/shop/api/v2/x?a=b")
    assert (call.place.site and call.place.site.name, call.place.segments) == ("shop", ("api", "v2", "x"))
    assert call.cors["Access-Control-Allow-Origin"] == PAGE
    assert call.head.headers["Authorization"] == "Bearer abc"
    assert "abc" not in repr(call)


@pytest.mark.parametrize(
    "data",
    [
        CALL.replace(b"/sites/shop", b"/sites/nowhere"),
        CALL.replace(b"/sites/shop/api/v2/x", b"/api/v2/oauth/token"),
        CALL.replace(b"/sites/shop/api/v2/x", b"/api/v2/x"),
        CALL.replace(b"/api/v2/x", b"/session?/api/v2/"),
        CALL.replace(b"/api/v2/x", b"/api/v2/%2f"),
        CALL.replace(b"/api/v2/x", b"/api/v2/../x"),
        CALL.replace(b"Host: gw", b"Host: g w"),
        CALL.replace(b"GET", b"OPTIONS"),
        CALL.replace(b"GET", b"HEAD"),
        CALL.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_everything_but_a_proxied_call_of_a_known_site_goes_the_long_way(data: bytes) -> None:
    lane = FastLane(places())
    assert lane.recognise(CALL) is not None
    for _ in range(2):  # read, and remembered
        assert lane.recognise(data) is None


def test_other_rules_are_other_calls() -> None:
    lane = FastLane(places("shop"))
    known = lane.recognise(CALL)
    assert known is not None
    again = lane.recognise(CALL, known[0])
    assert again is not None
    assert again[0] is known[0]
    lane.reload(places("club"))
    assert lane.recognise(CALL) is None
    assert lane.recognise(CALL, known[0]) is None
    lane.reload(places("shop"))
    assert lane.recognise(CALL) is not None


def long_call(number: int, method: bytes = b"GET") -> bytes:
    """A call that nobody sent before, nearly as long as one may be."""
    return CALL.replace(b"GET", method).replace(b"/x", b"/%d" % number).replace(b"gw", b"gw\r\nX-Pad: " + b"p" * 8_000)


def test_what_strangers_send_does_not_fill_the_memory() -> None:
    lane = FastLane(places())
    for number in range(4 * KEPT_BYTES // 16_000):
        assert lane.recognise(long_call(number)) is not None
        lane.recognise(long_call(number, b"OPTIONS"))
        lane.recognise(CALL)  # heads that come again keep the lane looking
        assert sum(map(len, (*lane._young, *lane._old))) <= 2 * (KEPT_BYTES + len(long_call(number, b"OPTIONS")))
    assert lane._old


def test_a_call_that_comes_again_and_again_is_not_forgotten_for_those_that_come_once() -> None:
    lane = FastLane(places())
    first = lane.recognise(CALL)
    once = lane.recognise(long_call(-1))
    assert first is not None
    assert once is not None
    for number in range(4 * KEPT_BYTES // 8_000):
        lane.recognise(long_call(number))
        again = lane.recognise(CALL)
        assert again is not None
        assert again[0] is first[0]
    forgotten = lane.recognise(long_call(-1))
    assert forgotten is not None
    assert forgotten[0] is not once[0]


def test_where_each_head_is_new_few_are_looked_at_until_heads_come_again() -> None:
    lane = FastLane(places())

    def looks(*calls: bytes) -> int:
        return sum(lane.recognise(call) is not None for call in calls)

    new = [CALL.replace(b"Host: gw", b"Host: gw\r\nX-Request-Id: %08d" % number) for number in range(3_000)]
    assert looks(*new[:MOST_LUCK]) == MOST_LUCK
    assert looks(*new[MOST_LUCK : MOST_LUCK + 800]) == 100
    last = lane.recognise(CALL)
    while last is None:
        last = lane.recognise(CALL)
    again = lane.recognise(CALL, last[0])
    assert again is not None  # the same head on the same connection is known at once
    assert again[0] is last[0]
    looks(*[CALL] * 100)
    assert looks(*[CALL] * 100) == 100


class BothWays:
    """One front, asked in one piece and in two; its handler tells what it saw."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.lanes: list[bool] = []
        self.front = self.runner.run(self._new())

    async def _new(self) -> RunningFront:
        return new_front(front_rules(), handlers={"rest_proxy": self._mirror})

    async def _mirror(self, exchange: Exchange) -> web.StreamResponse:
        self.lanes.append(not isinstance(exchange.asked, web.BaseRequest))
        body = await exchange.body(1_000)
        credential, trail = exchange.head.credential(), exchange.trail
        seen = {
            "method": exchange.method, "path": exchange.target.path, "query": exchange.target.query,
            "segments": exchange.segments, "site": exchange.rules.name, "origin": exchange.origin,
            "passed": exchange.head.passed().lines.decode(), "host": exchange.head.host,
            "credential": credential and (credential.bearer, credential.kind, credential.digest),
            "body": body.decode("latin-1"), "client": trail.client_ip, "surface": trail.surface,
            "headers": [pair for pair in exchange.head.headers.items() if pair[0].lower() != "content-length"],
        }  # fmt: skip
        return exchange.answer(200, repr(seen).encode("ascii", "backslashreplace"), "text/plain")

    async def _ask(self, *chunks: bytes) -> tuple[bytes, bool]:
        wire = Wire(self.front.server)
        sent = steady(await wire.hear(*chunks))
        closed = wire.closed
        wire.close()
        await wire.rest()
        return sent, closed

    def ask(self, *chunks: bytes) -> tuple[bytes, bool]:
        """What is answered, and whether the connection has ended."""
        return self.runner.run(self._ask(*chunks))

    def counted(self) -> list[tuple[str, ...]]:
        """What was put on record since the last time."""
        records, self.front.audit.records[:] = list(self.front.audit.records), []
        drawn = ("http.request.id", "trace.id", "@timestamp")
        return [tuple(f"{k}={v}" for k, v in r.fields.items() if k not in drawn) for r in records]

    def close(self) -> None:
        self.runner.run(self.front.server.shutdown(0.0))
        self.runner.close()


@pytest.fixture(scope="module")
def both() -> Iterator[BothWays]:
    found = BothWays()
    yield found
    found.close()


def test_a_plain_call_takes_the_short_way_and_one_in_two_pieces_the_long_one(both: BothWays) -> None:
    both.lanes.clear()
    both.ask(PLAIN)
    both.ask(PLAIN[:9], PLAIN[9:])
    assert both.lanes == [True, False]


def test_both_ways_say_the_same_whatever_is_sent(both: BothWays) -> None:
    @given(mutated())
    @example(PLAIN)
    @example(CALL)
    @example(BARE)
    @example(CALL.replace(b"Origin: https://shop.example", b"Origin: https://evil.example"))
    @example(PLAIN.replace(b"Bearer abc", b"Basic abc"))
    @example(PLAIN.replace(b"Bearer abc", b"Bearer gws_" + b"A" * 43))
    @example(PLAIN.replace(b"Accept", b"Accept: \x7f"))
    @example(PLAIN.replace(b"{}", b"x" * 2_000).replace(b"Length: 2", b"Length: 2000"))
    def same(data: bytes) -> None:
        both.counted()
        at_once, records = both.ask(data), both.counted()
        in_pieces = both.ask(data[:9], data[9:])
        records_in_pieces = both.counted()
        if in_pieces[0].startswith(b"HTTP/0.9 "):  # neither way is short: aiohttp takes such a line for 0.9 or for 1.0
            assert {(sent[8:10], closed) for sent, closed in (at_once, in_pieces)} == {(b" 4", True)}
            return
        assert at_once == in_pieces
        assert records == records_in_pieces

    same()
