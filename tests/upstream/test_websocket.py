"""Guest sockets through the gateway, read as scripts: what the visitor says, what Genesys hears, and back."""

from __future__ import annotations

import asyncio
import itertools
import resource
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import Person
from gateway.upstream.ws_caps import SocketCaps
from gateway.upstream.ws_handshake import accept_of
from gateway.upstream.ws_types import Initiator, SocketBounds
from tests.upstream.socket_stage import (
    DEPLOYMENT,
    ORIGIN,
    SESSION_RESPONSE,
    TOKEN,
    WAIT_S,
    Observer,
    Peer,
    Script,
    Visitor,
    message,
    name_of,
    run_on_uvloop,
    scripts_of,
    stage,
)

ANN = Person("zendesk", "ann", "Ann")


async def test_a_visitor_and_genesys_talk_through_the_gateway() -> None:
    async with stage() as on:
        admission = await on.admit()
        visitor = await on.knock(admission)
        genesys = await on.genesys()
        opening = await genesys.accept()
        assert opening[""] == f"GET /v1?deploymentId={DEPLOYMENT}&application=gateway HTTP/1.1"
        assert opening["origin"] == ORIGIN
        assert opening["sec-websocket-version"] == "13"
        assert "sec-websocket-extensions" not in opening
        assert "sec-websocket-protocol" not in opening
        status, headers = await visitor.answer()
        assert (status, headers["x-request-id"]) == (101, "r1")
        assert headers["sec-websocket-protocol"].startswith("ticket.gwt_")
        visitor.say({"action": "configureSession", "token": TOKEN, "deploymentId": DEPLOYMENT})
        configure = await genesys.hear_json()
        assert configure["token"] == admission.session.upstream_token
        genesys.say(SESSION_RESPONSE)
        assert await visitor.hear() == SESSION_RESPONSE
        visitor.say(message("hello ☃"))
        assert (await genesys.hear_json())["message"]["text"] == "hello ☃"
        genesys.say('{"type":"message","class":"StructuredMessage","code":200,"body":{"text":"hi"}}')
        assert (await visitor.hear_json())["body"]["text"] == "hi"
        visitor.say_close(1000, "bye")
        assert await genesys.hear_close() == (1000, "bye")
        assert await visitor.hear_close() == (1000, "bye")
        genesys.say_close(1000, "bye")
        ending = await on.observer.ending()
        assert (ending.code, ending.reason, ending.initiator) == (1000, "bye", Initiator.CLIENT)
        assert (ending.messages_up, ending.messages_down) == (2, 2)
        assert on.observer.openings[0].session == admission.session
        assert on.relay.open_sockets == 0


async def test_no_101_before_genesys_has_accepted() -> None:
    async with stage() as on:
        visitor = await on.knock(await on.admit())
        genesys = await on.genesys()
        await genesys.opening()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(visitor.reader.read(1), 0.05)
        genesys.reset()
        status, headers = await visitor.answer()
        assert (status, headers["x-code"]) == (502, "upstream.unreachable")
        assert on.relay.open_sockets == 0


@pytest.mark.parametrize(
    ("status", "extra", "ours", "code"),
    [
        (403, "", 403, "upstream.socket_refused"),
        (429, "Retry-After: 7\r\n", 503, "upstream.busy"),
        (503, "", 503, "upstream.busy"),
        (504, "", 504, "upstream.timeout"),
        (500, "", 502, "upstream.bad_answer"),
        (200, "", 502, "upstream.bad_answer"),
        (301, "Location: http://elsewhere.example/\r\n", 502, "upstream.bad_answer"),
    ],
)
async def test_what_genesys_refuses_is_refused_with_its_reason(status: int, extra: str, ours: int, code: str) -> None:
    async with stage() as on:
        visitor = await on.knock(await on.admit())
        await (await on.genesys()).refuse(status, extra)
        answer, headers = await visitor.answer()
        assert (answer, headers["x-code"]) == (ours, code)
        assert on.relay.open_sockets == 0
        assert on.observer.openings == []


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAA=\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 200 " + "x" * 20_000,
    ],
)
async def test_a_false_answer_of_genesys_opens_nothing(answer: str) -> None:
    async with stage() as on:
        visitor = await on.knock(await on.admit())
        genesys = await on.genesys()
        await genesys.opening()
        genesys.write(answer.encode())
        status, headers = await visitor.answer()
        assert (status, headers["x-code"]) == (502, "upstream.bad_answer")
        assert await genesys.gone()


