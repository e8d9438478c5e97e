"""One permitted call there and back: credentials, 401s, bodies that must not pass, streams, the cache."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.mock.server import MockSettings, RunningMock, running_mock
from gateway.policy.body_template import parse_body
from gateway.policy.decision import Backend, Facts, Guest, Permit, SiteRules, decide
from gateway.policy.guests import GuestSession
from gateway.policy.handles import HandleKind
from gateway.policy.injection import passed_headers
from gateway.policy.origins import OriginRules, parse_pattern
from gateway.policy.paths import parse_target
from gateway.policy.routes import HISTORY, Route, RouteTable, parse_template
from gateway.upstream.answer_cache import AnswerCache
from gateway.upstream.bearer import ClientCredentials
from gateway.upstream.faults import UpstreamFault
from gateway.upstream.http import HttpLeg
from gateway.upstream.login import Granted, LoginDesk
from gateway.upstream.rest import RelayAnswer, RestRelay
from gateway.upstream.self_check import whose_token
from gateway.upstream.settings import LegSettings
from gateway.upstream.tokens import TokenBroker
from tests.upstream.misbehaving import Peer, Script, upstream_of

QUEUE = "d0000000-0000-4000-8000-000000000001"
PATH = f"/api/v2/routing/queues/{QUEUE}"
CLOSER = ClientCredentials("acme", "eu-west-1", "https://login.example", "closer", "id-1", "secret")
NOTHING = passed_headers([])
JSON_TYPE = b"Content-Type: application/json\r\n"
OLD_TOKEN = b'{"message":"no","code":"bad.credentials","status":401,"contextId":"ctx-1"}'


def route(template: str = "GET /api/v2/routing/queues/{queueId}", **changes: Any) -> Route:
    parsed = parse_template(template)
    parts: dict[str, Any] = {
        "name": "the-route", "match": parsed, "upstream": parsed, "callers": frozenset({"backend"}), "client": "closer",
        "auth": "oauth", "timeout_s": 5.0,
    }  # fmt: skip
    return Route(**(parts | changes))


def permit_for(one: Route, path: str = PATH) -> Permit:
    """A permit, got the only way there is."""
    rules = SiteRules("shop", "acme", "dep", OriginRules((), False), RouteTable([one]))
    target = parse_target(path)
    caller = Backend("crm", frozenset({"shop"}), frozenset({one.name}))
    return decide(Facts(one.match.method, target, target.segments, None, caller), rules, 0.0)


@dataclass
class Login:
    """Gives numbered tokens."""

    asked: int = 0
    secrets: list[str] = field(default_factory=list)

    async def ask(self, client_id: str, secret: str) -> Granted:
        self.asked += 1
        self.secrets.append(f"injected-token-{self.asked}")
        return Granted(self.secrets[-1], 300)


@dataclass
class Scene:
    """A relay, its login desk, and what the upstream saw."""

    relay: RestRelay
    login: Login
    seen: list[tuple[str, dict[str, str], bytes]]

    async def call(
        self, one: Route | None = None, inbound: Sequence[tuple[str, str]] = (), body: bytes = b"", path: str = PATH
    ) -> RelayAnswer:
        permit = permit_for(one if one is not None else route(), path)
        return await self.relay.call(permit, passed=passed_headers(inbound), body=body, request_id="req-1")

    async def refusal(self, reason: Reason, one: Route | None = None) -> Refusal:
        with pytest.raises(Refusal) as caught:
            await self.call(one)
        assert caught.value.reason is reason
        return caught.value


@asynccontextmanager
async def scene(*answers: bytes | Script, cache: AnswerCache | None = None) -> AsyncIterator[Scene]:
    """An upstream that gives these answers one after the other, the last one for ever."""
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            answer = answers[min(len(seen), len(answers)) - 1]
            if isinstance(answer, bytes):
                await peer.send(answer)
            else:
                await answer(peer)

    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url, LegSettings(tick_s=0.02))
        login = Login()
        tokens = TokenBroker([CLOSER], lambda _: login)
        try:
            yield Scene(RestRelay(lambda _: leg, tokens, cache=cache), login, seen)
        finally:
            await tokens.close()
            await leg.close()


def whole(body: bytes, status: int = 200, head: bytes = JSON_TYPE) -> bytes:
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, head, len(body), body)


async def test_call_carries_our_bearer_and_nothing_of_the_callers_credentials() -> None:
    async with scene(
        whole(b'{"ok":1}', head=JSON_TYPE + b"Set-Cookie: a=b\r\nServer: x\r\nININ-Correlation-Id: c-1\r\n")
    ) as it:
        answer = await it.call(
            inbound=[("Authorization", "Bearer gwb_x"), ("Cookie", "a=b"), ("X-Forwarded-For", "1.2.3.4"),
                     ("Accept-Language", "de"), ("Host", "evil"), ("Connection", "close, accept-language")],
        )  # fmt: skip
        first, headers, _ = it.seen[0]
        assert first == f"GET {PATH} HTTP/1.1"
        assert headers["authorization"] == "Bearer injected-token-1"
        assert (headers["x-request-id"], headers["accept-encoding"]) == ("req-1", "identity")
        assert not {"cookie", "x-forwarded-for", "accept-language", "connection", "origin"} & set(headers)
        assert (answer.status, answer.body) == (200, b'{"ok":1}')
        assert answer.headers == [("content-type", "application/json"), ("inin-correlation-id", "c-1")]
        assert answer.upstream_s > 0


async def test_query_goes_on_byte_for_byte_and_body_template_replaces_the_body() -> None:
    own = parse_body({"state": "disconnected"})
    one = route("PATCH /api/v2/conversations/messages/{conversationId}", body_template=own, query=frozenset({"a"}))
    async with scene(whole(b"", 204, b"")) as it:
        path = f"/api/v2/conversations/messages/{QUEUE}?a=x%20y"
        answer = await it.call(one, [("Content-Type", "text/plain")], b"ignored", path)
        first, headers, body = it.seen[0]
        assert (first, body) == (f"PATCH {path} HTTP/1.1", b'{"state":"disconnected"}')
        assert headers["content-type"] == "application/json"
        assert (answer.status, answer.body) == (204, b"")


async def test_early_death_of_a_token_costs_one_mint_and_one_replay_even_for_post() -> None:
    one = route("POST /api/v2/things")
    async with scene(whole(OLD_TOKEN, 401), whole(b"{}")) as it:
        answer = await it.call(one, body=b'{"a":1}', path="/api/v2/things")
        assert (answer.status, it.login.asked) == (200, 2)
        assert [headers["authorization"][-1] for _, headers, _ in it.seen] == ["1", "2"]
        assert [body for _, _, body in it.seen] == [b'{"a":1}'] * 2


async def test_credential_that_is_refused_twice_is_our_503_and_not_the_callers_401() -> None:
    async with scene(whole(OLD_TOKEN, 401)) as it:
        refusal = await it.refusal(errors.TOKEN_UNAVAILABLE)
        assert (refusal.status, refusal.retry_after_s is not None) == (503, True)
        assert "bad.credentials" in refusal.detail
        assert "ctx-1" in refusal.detail
        assert (len(it.seen), it.login.asked) == (2, 2)


async def test_token_is_kept_when_the_address_is_what_genesys_refuses() -> None:
    async with scene(whole(b'{"code":"ip.not.authorized","contextId":"c"}', 401)) as it:
        assert "ip.not.authorized" in (await it.refusal(errors.TOKEN_UNAVAILABLE)).detail
        assert (len(it.seen), it.login.asked) == (1, 1)


async def test_route_that_is_never_repeated_is_not_replayed_after_401() -> None:
    async with scene(whole(OLD_TOKEN, 401), whole(b"{}")) as it:
        await it.refusal(errors.TOKEN_UNAVAILABLE, route(retry="never"))
        assert len(it.seen) == 1
        assert (await it.call(route(retry="never"))).status == 200
        assert it.login.asked == 2


async def cut(peer: Peer) -> None:
    """Close without an answer."""
    peer.reset()


@pytest.mark.parametrize(
    ("template", "retry", "sent"),
    [("GET /api/v2/things", "auto", 2), ("GET /api/v2/things", "never", 1), ("POST /api/v2/things", "auto", 1)],
)
async def test_cut_call_is_repeated_only_where_nothing_can_happen_twice(template: str, retry: str, sent: int) -> None:
    async with scene(cut) as it:
        with pytest.raises(Refusal) as caught:
            await it.call(route(template, retry=retry), path="/api/v2/things")
        assert (caught.value.reason, len(it.seen)) == (errors.UPSTREAM_UNREACHABLE, sent)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500, 503])
async def test_error_of_genesys_passes_with_its_context(status: int) -> None:
    body = b'{"message":"m","code":"c","contextId":"ctx"}'
    async with scene(whole(body, status, JSON_TYPE + b"Retry-After: 9\r\n")) as it:
        answer = await it.call()
        assert (answer.status, answer.body) == (status, body)
        assert ("retry-after", "9") in answer.headers


@pytest.mark.parametrize(
    "wire",
    [
        whole(b"<html>blocked</html>", 200, b"Content-Type: text/html; charset=utf-8\r\n"),
        whole(b"<html>blocked</html>", 403, b"Content-Type: Text/HTML\r\n"),
        whole(b" <html>blocked</html>", 403, b""),
        whole(b"", 302, b"Location: https://elsewhere.example/\r\n"),
        whole(b"xx", 200, JSON_TYPE + b"Content-Encoding: gzip\r\n"),
        whole(b'{"echo":"Bearer injected-token-1"}'),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["html", "html error", "markup without a type", "redirect", "encoded", "our credential", "ambiguous"],
)
async def test_what_the_api_never_gives_is_a_bad_answer(wire: bytes) -> None:
    async with scene(wire) as it:
        await it.refusal(errors.UPSTREAM_BAD_ANSWER)
        assert len(it.seen) == 1


async def test_html_of_a_busy_edge_keeps_its_retry_after() -> None:
    async with scene(whole(b"<html>", 503, b"Content-Type: text/html\r\nRetry-After: 12\r\n")) as it:
        assert (await it.refusal(errors.UPSTREAM_BAD_ANSWER)).retry_after_s == 12


async def test_header_that_carries_our_credential_does_not_pass() -> None:
    async with scene(whole(b"{}", head=JSON_TYPE + b'ETag: "injected-token-1"\r\n')) as it:
        assert [name for name, _ in (await it.call()).headers] == ["content-type"]


async def test_large_body_is_streamed_whole() -> None:
    body = b"0123456789" * 30_000
    async with scene(whole(body)) as it:
        answer = await it.call()
        assert (answer.body, answer.content_length) == (None, len(body))
        assert b"".join([piece async for piece in answer.stream()]) == body


async def test_credential_in_a_stream_is_never_passed_on_even_in_two_pieces() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200016\r\n" + JSON_TYPE + b"\r\n")
        await peer.send(b"x" * 100_000)
        await taken.wait()
        await peer.send(b"injected-to")
        await peer.send(b"ken-1", b"y" * 100_000)

    taken = asyncio.Event()
    async with scene(script) as it:
        answer = await it.call()
        passed: list[bytes] = []

        async def take_all() -> None:
            async for piece in answer.stream():
                taken.set()
                passed.append(piece)

        with pytest.raises(UpstreamFault, match="credential"):
            await take_all()
        assert 0 < len(b"".join(passed)) <= 100_000
        assert b"i" not in b"".join(passed)


async def test_stream_that_breaks_off_is_a_fault_and_not_an_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n" + JSON_TYPE + b"\r\n", b"x" * 500)
        peer.writer.close()

    async with scene(script) as it:
        answer = await it.call()
        with pytest.raises(UpstreamFault, match="reset"):
            async for _ in answer.stream():
                pass


async def test_late_answer_is_a_timeout() -> None:
    async def silent(peer: Peer) -> None:
        await peer.gone()

    async with scene(silent) as it:
        await it.refusal(errors.UPSTREAM_TIMEOUT, route(timeout_s=0.1))


async def test_route_with_cache_asks_once_per_target_and_language() -> None:
    clock = [0.0]
    cache = AnswerCache(clock=lambda: clock[0])
    one = route(cache_s=10, query=frozenset({"a"}))
    async with scene(whole(b"{}", head=JSON_TYPE + b"Cache-Control: no-store\r\n"), cache=cache) as it:
        await it.call(one)
        await it.call(one)
        answer = await it.call(one)
        assert (answer.from_cache, answer.body, len(it.seen)) == (True, b"{}", 1)
        await it.call(one, path=PATH + "?a=1")
        await it.call(one, [("Accept-Language", "de")])
        await it.call(one, [("If-None-Match", '"x"')])
        assert len(it.seen) == 4
        clock[0] = 10.0
        assert (await it.call(one)).from_cache is False
        assert (await it.call(one)).from_cache is True
        it.relay.forget_answers()
        assert (await it.call(one)).from_cache is False


@pytest.mark.parametrize("body", [b"", b"oops", b"[]", b'{"code":5}'])
async def test_401_without_genesys_own_words_is_taken_for_a_dead_token(body: bytes) -> None:
    async with scene(whole(body, 401), whole(b"{}")) as it:
        assert ((await it.call()).status, it.login.asked) == (200, 2)


async def test_answer_left_unread_is_cut_and_a_whole_one_streams_too() -> None:
    closed = asyncio.Event()

    async def endless(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nx")
        await peer.gone()
        closed.set()

    async with scene(whole(b"whole"), whole(b""), endless) as it:
        for expected in ([b"whole"], []):
            answer = await it.call()
            assert [piece async for piece in answer.stream()] == expected
            answer.abort()
        left = await it.call()
        left.abort()
        left.abort()
        await closed.wait()


async def test_connection_fields_in_two_lines_both_nominate() -> None:
    head = JSON_TYPE + b"ETag: x\r\nWarning: y\r\nConnection: etag\r\nConnection: warning\r\n"
    async with scene(whole(b"{}", head=head)) as it:
        assert [name for name, _ in (await it.call()).headers] == ["content-type"]


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"Cache-Control: no-cache\r\n", True),
        (b"ETag: 1\r\nCache-Control: private\r\n", True),
        (b"Cache-Control: no-cache\r\nConnection: cache-control\r\n", False),
        (b"Cache-Control: Bearer abcdefgh\r\n", False),
        (b"Warning: cache-control: x\r\n", False),
        (b"", False),
    ],
)
async def test_an_answer_says_whether_what_passes_of_it_tells_how_long_to_keep_it(head: bytes, *, told: bool) -> None:
    async with scene(whole(b"{}", head=JSON_TYPE + head), whole(b"x" * 100_000, head=JSON_TYPE + head)) as it:
        for _ in range(2):  # one that is whole, and one that is streamed
            answer = await it.call()
            answer.abort()
            assert answer.has_cache_control is told
            assert any(name == "cache-control" for name, _ in answer.headers) is told


async def test_error_is_not_kept() -> None:
    async with scene(whole(b"{}", 404), whole(b"{}")) as it:
        assert (await it.call(route(cache_s=10))).status == 404
        assert (await it.call(route(cache_s=10))).status == 200


def guest_permit(path: str = "/api/v2/webmessaging/messages?pageSize=5") -> Permit:
    """A guest's permit to read its own history."""
    origins = OriginRules((parse_pattern("https://shop.example"),), False)
    rules = SiteRules("shop", "acme", "dep", origins, RouteTable([HISTORY]))
    session = GuestSession(
        id="s", site="shop", org="acme", external_ref=None, guest_id="g", verified=True, issuer="i",
        created_at=0.0, last_used_at=0.0, expires_at=100.0, idle_s=100, upstream_token="t",
    )  # fmt: skip
    target = parse_target(path)
    caller = Guest(session, HandleKind.HISTORY)
    return decide(Facts("GET", target, target.segments, "https://shop.example", caller), rules, 1.0)


