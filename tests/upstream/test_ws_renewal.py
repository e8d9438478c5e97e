"""A sign-in that lapses in mid conversation, read as scripts: what waits, what goes again, what the visitor sees."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.errors import UPSTREAM_BUSY, UPSTREAM_TIMEOUT, Refusal
from gateway.policy.frames import SocketRules
from gateway.policy.guests import Person
from gateway.upstream import ws_renewal
from gateway.upstream.ws_renewal import MAX_OUTSTANDING, MAX_OUTSTANDING_BYTES, MAX_TRIES, LoginKeeper
from gateway.upstream.ws_types import SocketOpening
from tests.upstream.socket_stage import DEPLOYMENT, TOKEN, WAIT_S, Peer, Stage, Visitor, stage


@pytest.fixture(autouse=True)
def a_patient_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here is about the time that Genesys has for a sign-in; a machine that stalls must not use it up."""
    monkeypatch.setattr(ws_renewal, "CONFIGURE_S", 10 * WAIT_S)


ANN = Person("zendesk", "ann", "Ann")
RULES = SocketRules(DEPLOYMENT, genesys_login=True)


@dataclass
class Login:
    """Gives numbered JWTs, as long as it is told to."""

    asked: list[bool] = field(default_factory=list)
    empty_from: int = 99
    fault: Refusal | None = None
    faults: list[Refusal] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    async def jwt_of(self, opening: SocketOpening, *, afresh: bool = False) -> str | None:
        self.asked.append(afresh)
        await self.hold.wait()
        if self.fault is not None:
            raise self.fault
        if self.faults:
            raise self.faults.pop()
        return None if len(self.asked) > self.empty_from else f"genesys-jwt-{len(self.asked)}"


def said(text: str, tracing_id: str | None = None) -> dict[str, Any]:
    frame = {"action": "onMessage", "token": TOKEN, "message": {"type": "Text", "text": text}}
    return frame | ({"tracingId": tracing_id} if tracing_id else {})


def refusal(frame: dict[str, Any], code: int = 401, body: str = "HTTP authorization error") -> dict[str, Any]:
    return {"type": "response", "class": "string", "code": code, "body": body, "tracingId": frame["tracingId"]}


def session_response(frame: dict[str, Any]) -> dict[str, Any]:
    body = {"connected": True, "newSession": False}
    return {"type": "response", "class": "SessionResponse", "code": 200, "body": body, "tracingId": frame["tracingId"]}


def taken(frame: dict[str, Any]) -> dict[str, Any]:
    body = {"direction": "Inbound", "type": "Text", "text": frame["message"]["text"]}
    return {"type": "message", "class": "StructuredMessage", "code": 200, "body": body, "tracingId": frame["tracingId"]}


async def signed_in(on: Stage) -> tuple[Visitor, Peer]:
    """A visitor whose client configures anonymously, and whom the gateway signs in instead."""
    visitor, genesys = await on.connect(await on.admit(ANN))
    visitor.say({"action": "configureSession", "token": TOKEN, "deploymentId": DEPLOYMENT, "startNew": True})
    configure = await genesys.hear_json()
    assert configure["action"] == "configureAuthenticatedSession"
    assert configure["data"] == {"code": "genesys-jwt-1"}
    genesys.say(session_response(configure))
    assert (await visitor.hear_json())["class"] == "SessionResponse"
    return visitor, genesys


async def test_an_anonymous_guest_is_not_signed_in() -> None:
    async with stage(login=Login(), rules=RULES) as on:
        visitor, genesys = await on.connect()
        visitor.say({"action": "configureSession", "token": TOKEN, "deploymentId": DEPLOYMENT})
        assert (await genesys.hear_json())["action"] == "configureSession"