async def test_an_extension_that_nobody_offered_is_refused() -> None:
    async with stage() as on:
        visitor = await on.knock(await on.admit(), extra="Sec-WebSocket-Extensions: permessage-deflate\r\n")
        await (await on.genesys()).accept("Sec-WebSocket-Extensions: permessage-deflate\r\n")
        assert (await visitor.answer())[1]["x-code"] == "upstream.bad_answer"


async def test_what_genesys_sends_right_behind_its_101_is_not_lost() -> None:
    async with stage() as on:
        visitor = await on.knock(await on.admit())
        genesys = await on.genesys()
        head = await genesys.opening()
        answer = "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: "
        first = genesys.frame(1, b'{"class":"early"}')
        genesys.write((answer + accept_of(head["sec-websocket-key"]) + "\r\n\r\n").encode() + first)
        assert (await visitor.answer())[0] == 101
        assert await visitor.hear() == '{"class":"early"}'


async def test_what_a_visitor_sends_before_the_101_is_not_lost() -> None:
    async with stage() as on:
        visitor = await on.knock(await on.admit())
        visitor.say({"action": "configureSession", "token": TOKEN, "deploymentId": DEPLOYMENT})
        genesys = await on.genesys()
        await genesys.accept()
        assert (await visitor.answer())[0] == 101
        assert (await genesys.hear_json())["action"] == "configureSession"


@pytest.mark.parametrize(
    ("version", "extra", "status", "code"),
    [
        ("8", "", 426, "socket.upgrade_required"),
        ("7", "", 426, "socket.upgrade_required"),
        ("13", "Content-Length: 3\r\n", 400, "request.malformed"),
    ],
)
async def test_an_improper_upgrade_never_reaches_genesys(version: str, extra: str, status: int, code: str) -> None:
    async with stage() as on:
        visitor = await on.knock(await on.admit(), extra, version)
        if extra:
            visitor.write(b"abc")
        answer, headers = await visitor.answer()
        assert (answer, headers["x-code"]) == (status, code)
        assert on.peers.empty()


async def test_of_twenty_who_come_with_one_ticket_one_is_dialled_for_and_none_keeps_a_socket() -> None:
    async with stage() as on:
        admission = await on.admit()
        ticket = await on.book.issue_ticket(admission.session)
        offer = f"Sec-WebSocket-Protocol: ticket.{ticket.handle}\r\n"
        visitors = [await on.knock(None, offer) for _ in range(20)]
        genesys = await on.genesys()
        refused = [asyncio.create_task(visitor.answer()) for visitor in visitors]
        for done in itertools.islice(asyncio.as_completed(refused), 19):  # the one that was first waits for Genesys
            await done
        await genesys.accept()
        answers = await asyncio.gather(*refused)
        assert {(status, headers.get("x-code")) for status, headers in answers} == {(403, "ticket.invalid")}
        assert on.peers.empty()
        assert await genesys.gone()
        assert on.relay.open_sockets == 0


async def test_an_opening_that_cannot_be_recorded_is_not_given() -> None:
    async with stage() as on:
        on.observer.refuse_with = Refusal(errors.AUDIT_UNAVAILABLE)
        visitor = await on.knock(await on.admit())
        genesys = await on.genesys()
        await genesys.accept()
        assert (await visitor.answer())[1]["x-code"] == "audit.unavailable"
        assert await genesys.gone()
        assert on.relay.open_sockets == 0


