"""Guest sockets through the gateway, read as scripts: what the visitor says, what Genesys hears, and back."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace

import pytest
import uvloop

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import Person
from gateway.policy.handles import HandleKind, kind_of
from gateway.upstream.ws_caps import SocketCaps
from gateway.upstream.ws_handshake import accept_of
from gateway.upstream.ws_pair import SocketPair
from gateway.upstream.ws_types import Initiator, SocketBounds
from tests.upstream.socket_stage import (
    DEPLOYMENT,
    ORIGIN,
    SESSION_RESPONSE,
    TOKEN,
    Observer,
    Peer,
    Visitor,
    message,
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


async def test_a_ticket_opens_one_socket_only() -> None:
    async with stage() as on:
        admission = await on.admit()
        ticket = await on.book.issue_ticket(admission.session)
        offer = f"Sec-WebSocket-Protocol: ticket.{ticket.handle}\r\n"
        visitors = [await on.knock(None, offer) for _ in range(20)]
        genesys = await on.genesys()
        await genesys.accept()
        answers = [await visitor.answer() for visitor in visitors]
        assert sorted(status for status, _ in answers) == [101] + [403] * 19
        assert {headers.get("x-code") for status, headers in answers if status == 403} == {"ticket.invalid"}
        assert on.peers.empty()


async def test_an_opening_that_cannot_be_recorded_is_not_given() -> None:
    async with stage() as on:
        on.observer.refuse_with = Refusal(errors.AUDIT_UNAVAILABLE)
        visitor = await on.knock(await on.admit())
        genesys = await on.genesys()
        await genesys.accept()
        assert (await visitor.answer())[1]["x-code"] == "audit.unavailable"
        assert await genesys.gone()
        assert on.relay.open_sockets == 0


async def test_the_upstream_token_never_reaches_the_visitor() -> None:
    async with stage() as on:
        admission = await on.admit()
        visitor, genesys = await on.configured(admission)
        token = admission.session.upstream_token
        genesys.say({"type": "message", "class": "StructuredMessage", "body": {"text": f"your token is {token}"}})
        heard = await visitor.hear()
        assert token not in heard
        assert TOKEN in heard


async def test_a_genesys_jwt_becomes_a_history_handle_and_order_is_kept() -> None:
    async with stage() as on:
        admission = await on.admit(ANN)
        visitor, genesys = await on.configured(admission)
        visitor.say({"action": "getJwt", "token": TOKEN})
        assert (await genesys.hear_json())["action"] == "getJwt"
        body = {"jwt": "head.body.signature", "exp": on.clock() + 60}
        genesys.say({"type": "response", "class": "JwtResponse", "code": 200, "body": body})
        genesys.say('{"class":"after"}')
        answer = await visitor.hear_json()
        assert kind_of(answer["body"]["jwt"]) is HandleKind.HISTORY
        assert await visitor.hear() == '{"class":"after"}'
        history = await on.book.history_of(answer["body"]["jwt"], "shop")
        assert (history.jwt, history.session.id) == ("head.body.signature", admission.session.id)


async def test_a_refused_frame_is_answered_and_the_socket_goes_on() -> None:
    async with stage() as on:
        visitor, genesys = await on.configured()
        visitor.say({"action": "resumeToken", "token": TOKEN, "tracingId": "t1"})
        answer = await visitor.hear_json()
        assert (answer["code"], answer["tracingId"]) == (403, "t1")
        assert answer["body"].startswith("frame.action_not_allowed")
        visitor.say(message("still here"))
        assert (await genesys.hear_json())["message"]["text"] == "still here"
        assert on.observer.refused == [errors.FRAME_ACTION]


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1011, 1012, 1013, 3000, 4001, 4999])
async def test_a_close_is_carried_both_ways_with_code_and_reason(code: int) -> None:
    async with stage() as on:
        visitor, genesys = await on.connect()
        visitor.say_close(code, "from visitor")
        assert await genesys.hear_close() == (code, "from visitor")
        assert await visitor.hear_close() == (code, "from visitor")
        assert await visitor.gone()
        genesys.say_close(code)
        assert (await on.observer.ending()).initiator is Initiator.CLIENT
        visitor, genesys = await on.connect()
        genesys.say_close(code, "from genesys")
        assert await visitor.hear_close() == (code, "from genesys")
        assert await genesys.hear_close() == (code, "from genesys")
        visitor.say_close(code)
        assert await visitor.gone()
        ending = await on.observer.ending()
        assert (ending.code, ending.initiator) == (code, Initiator.UPSTREAM)


async def test_a_close_without_code_stays_without_one() -> None:
    async with stage() as on:
        visitor, genesys = await on.connect()
        genesys.say_close(None)
        assert await visitor.hear_close() == (None, "")
        visitor.say_close(None)
        assert (await on.observer.ending()).code == 1005


async def test_the_registered_code_that_browsers_refuse_is_carried_as_another() -> None:
    async with stage() as on:
        visitor, genesys = await on.connect()
        genesys.say_close(1014, "bad gateway")
        assert await visitor.hear_close() == (1011, "bad gateway")


async def test_a_visitor_who_just_goes_is_a_going_away_for_genesys() -> None:
    async with stage() as on:
        visitor, genesys = await on.connect()
        visitor.reset()
        assert await genesys.hear_close() == (1001, "")
        genesys.say_close(1001)
        genesys.writer.close()
        ending = await on.observer.ending()
        assert (ending.code, ending.initiator) == (1006, Initiator.CLIENT)


async def test_a_reset_of_genesys_in_the_middle_of_a_frame_closes_the_visitor_with_a_reason() -> None:
    async with stage() as on:
        visitor, genesys = await on.connect()
        genesys.write(genesys.frame(1, b"x" * 1000)[:500])
        await genesys.writer.drain()
        genesys.reset()
        assert await visitor.hear_close() == (1011, "upstream.unreachable")
        visitor.say_close(1011)
        assert await visitor.gone()
        ending = await on.observer.ending()
        assert (ending.code, ending.initiator) == (1006, Initiator.UPSTREAM)


async def test_pings_of_both_sides_are_answered_here() -> None:
    async with stage() as on:
        visitor, genesys = await on.connect()
        visitor.write(visitor.frame(9, b"v"))
        genesys.write(genesys.frame(9, b"g"))
        assert await visitor.hear_frame() == (10, b"v")
        assert await genesys.hear_frame() == (10, b"g")


async def test_frames_in_pieces_and_control_frames_between_them() -> None:
    async with stage() as on:
        visitor, genesys = await on.configured()
        text = json.dumps(message("in pieces")).encode()
        visitor.write(
            visitor.frame(1, text[:10], fin=False) + visitor.frame(9, b"") + visitor.frame(0, text[10:20], fin=False)
        )
        visitor.write(visitor.frame(0, text[20:]))
        assert (await genesys.hear_json())["message"]["text"] == "in pieces"
        assert await visitor.hear_frame() == (10, b"")


@pytest.mark.parametrize(
    ("spoil", "code", "reason"),
    [
        (lambda v: v.frame(2, b"binary"), 1003, "frame.binary"),
        (lambda v: v.frame(1, b"unmasked", masked=False), 1002, "frame.malformed"),
        (lambda v: v.frame(1, b"\xff\xfe"), 1007, "frame.malformed"),
        (lambda v: v.frame(1, b"x" * 70_000), 1009, "frame.too_large"),
        (lambda v: v.frame(3, b""), 1002, "frame.malformed"),
        (lambda v: v.frame(0, b"continues nothing"), 1002, "frame.malformed"),
        (lambda v: v.frame(9, b"x" * 126), 1002, "frame.malformed"),
        (lambda v: v.frame(8, b"\x03"), 1002, "frame.malformed"),
        (lambda v: v.frame(8, b"\x03\xed"), 1002, "frame.malformed"),
        (lambda v: b"\xc1" + v.frame(1, b"")[1:], 1002, "frame.malformed"),
    ],
)
async def test_a_spoilt_frame_closes_with_the_code_that_says_how(
    spoil: Callable[[Visitor], bytes], code: int, reason: str
) -> None:
    async with stage() as on:
        visitor, genesys = await on.connect()
        visitor.write(spoil(visitor))
        assert await visitor.hear_close() == (code, reason)
        assert (await genesys.hear_close())[0] == 1000
        assert on.observer.refused


async def test_genesys_breaking_the_protocol_is_not_the_visitors_fault() -> None:
    async with stage() as on:
        visitor, genesys = await on.connect()
        genesys.write(genesys.frame(1, b"masked by a server", masked=True))
        assert await visitor.hear_close() == (1011, "upstream.bad_answer")
        assert (await genesys.hear_close())[0] == 1002


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


async def test_an_idle_socket_is_pinged_and_a_silent_one_closed() -> None:
    async with stage(bounds=SocketBounds(idle_s=60, ping_s=20)) as on:
        visitor, genesys = await on.connect()
        start = on.relay.now
        await on.relay.tick(start + 21)
        assert await visitor.hear_frame() == (9, b"")
        assert await genesys.hear_frame() == (9, b"")
        visitor.write(visitor.frame(10, b"") + visitor.frame(9, b"heard"))
        assert await visitor.hear_frame() == (10, b"heard")
        genesys.write(genesys.frame(9, b""))
        assert await genesys.hear_frame() == (10, b"")
        for elapsed in range(22, 90):
            await on.relay.tick(start + elapsed)
        assert (await visitor.hear_frame())[0] == 9
        frames = [await visitor.hear_frame() for _ in range(2)]
        assert frames[-1] == (8, b"\x03\xf0socket.closed")


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


async def flood(genesys: Peer) -> None:
    """120 MB towards a visitor, as fast as the gateway takes them."""
    chunk = genesys.frame(1, b"x" * 60_000)
    for _ in range(2000):
        genesys.write(chunk)
        await genesys.writer.drain()


async def test_a_slow_reader_holds_genesys_back_and_is_closed_in_the_end() -> None:
    async with stage(bounds=SocketBounds(slow_s=15)) as on:
        _visitor, genesys = await on.connect()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flood(genesys), 2)
        (pair,) = on.relay._pairs
        assert isinstance(pair, SocketPair)
        buffered = pair.client.transport.get_write_buffer_size()
        assert 0 < buffered < 1_000_000
        assert pair.client.paused_since is not None
        now = on.relay.now
        await on.relay.tick(now + 26)
        await on.relay.tick(now + 40)
        assert (await on.observer.ending()).code == 1008


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
        await on.relay.drain(0.5)
        assert await asyncio.gather(*leaving) == [(1001, "socket.closed")] * 5
        assert on.relay.open_sockets == 0
        assert (await (await on.knock(await on.admit())).answer())[1]["x-code"] == "server.draining"


async def test_a_login_without_a_genesys_jwt_is_answered() -> None:
    async with stage() as on:
        visitor, _ = await on.connect(await on.admit(ANN))
        visitor.say({"action": "configureAuthenticatedSession", "token": TOKEN, "deploymentId": DEPLOYMENT})
        assert (await visitor.hear_json())["body"].startswith("frame.login_not_possible")


class Login:
    """Gives a JWT when it is let to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def jwt_of(self, session: object) -> str | None:
        await self.go.wait()
        return "genesys.guest.jwt"