async def test_history_goes_with_the_guests_own_jwt_and_the_pages_origin() -> None:
    async with scene(whole(b"{}"), whole(OLD_TOKEN, 401)) as it:
        for status in (200, 401):  # a 401 is about the guest's own token here, and is the guest's to know
            answer = await it.relay.call(
                guest_permit(), passed=NOTHING, body=b"", request_id="r", guest_jwt="eyJ.guest.jwt"
            )
            assert answer.status == status
        _, headers, _ = it.seen[0]
        assert (headers["authorization"], headers["origin"]) == ("Bearer eyJ.guest.jwt", "https://shop.example")
        assert it.login.asked == 0
        with pytest.raises(ValueError, match="guest JWT"):
            await it.relay.call(guest_permit(), passed=NOTHING, body=b"", request_id="r")


@pytest.mark.parametrize("jwt", ["eyJ.\u00e9.x", "eyJ.a\r\nX: 1"])
async def test_a_guests_jwt_that_is_none_is_a_bad_answer_and_is_never_written(jwt: str) -> None:
    async with scene(whole(b"{}")) as it:
        with pytest.raises(Refusal) as caught:
            await it.relay.call(guest_permit(), passed=NOTHING, body=b"", request_id="r", guest_jwt=jwt)
        assert caught.value.reason is errors.UPSTREAM_BAD_ANSWER
        assert jwt not in caught.value.detail
        assert it.seen == []