async def test_caps_are_kept_per_guest_site_and_node() -> None:
    async with stage(caps=SocketCaps(sockets=4, sockets_per_site=3, sockets_per_guest=2)) as on:
        ann = await on.admit(ANN)
        first, second = await on.connect(ann), await on.connect(ann)
        answer = await (await on.knock(ann)).answer()
        assert (answer[0], answer[1]["x-code"]) == (503, "socket.too_many")
        await on.connect()
        assert (await (await on.knock(await on.admit())).answer())[1]["x-code"] == "socket.too_many"
        first[0].say_close()
        await first[1].hear_close()
        first[1].say_close()
        await on.observer.ending()
        await on.connect(ann)
        assert second


async def test_dials_of_a_deployment_are_paced() -> None:
    async with stage() as on:
        site = on.settings.sites["shop"]
        on.relay.reload(replace(on.settings, sites={"shop": replace(site, connects_per_min=2)}))
        await on.connect()
        await on.connect()
        answer = await (await on.knock(await on.admit())).answer()
        assert (answer[0], answer[1]["x-code"]) == (503, "upstream.busy")
        assert on.peers.empty()


async def test_ending_the_session_closes_its_sockets() -> None:
    async with stage() as on:
        admission, other = await on.admit(ANN), await on.admit()
        visitor, genesys = await on.connect(admission)
        unrelated, _ = await on.connect(other)
        await on.book.end(admission.handle, "shop")
        assert await visitor.hear_close() == (1008, "session.invalid")
        assert (await genesys.hear_close())[0] == 1000
        unrelated.write(unrelated.frame(9, b"alive"))
        assert await unrelated.hear_frame() == (10, b"alive")


async def test_ending_a_guest_closes_the_sockets_of_all_its_sessions() -> None:
    async with stage() as on:
        first, second = await on.admit(ANN), await on.admit(ANN)
        visitors = [(await on.connect(first))[0], (await on.connect(second))[0]]
        await on.book.end_guest(first.session.guest_id)
        for visitor in visitors:
            assert await visitor.hear_close() == (1008, "session.invalid")


async def test_a_session_that_ends_while_genesys_is_dialled_gets_no_socket() -> None:
    async with stage() as on:
        admission = await on.admit(ANN)
        visitor = await on.knock(admission)
        genesys = await on.genesys()
        await on.book.end(admission.handle, "shop")
        await genesys.accept()
        assert (await visitor.answer())[1]["x-code"] == "session.invalid"
        assert await genesys.gone()
        assert on.relay.open_sockets == 0


async def test_a_ticket_that_comes_again_closes_the_socket_that_it_opened_and_no_other() -> None:
    async with stage() as on:
        admission = await on.admit()
        other, others_genesys = await on.connect(admission)
        visitor, genesys = await on.connect(admission)
        with pytest.raises(Refusal) as refused:
            await on.book.redeem_ticket(on.ticket, "shop")
        assert refused.value.code == "ticket.invalid"
        assert await visitor.hear_close() == (1008, "ticket.invalid")
        visitor.say_close(1008)
        assert (await genesys.hear_close())[0] == 1000
        genesys.say_close(1000)
        other.say_close(1000)
        assert (await others_genesys.hear_close())[0] == 1000
        others_genesys.say_close(1000)


async def test_a_ticket_that_comes_again_during_the_dial_opens_nothing() -> None:
    async with stage() as on:
        visitor = await on.knock(await on.admit())
        genesys = await on.genesys()
        with pytest.raises(Refusal):
            await on.book.redeem_ticket(on.ticket, "shop")
        await genesys.accept()
        assert (await visitor.answer())[1]["x-code"] == "ticket.invalid"
        assert await genesys.gone()
        assert on.relay.open_sockets == 0


async def test_a_socket_keeps_its_session_alive() -> None:
    async with stage(bounds=SocketBounds(idle_s=10_000, ping_s=20)) as on:
        admission = await on.admit()
        await on.connect(admission)
        start = on.relay.now
        for minute in range(1, 60):
            on.clock.now += 60
            await on.relay.tick(start + minute * 60)
        assert on.book.is_live(admission.session)