async def test_a_login_waits_for_its_jwt_and_holds_back_what_came_behind_it() -> None:
    login = Login()
    async with stage(login=login) as on:
        visitor, genesys = await on.connect(await on.admit(ANN))
        visitor.say({"action": "configureAuthenticatedSession", "token": TOKEN, "deploymentId": DEPLOYMENT})
        visitor.say(message("typed while signing in"))
        genesys.say('{"class":"other direction goes on"}')
        assert "goes on" in await visitor.hear()
        login.go.set()
        first, second = await genesys.hear_json(), await genesys.hear_json()
        assert first["data"]["code"] == "genesys.guest.jwt"
        assert second["message"]["text"] == "typed while signing in"
        genesys.say({"class": "SomethingNew", "body": {"echo": "genesys.guest.jwt"}})
        assert "genesys.guest.jwt" not in await visitor.hear()


async def test_a_guest_has_one_pace_over_all_its_sockets() -> None:
    async with stage() as on:
        admission = await on.admit(ANN)
        first, second = await on.configured(admission), await on.configured(admission)
        for n in range(4):
            visitor, genesys = (first, second)[n % 2]
            visitor.say(message(f"{n}"))
            await genesys.hear()
        first[0].say(message("5"))
        await first[1].hear()
        second[0].say(message("too fast"))
        assert (await second[0].hear_json())["class"] == "TooManyRequestsErrorMessage"


async def test_aiohttp_keeps_nothing_of_an_opened_socket() -> None:
    async with stage() as on:
        before = len(asyncio.all_tasks())
        pairs = [await on.connect() for _ in range(20)]
        await asyncio.sleep(0)
        assert on.connections_left() == 0
        assert len(asyncio.all_tasks()) - before < 20 + 2  # the scripted Genesys has a task per connection
        assert isinstance(on.observer, Observer)
        assert len(pairs) == 20


SCRIPTS = [
    script
    for name, script in sorted(globals().items())
    if name.startswith("test_") and inspect.iscoroutinefunction(script) and not inspect.signature(script).parameters
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__.removeprefix("test_"))
def test_the_same_on_uvloop(script: Callable[[], Coroutine[None, None, None]]) -> None:
    """uvloop's transports differ from asyncio's: each script that needs no parameter runs on it as well."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(script())
