"""What a login host may answer, and what each answer is called; then the desk against real sockets."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace

import pytest

from gateway.upstream.http import HttpLeg
from gateway.upstream.login import Denied, Granted, LoginDesk, read_login_answer
from gateway.upstream.settings import LegSettings
from gateway.upstream.token_state import FetchFailure
from tests.upstream.misbehaving import Peer, upstream_of

GOOD = {"access_token": "tok_0123456789-*", "token_type": "bearer", "expires_in": 86399}


def oauth(error: str) -> bytes:
    return json.dumps({"error": error, "description": "d", "error_description": "d"}).encode()


def test_whole_grant_is_granted() -> None:
    assert read_login_answer(200, [], json.dumps(GOOD).encode()) == Granted("tok_0123456789-*", 86399)


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": None}, {"access_token": ""}, {"access_token": "short"}, {"access_token": "with space in it"},
        {"access_token": "line\r\nX: injected-header"}, {"access_token": 12345678}, {"access_token": "é" * 10},
        {"token_type": "mac"}, {"token_type": None}, {"expires_in": 0}, {"expires_in": -1}, {"expires_in": "86399"},
        {"expires_in": True}, {"expires_in": 1.5}, {"expires_in": 38_880_001}, {"expires_in": None},
    ],
)  # fmt: skip
def test_grant_with_one_part_wrong_is_garbled(change: dict[str, object]) -> None:
    assert read_login_answer(200, [], json.dumps(GOOD | change).encode()) == Denied(FetchFailure.GARBLED)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'"x"', b'{"access_token"', b"\xff"])
def test_empty_or_garbled_success_is_garbled(body: bytes) -> None:
    assert read_login_answer(200, [], body) == Denied(FetchFailure.GARBLED)


@pytest.mark.parametrize(
    ("status", "headers", "body", "denied"),
    [
        (400, [], oauth("invalid_client"), Denied(FetchFailure.INVALID_CLIENT)),
        (401, [], oauth("invalid_client"), Denied(FetchFailure.INVALID_CLIENT)),
        (400, [], oauth("unauthorized_client"), Denied(FetchFailure.UNAUTHORIZED_CLIENT)),
        (400, [], oauth("invalid_request"), Denied(FetchFailure.REFUSED)),
        (400, [], b"<html>", Denied(FetchFailure.GARBLED)),
        (403, [], b"<html>blocked</html>", Denied(FetchFailure.GARBLED)),
        (404, [], b"<html>", Denied(FetchFailure.GARBLED)),
        (302, [(b"location", b"http://elsewhere/")], b"", Denied(FetchFailure.GARBLED)),
        (429, [(b"Retry-After", b"7")], b"", Denied(FetchFailure.THROTTLED, 7.0)),
        (429, [(b"Retry-After", b"soon")], b"", Denied(FetchFailure.THROTTLED)),
        (503, [(b"retry-after", b"3")], b"<html>", Denied(FetchFailure.UNAVAILABLE, 3.0)),
        (500, [], oauth("invalid_client"), Denied(FetchFailure.UNAVAILABLE)),
    ],
)
def test_refusal_is_named(status: int, headers: list[tuple[bytes, bytes]], body: bytes, denied: Denied) -> None:
    assert read_login_answer(status, headers, body) == denied


def test_grant_hides_its_token() -> None:
    assert "tok_" not in repr(read_login_answer(200, [], json.dumps(GOOD).encode()))


async def test_request_is_what_the_official_clients_send() -> None:
    async def script(peer: Peer) -> None:
        first, headers, body = await peer.request()
        assert (first, body) == ("POST /oauth/token HTTP/1.1", b"grant_type=client_credentials")
        assert headers["authorization"] == "Basic " + base64.b64encode(b"the-id:the secret").decode()
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        await peer.answer(json.dumps(GOOD).encode())

    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url)
        assert isinstance(await LoginDesk(leg).ask("the-id", "the secret"), Granted)
        await leg.close()


async def test_silence_garbage_and_absence_each_have_a_name() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.gone()
        await peer.send(b"not http at all\r\n\r\n")

    settings = LegSettings(tick_s=0.02)
    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url, replace(settings, read_timeout_s=0.1))
        assert await LoginDesk(leg).ask("i", "s") == Denied(FetchFailure.TIMEOUT)
        await leg.close()
        leg = HttpLeg(upstream.url, settings)
        desk = LoginDesk(leg)
        assert await desk.ask("i", "s") == Denied(FetchFailure.GARBLED)
        await leg.close()
    leg = HttpLeg(upstream.url, settings)
    assert await LoginDesk(leg).ask("i", "s") == Denied(FetchFailure.UNREACHABLE)
    await leg.close()


async def test_no_more_requests_at_once_than_the_region_is_given() -> None:
    at_once = most = 0
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal at_once, most
        while True:
            await peer.request()
            at_once += 1
            most = max(most, at_once)
            if at_once == 2:
                go.set()
            await go.wait()
            at_once -= 1
            await peer.answer(json.dumps(GOOD).encode())

    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url)
        desk = LoginDesk(leg, concurrency=2)
        outcomes = await asyncio.gather(*(desk.ask(str(number), "s") for number in range(8)))
        assert (len(outcomes), most) == (8, 2)
        await leg.close()