async def test_a_session_past_its_absolute_end_loses_its_sockets() -> None:
    async with stage(bounds=SocketBounds(idle_s=100_000, ping_s=20)) as on:
        admission = await on.admit()
        visitor, _ = await on.connect(admission)
        on.clock.now = admission.session.expires_at
        await on.relay.tick(on.relay.now + 100)
        assert (await visitor.hear_frame())[0] == 9
        code, reason = await visitor.hear_close()
        assert code == 1008
        assert reason in ("session.expired", "session.invalid")


async def test_draining_closes_every_socket_with_going_away_and_takes_no_new_one() -> None:
    async with stage() as on:
        pairs = [await on.connect() for _ in range(5)]

        async def leave(visitor: Visitor, genesys: Peer) -> tuple[int | None, str]:
            heard = await visitor.hear_close()
            visitor.say_close(1001)
            assert (await genesys.hear_close())[0] == 1001
            genesys.say_close(1001)
            return heard

        leaving = [asyncio.create_task(leave(*pair)) for pair in pairs]
        pauses: list[float] = []
        with mock.patch("gateway.upstream.websocket.asyncio.sleep", noted_in(pauses)):
            await on.relay.drain(10 * WAIT_S)
        assert await asyncio.gather(*leaving) == [(1001, "socket.closed")] * 5
        assert on.relay.open_sockets == 0
        assert (await (await on.knock(await on.admit())).answer())[1]["x-code"] == "server.draining"
        spread_s = 10 * WAIT_S - SocketBounds().close_wait_s
        assert len(pauses) == 4
        for done, pause_s in enumerate(pauses, 1):  # nothing was waited, so each pause is that of all before it, too
            assert 0 < pause_s <= spread_s * done / 5


def noted_in(pauses: list[float]) -> Callable[[float], Coroutine[None, None, None]]:
    """A sleep that notes how long it should have been."""
    sleep = asyncio.sleep

    async def noted(pause_s: float) -> None:
        pauses.append(pause_s)
        await sleep(0)

    return noted


async def test_aiohttp_keeps_nothing_of_an_opened_socket() -> None:
    async with stage() as on:
        before = len(asyncio.all_tasks())
        pairs = [await on.connect() for _ in range(20)]
        await asyncio.sleep(0)
        assert on.connections_left() == 0
        assert len(asyncio.all_tasks()) - before < 20 + 2  # the scripted Genesys has a task per connection
        assert isinstance(on.observer, Observer)
        assert len(pairs) == 20


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_thousand_idle_sockets_come_and_go_and_leave_nothing() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    async with stage() as on:
        site = replace(on.settings.sites["shop"], connects_per_min=100_000)
        on.relay.reload(replace(on.settings, sites={"shop": site}))
        tasks, files = len(asyncio.all_tasks()), descriptors()
        for _ in range(10):
            pairs = await asyncio.gather(*(on.connect() for _ in range(100)))
            assert on.relay.open_sockets == 100
            assert on.connections_left() == 0
            for visitor, _genesys in pairs:
                visitor.writer.close()
            for _visitor, genesys in pairs:
                await genesys.hear_close()
                genesys.writer.close()
            for _ in pairs:
                await on.observer.ending()
        assert on.relay.open_sockets == 0
        assert (on.relay._pairs, on.relay._of_session, on.relay._tasks) == ({}, {}, set())
        assert len(on.relay._agenda) == 0  # else each closed socket would stay in memory until its next ping
        async with asyncio.timeout(WAIT_S):
            while descriptors() > files or len(asyncio.all_tasks()) > tasks:
                await asyncio.sleep(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("script", scripts_of(globals()), ids=name_of)
def test_the_same_on_uvloop(script: Script) -> None:
    """uvloop's transports differ from asyncio's: each script that needs no parameter runs on it as well."""
    run_on_uvloop(script)