@asynccontextmanager
async def against_the_mock() -> AsyncIterator[tuple[RunningMock, RestRelay, TokenBroker, str]]:
    """Relay, broker and legs against the mock platform."""
    async with running_mock(MockSettings.free_ports()) as mock:
        client = next(
            one for one in mock.world.clients.values() if one.active and one.grant_type == "CLIENT-CREDENTIALS"
        )
        endpoints = mock.endpoints
        login, api = HttpLeg(endpoints.login), HttpLeg(endpoints.api)
        credentials = ClientCredentials(
            "acme", "eu-west-1", endpoints.login, "closer", client.id, client.secrets[0].value,
            organization_id=mock.world.org_id,
        )  # fmt: skip
        desk = LoginDesk(login)
        tokens = TokenBroker([credentials], lambda _: desk, check=lambda _, bearer: whose_token(api, bearer))
        try:
            yield mock, RestRelay(lambda _: api, tokens), tokens, client.id
        finally:
            await tokens.close()
            await login.close()
            await api.close()


async def test_token_of_the_mock_is_got_checked_and_taken() -> None:
    async with against_the_mock() as (mock, relay, tokens, client_id):
        me = route("GET /api/v2/tokens/me")
        answer = await relay.call(permit_for(me, "/api/v2/tokens/me"), passed=NOTHING, body=b"", request_id="r")
        assert (answer.status, json.loads(answer.body or b"")["OAuthClient"]["id"]) == (200, client_id)
        owner = tokens.snapshot()[0].owner
        assert owner is not None
        assert (owner.organization_id, owner.grant_type) == (mock.world.org_id, "CLIENT-CREDENTIALS")
        mock.world.access_tokens.clear()  # revoked early: nobody outside may notice
        answers = await asyncio.gather(
            *(
                relay.call(permit_for(me, "/api/v2/tokens/me"), passed=NOTHING, body=b"", request_id="r")
                for _ in range(20)
            )
        )
        assert {answer.status for answer in answers} == {200}
        assert len(mock.world.access_tokens) == 1


