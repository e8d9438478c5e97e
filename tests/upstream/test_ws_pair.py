"""What passes on an open socket, read as scripts: frames, verdicts, pings, closes, and who waits for whom."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway import errors
from gateway.policy.frames import SocketGuest, SocketRules
from gateway.policy.guests import GuestSession, Person
from gateway.policy.handles import HandleKind, kind_of
from gateway.upstream.ws_pair import Phase, SocketPair
from gateway.upstream.ws_types import Initiator, SocketBounds, SocketOpening
from tests.upstream.socket_stage import (
    DEPLOYMENT,
    TOKEN,
    WAIT_S,
    Peer,
    Script,
    Stage,
    Visitor,
    message,
    name_of,
    run_on_uvloop,
    scripts_of,
    stage,
)

ANN = Person("zendesk", "ann", "Ann")


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


async def flood(genesys: Peer) -> None:
    """120 MB towards a visitor, as fast as the gateway takes them."""
    chunk = genesys.frame(1, b"x" * 60_000)
    for _ in range(2000):
        genesys.write(chunk)
        await genesys.writer.drain()


async def test_a_slow_reader_holds_genesys_back_and_is_closed_in_the_end() -> None:
    async with stage(bounds=SocketBounds(slow_s=15, ping_s=5, idle_s=10_000_000)) as on:
        _visitor, genesys = await on.connect()
        (pair,) = on.relay._pairs
        assert isinstance(pair, SocketPair)
        flooding = asyncio.create_task(flood(genesys))
        most, now = 0, on.relay.now
        async with asyncio.timeout(WAIT_S):
            while on.observer.endings.empty():
                most = max(most, pair.client.transport.get_write_buffer_size())
                # the clock stands still while the kernel takes more: only a pause that lasts is what is waited for
                if pair.client.paused_since is not None or pair.phase is Phase.CLOSING:
                    now += 0.01
                    await on.relay.tick(now)
                await asyncio.sleep(0)
        assert (await on.observer.ending()).code == 1008
        assert 0 < most < 1_000_000
        assert pair.bytes_down < 60_000_000
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)


async def test_a_login_without_a_genesys_jwt_is_answered() -> None:
    async with stage() as on:
        visitor, _ = await on.connect(await on.admit(ANN))
        visitor.say({"action": "configureAuthenticatedSession", "token": TOKEN, "deploymentId": DEPLOYMENT})
        assert (await visitor.hear_json())["body"].startswith("frame.login_not_possible")


class Login:
    """Gives a JWT when it is let to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def jwt_of(self, opening: object, *, afresh: bool = False) -> str | None:
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


async def test_a_flood_of_pings_closes_the_socket() -> None:
    async with stage(bounds=SocketBounds(ping_s=2)) as on:
        visitor, _ = await on.connect()
        visitor.write(visitor.frame(9, b"") * 20)
        for _ in range(20):
            assert await visitor.hear_frame() == (10, b"")
        visitor.write(visitor.frame(9, b""))
        assert await visitor.hear_close() == (1008, "frame.rate_limited")
        assert on.observer.refused == [errors.FRAME_RATE]


class Broken:
    """A login with a fault of ours in it."""

    async def jwt_of(self, opening: object, *, afresh: bool = False) -> str | None:
        raise ZeroDivisionError


async def test_a_fault_of_ours_closes_the_socket_and_holds_nothing_for_ever() -> None:
    async with stage(login=Broken()) as on:
        visitor, genesys = await on.connect(await on.admit(ANN))
        visitor.say({"action": "configureAuthenticatedSession", "token": TOKEN, "deploymentId": DEPLOYMENT})
        assert await visitor.hear_close() == (1011, "internal.error")
        assert (await genesys.hear_close())[0] == 1000


async def test_binary_frames_of_genesys_end_the_socket() -> None:
    async with stage() as on:
        visitor, genesys = await on.connect()
        genesys.write(genesys.frame(2, b"binary"))
        assert await visitor.hear_close() == (1011, "upstream.bad_answer")
        assert (await genesys.hear_close())[0] == 1003


async def test_pongs_and_frames_after_a_close_are_passed_over() -> None:
    async with stage() as on:
        visitor, genesys = await on.configured()
        visitor.write(visitor.frame(10, b"unasked"))
        visitor.say_close(1000)
        visitor.say(message("after the close"))
        assert await genesys.hear_close() == (1000, "")
        genesys.say('{"class":"too late"}')
        genesys.say_close(1000)
        assert await visitor.hear_close() == (1000, "")
        assert (await on.observer.ending()).messages_up == 1


def derived(token: str) -> SocketGuest:
    """The guest of a client's own token."""
    return SocketGuest(str(uuid.uuid5(uuid.NAMESPACE_URL, token)))


class Opener:
    """Opens sessions for sockets that came without one, and notes it."""

    def __init__(self) -> None:
        self.on: Stage | None = None
        self.opened: list[GuestSession] = []

    async def open_session(self, opening: SocketOpening) -> GuestSession:
        assert self.on is not None
        self.opened.append((await self.on.admit()).session)
        return self.opened[-1]


async def anonymous(on: Stage) -> tuple[Visitor, Peer]:
    """A configured socket without ticket."""
    on.rules = replace(on.rules, anonymous_socket=True)
    visitor = await on.knock()
    genesys = await on.genesys()
    await genesys.accept()
    assert (await visitor.answer())[0] == 101
    visitor.say({"action": "configureSession", "token": TOKEN, "deploymentId": DEPLOYMENT})
    assert (await genesys.hear_json())["token"] == derived(TOKEN).upstream_token
    return visitor, genesys


async def test_a_socket_without_ticket_gets_a_session_when_it_asks_for_its_history() -> None:
    opener = Opener()
    async with stage(rules=SocketRules(DEPLOYMENT, derive_guest=derived), sessions=opener) as on:
        opener.on = on
        visitor, genesys = await anonymous(on)
        for number in range(2):
            genesys.say({"class": "JwtResponse", "code": 200, "body": {"jwt": f"a.b.{number}", "exp": on.clock() + 60}})
            handle = (await visitor.hear_json())["body"]["jwt"]
            history = await on.book.history_of(handle, "shop")
            assert (history.jwt, history.session.id) == (f"a.b.{number}", opener.opened[0].id)
        assert len(opener.opened) == 1


async def test_a_socket_without_ticket_and_without_sessions_is_told_why_it_has_no_history() -> None:
    async with stage(rules=SocketRules(DEPLOYMENT, derive_guest=derived)) as on:
        visitor, genesys = await anonymous(on)
        body = {"jwt": "a.b.c", "exp": on.clock() + 60}
        genesys.say({"class": "JwtResponse", "code": 200, "body": body, "tracingId": "t1"})
        answer = await visitor.hear_json()
        assert answer["body"].startswith("session.missing")
        assert answer["tracingId"] == "t1"
        assert "a.b.c" not in str(answer)


@pytest.mark.parametrize("script", scripts_of(globals()), ids=name_of)
def test_the_same_on_uvloop(script: Script) -> None:
    """uvloop's transports differ from asyncio's: each script that needs no parameter runs on it as well."""
    run_on_uvloop(script)