async def test_a_message_that_met_a_lapsed_sign_in_goes_again_after_a_new_one_and_the_visitor_sees_nothing() -> None:
    login = Login()
    async with stage(login=login, rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        visitor.say(said("first", "t-1"))
        first = await genesys.hear_json()
        genesys.say(refusal(first))
        configure = await genesys.hear_json()
        assert configure["data"] == {"code": "genesys-jwt-2"}
        assert configure["action"] == "configureAuthenticatedSession"
        assert "startNew" not in configure, "the conversation goes on"
        genesys.say(session_response(configure))
        assert await genesys.hear_json() == first
        genesys.say(taken(first))
        heard = await visitor.hear_json()
        assert (heard["class"], heard["tracingId"]) == ("StructuredMessage", "t-1")
        assert login.asked == [False, False]


async def test_everything_refused_goes_again_once_in_order_and_what_was_typed_meanwhile_follows() -> None:
    login = Login()
    async with stage(login=login, rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        sent = []
        for number in range(3):
            visitor.say(said(f"{number}", f"t-{number}"))
            sent.append(await genesys.hear_json())
        login.hold.clear()
        for frame in sent:
            genesys.say(refusal(frame))
        visitor.say(said("typed meanwhile", "t-3"))
        while len(login.asked) < 2:
            await asyncio.sleep(0)
        login.hold.set()
        configure = await genesys.hear_json()
        genesys.say(session_response(configure))
        texts = [(await genesys.hear_json())["message"]["text"] for _ in range(4)]
        assert texts == ["0", "1", "2", "typed meanwhile"]


async def test_what_genesys_took_is_never_sent_again() -> None:
    async with stage(login=Login(), rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        visitor.say(said("taken", "t-1"))
        genesys.say(taken(await genesys.hear_json()))
        await visitor.hear_json()
        visitor.say(said("refused", "t-2"))
        genesys.say(refusal(await genesys.hear_json()))
        genesys.say(session_response(await genesys.hear_json()))
        assert (await genesys.hear_json())["message"]["text"] == "refused"
        visitor.say(said("later", "t-3"))
        assert (await genesys.hear_json())["message"]["text"] == "later"


async def test_a_refusal_that_comes_late_needs_no_second_sign_in() -> None:
    login = Login()
    async with stage(login=login, rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        sent = []
        for number in range(2):
            visitor.say(said(f"{number}", f"t-{number}"))
            sent.append(await genesys.hear_json())
        genesys.say(refusal(sent[0]))
        genesys.say(session_response(await genesys.hear_json()))
        assert await genesys.hear_json() == sent[0]
        genesys.say(refusal(sent[1]))
        assert await genesys.hear_json() == sent[1]
        assert login.asked == [False, False]


async def test_a_frame_without_tracing_id_is_given_one() -> None:
    async with stage(login=Login(), rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        visitor.say(said("no id"))
        frame = await genesys.hear_json()
        genesys.say(refusal(frame))
        genesys.say(session_response(await genesys.hear_json()))
        assert await genesys.hear_json() == frame


async def test_a_sign_in_that_is_dead_is_made_wholly_new() -> None:
    login = Login()
    async with stage(login=login, rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        visitor.say(said("x", "t-1"))
        frame = await genesys.hear_json()
        genesys.say(refusal(frame, 403, "Try to authenticate again"))
        genesys.say(session_response(await genesys.hear_json()))
        assert await genesys.hear_json() == frame
        assert login.asked == [False, True]


async def test_a_refreshed_jwt_that_is_refused_too_is_followed_by_a_whole_new_sign_in() -> None:
    login = Login()
    async with stage(login=login, rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        visitor.say(said("x", "t-1"))
        frame = await genesys.hear_json()
        genesys.say(refusal(frame))
        genesys.say(refusal(await genesys.hear_json()))
        genesys.say(session_response(await genesys.hear_json()))
        assert await genesys.hear_json() == frame
        assert login.asked == [False, False, True]


async def test_without_another_jwt_the_visitor_is_told_in_genesys_words() -> None:
    async with stage(login=Login(empty_from=1), rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        visitor.say(said("x", "t-1"))
        genesys.say(refusal(await genesys.hear_json()))
        heard = await visitor.hear_json()
        assert (heard["code"], heard["tracingId"]) == (401, "t-1")
        visitor.say(said("y", "t-2"))
        assert (await genesys.hear_json())["message"]["text"] == "y", "the socket is held no longer"


async def test_a_genesys_that_does_not_answer_the_sign_in_ends_as_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_renewal, "PAUSES_S", (0.0, 0.0))
    login = Login()
    async with stage(login=login, rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        login.fault = Refusal(UPSTREAM_TIMEOUT)
        visitor.say(said("x", "t-1"))
        genesys.say(refusal(await genesys.hear_json()))
        assert (await visitor.hear_json())["code"] == 401


async def test_a_genesys_in_trouble_is_asked_again_before_the_visitor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_renewal, "PAUSES_S", (0.0, 0.0))
    login = Login()
    async with stage(login=login, rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        login.faults = [Refusal(UPSTREAM_BUSY), Refusal(UPSTREAM_TIMEOUT)]
        visitor.say(said("x", "t-1"))
        frame = await genesys.hear_json()
        genesys.say(refusal(frame))
        genesys.say(session_response(await genesys.hear_json()))
        assert await genesys.hear_json() == frame
        assert login.asked == [False] * 4


async def test_a_frame_is_not_sent_for_ever() -> None:
    async with stage(login=Login(), rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        visitor.say(said("x", "t-1"))
        for _ in range(MAX_TRIES - 1):
            genesys.say(refusal(await genesys.hear_json()))
            genesys.say(session_response(await genesys.hear_json()))
        genesys.say(refusal(await genesys.hear_json()))
        assert (await visitor.hear_json())["tracingId"] == "t-1"


async def test_the_first_sign_in_itself_is_tried_again_with_another_jwt() -> None:
    login = Login()
    async with stage(login=login, rules=RULES) as on:
        visitor, genesys = await on.connect(await on.admit(ANN))
        frame = {"action": "configureSession", "token": TOKEN, "deploymentId": DEPLOYMENT, "tracingId": "c-1"}
        visitor.say(frame)
        genesys.say(refusal(await genesys.hear_json()))
        second = await genesys.hear_json()
        assert (second["tracingId"], second["data"]) == ("c-1", {"code": "genesys-jwt-2"})
        genesys.say(session_response(second))
        assert (await visitor.hear_json())["class"] == "SessionResponse"


async def test_other_refusals_pass_as_they_are() -> None:
    async with stage(login=Login(), rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        for code, body in ((403, "feature off"), (429, "slow down"), (4011, "too long")):
            visitor.say(said("x", f"t-{code}"))
            genesys.say(refusal(await genesys.hear_json(), code, body))
            assert (await visitor.hear_json())["code"] == code


async def test_no_jwt_reaches_the_visitor() -> None:
    async with stage(login=Login(), rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        visitor.say(said("x", "t-1"))
        genesys.say(refusal(await genesys.hear_json()))
        genesys.say(session_response(await genesys.hear_json()))
        await genesys.hear_json()
        for number in (1, 2):
            genesys.say({"class": "StructuredMessage", "body": {"text": f"look: genesys-jwt-{number}"}})
            assert "genesys-jwt" not in json.dumps(await visitor.hear_json())


async def test_what_is_no_json_is_judged_where_all_frames_are() -> None:
    async with stage(login=Login(), rules=RULES) as on:
        visitor, genesys = await signed_in(on)
        visitor.say(said("x", "t-1"))
        await genesys.hear_json()
        genesys.say('{"class":')
        genesys.say('{"class":"after"}')
        heard = [await visitor.hear()]
        while heard[-1] != '{"class":"after"}':
            heard.append(await visitor.hear())


async def test_what_is_kept_for_sending_again_is_bounded_in_number_and_size() -> None:
    sent: list[bytes] = []
    kept: list[str] = []
    keeper = LoginKeeper(
        lambda afresh: asyncio.sleep(0, None), sent.append, lambda step: False, kept.append, lambda: "x"
    )
    for number in range(2 * MAX_OUTSTANDING):
        keeper.outgoing(json.dumps({"action": "echo", "tracingId": f"t-{number}"}).encode())
    assert len(keeper._sent) == MAX_OUTSTANDING
    for number in range(20):
        keeper.outgoing(json.dumps({"action": "onMessage", "tracingId": f"m-{number}", "text": "x" * 60_000}).encode())
    assert sum(len(one.payload) for one in keeper._sent.values()) == keeper._bytes <= MAX_OUTSTANDING_BYTES
    oldest = json.dumps({"class": "string", "code": 401, "tracingId": "t-0"})
    assert not keeper.takes(oldest), "its refusal passes to the client, which knows what to do"
