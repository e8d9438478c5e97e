"""A guest's visit through the relay to the mock Genesys: configure, talk, history handle, and Genesys' own refusals."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import MockSettings, running_mock
from gateway.policy.frames import SocketRules
from gateway.policy.handles import HandleKind, kind_of
from tests.upstream.socket_stage import DEPLOYMENT, TOKEN, Stage, Visitor, message, stage

SHOP_PAGE = "http://localhost:8088"


async def knock_at_mock(on: Stage, base_url: str, origin: str) -> Visitor:
    """A visitor whose socket goes to the mock."""
    on.rules = replace(on.rules, deployment_id=DEFAULT_DEPLOYMENT, upstream_origin=origin)
    site = replace(on.settings.sites["shop"], url=base_url, rules=SocketRules(DEFAULT_DEPLOYMENT))
    on.relay.reload(replace(on.settings, sites={"shop": site}))
    return await on.knock(await on.admit(), deployment=DEFAULT_DEPLOYMENT)


async def hear_class(visitor: Visitor, wanted: str) -> dict[str, object]:
    """The next frame of this class; others are passed over."""
    async with asyncio.timeout(30):
        while True:
            frame = await visitor.hear_json()
            if frame.get("class") == wanted:
                return frame


async def test_a_whole_visit() -> None:
    async with running_mock(MockSettings.free_ports(agent_delay_s=0.01)) as mock, stage() as on:
        visitor = await knock_at_mock(on, mock.endpoints.webmessaging, SHOP_PAGE)
        assert (await visitor.answer())[0] == 101
        visitor.say({"action": "configureSession", "token": TOKEN, "deploymentId": DEFAULT_DEPLOYMENT})
        assert (await hear_class(visitor, "SessionResponse"))["code"] == 200
        visitor.say(message("is anybody there?"))
        echoed = await hear_class(visitor, "StructuredMessage")
        assert "is anybody there?" in str(echoed)
        visitor.say({"action": "getJwt", "token": TOKEN})
        body = (await hear_class(visitor, "JwtResponse"))["body"]
        assert isinstance(body, dict)
        assert kind_of(body["jwt"]) is HandleKind.HISTORY
        history = await on.book.history_of(body["jwt"], "shop")
        assert history.jwt.count(".") == 2
        visitor.say_close(1000)
        assert (await on.observer.ending()).code == 1000


async def test_genesys_refuses_an_origin_that_it_does_not_list() -> None:
    async with running_mock(MockSettings.free_ports()) as mock, stage() as on:
        visitor = await knock_at_mock(on, mock.endpoints.webmessaging, "https://evil.example")
        status, headers = await visitor.answer()
        assert (status, headers["x-code"]) == (403, "upstream.socket_refused")
        assert DEPLOYMENT != DEFAULT_DEPLOYMENT