async def test_secret_rotated_at_genesys_is_carried_by_the_overlap_and_then_by_the_new_one() -> None:
    async with against_the_mock() as (mock, relay, tokens, client_id):
        me = route("GET /api/v2/tokens/me")
        client = mock.world.clients[client_id]
        before = client.secrets[0].value
        configured = tokens.snapshot()[0].key

        def credentials(secret: str, previous: str | None) -> ClientCredentials:
            return ClientCredentials("acme", "eu-west-1", configured.endpoint, "closer", client_id, secret, previous)

        async def status() -> int:
            permit = permit_for(me, "/api/v2/tokens/me")
            return (await relay.call(permit, passed=NOTHING, body=b"", request_id="r")).status

        assert await status() == 200
        tokens.replace([credentials("the-new-secret-0123456789", before)])  # configured before Genesys knows it
        assert (await status(), tokens.snapshot()[0].previous_secret) == (200, True)
        client.secrets[0].value = "the-new-secret-0123456789"
        mock.world.access_tokens.clear()
        assert (await status(), tokens.snapshot()[0].previous_secret) == (200, False)
        client.active = False
        mock.world.access_tokens.clear()
        tokens.replace([credentials("the-new-secret-0123456789", None)])
        with pytest.raises(Refusal) as caught:
            await status()
        assert (caught.value.reason, "invalid_client" in caught.value.detail) == (errors.TOKEN_UNAVAILABLE, True)


async def test_right_id_at_the_wrong_organisation_is_found_out_before_it_is_used() -> None:
    async with against_the_mock() as (mock, relay, tokens, client_id):
        me = route("GET /api/v2/tokens/me")
        key = tokens.snapshot()[0].key
        secret = mock.world.clients[client_id].secrets[0].value
        elsewhere = ClientCredentials(
            "acme", "eu-west-1", key.endpoint, "closer", client_id, secret, organization_id="some-other-org"
        )
        tokens.replace([elsewhere])
        with pytest.raises(Refusal) as caught:
            await relay.call(permit_for(me, "/api/v2/tokens/me"), passed=NOTHING, body=b"", request_id="r")
        assert "wrong_organization" in caught.value.detail
