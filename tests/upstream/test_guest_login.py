"""A guest's Genesys JWT: got once by a code, kept until its expiry, refreshed, and ended with the session."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import GuestSession
from gateway.store.known import SessionEnd
from gateway.upstream.guest_login import CALLS_AT_ONCE, GuestLogins, Leg, LoginCode, Unwatched
from gateway.upstream.http import HttpLeg
from gateway.upstream.settings import LegSettings
from gateway.upstream.ws_types import SocketOpening

NOW = 1_790_000_000.0
EXCHANGE = "POST /api/v2/webdeployments/token/oauthcodegrantjwtexchange"
REFRESH = "POST /api/v2/webdeployments/token/refresh"
REVOKE = "DELETE /api/v2/webdeployments/token/revoke"


def jwt_until(expires_at: float, name: str = "ann") -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires_at, "sub": name}).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJl"


def opening(request_id: str = "r1", *, verified: bool = True, session_id: str = "s1") -> SocketOpening:
    session = GuestSession(
        session_id, "shop", "acme", "g1", verified, "zendesk", "ann", NOW, NOW, NOW + 43_200, 1800, "token"
    )
    return SocketOpening(
        request_id, "shop", "d1", "https://shop.example", session, upstream_origin="https://listed.example"
    )


class Genesys:
    """Notes the calls; answers what the test has put down for each, the last answer again and again."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.answers: dict[str, list[tuple[int, object]]] = {}
        self.hold: asyncio.Event | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        text = await request.text()
        self.calls.append(
            (name, {key.lower(): value for key, value in request.headers.items()}, json.loads(text or "null"))
        )
        if self.hold is not None:
            await self.hold.wait()
        left = self.answers[name]
        status, document = left.pop(0) if len(left) > 1 else left[0]
        return web.json_response(document, status=status) if document is not None else web.Response(status=status)

    def called(self) -> list[str]:
        return [name for name, _, _ in self.calls]


class Codes:
    """Gives codes with numbers."""

    def __init__(self) -> None:
        self.given = 0
        self.nonce: str | None = None
        self.none = False

    async def code_for(self, session: GuestSession, deployment_id: str) -> LoginCode | None:
        self.given += 1
        return None if self.none else LoginCode(f"gwc_{self.given}", "https://gateway.example/callback", self.nonce)


class Parts:
    """Genesys, codes, a clock and the logins over them."""

    def __init__(self, leg: HttpLeg, genesys: Genesys) -> None:
        self.now = NOW
        self.genesys = genesys
        self.codes = Codes()
        self.logins = GuestLogins(lambda site: leg, self.codes, lambda: self.now, timeout_s=2.0)


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    genesys = Genesys()
    server = web.Server(genesys.handle, access_log=None)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    leg = HttpLeg(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", LegSettings())
    yield Parts(leg, genesys)
    await leg.close()
    listening.close()
    await server.shutdown(1.0)


async def test_a_code_is_exchanged_once_and_the_jwt_kept_for_all_sockets_of_the_session(parts: Parts) -> None:
    jwt = jwt_until(NOW + 900)
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": jwt, "refreshToken": "refresh-1"})]
    parts.genesys.hold = asyncio.Event()
    asking = [asyncio.create_task(parts.logins.jwt_of(opening(f"r{n}"))) for n in range(5)]
    parts.genesys.hold.set()
    assert await asyncio.gather(*asking) == [jwt] * 5
    ((_, headers, body),) = parts.genesys.calls
    assert body == {"deploymentId": "d1", "oauth": {"code": "gwc_1", "redirectUri": "https://gateway.example/callback"}}
    assert headers["origin"] == "https://listed.example"
    assert "authorization" not in headers


async def test_a_nonce_goes_along_exactly_when_the_code_was_made_with_one(parts: Parts) -> None:
    parts.codes.nonce = "n1"
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": jwt_until(NOW + 900)})]
    await parts.logins.jwt_of(opening())
    assert parts.genesys.calls[0][2]["oauth"]["nonce"] == "n1"


async def test_it_is_refreshed_before_it_expires_and_exchanged_anew_when_that_fails(parts: Parts) -> None:
    first, second, third = (jwt_until(NOW + life, f"{life}") for life in (900, 1800, 2700))
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": first, "refreshToken": "refresh-1"}), (200, {"jwt": third})]
    parts.genesys.answers[REFRESH] = [(200, {"jwt": second}), (401, {"code": "bad.credentials"})]
    assert await parts.logins.jwt_of(opening("r1")) == first
    parts.now = NOW + 869
    assert await parts.logins.jwt_of(opening("r2")) == first
    parts.now = NOW + 870
    assert await parts.logins.jwt_of(opening("r3")) == second
    assert parts.genesys.calls[-1][2] == {"refreshToken": "refresh-1", "deploymentId": "d1"}
    parts.now = NOW + 1790
    assert await parts.logins.jwt_of(opening("r4")) == third
    assert parts.genesys.called() == [EXCHANGE, REFRESH, REFRESH, EXCHANGE]


async def test_a_socket_that_asks_again_gets_another_jwt(parts: Parts) -> None:
    first, second = jwt_until(NOW + 900, "first"), jwt_until(NOW + 900, "second")
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": first}), (200, {"jwt": second})]
    assert await parts.logins.jwt_of(opening("r1")) == first
    assert await parts.logins.jwt_of(opening("r2")) == first
    assert await parts.logins.jwt_of(opening("r2")) == second


async def test_one_guests_jwt_is_never_anothers(parts: Parts) -> None:
    first, second = jwt_until(NOW + 900, "ann"), jwt_until(NOW + 900, "bob")
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": first}), (200, {"jwt": second})]
    assert await parts.logins.jwt_of(opening(session_id="s1")) == first
    assert await parts.logins.jwt_of(opening(session_id="s2")) == second


async def test_who_cannot_sign_in_gets_none(parts: Parts) -> None:
    parts.genesys.answers[EXCHANGE] = [(401, {"code": "bad.credentials"})]
    assert await parts.logins.jwt_of(opening(verified=False)) is None
    assert parts.codes.given == 0
    assert await parts.logins.jwt_of(opening("r1")) is None
    parts.codes.none = True
    assert await parts.logins.jwt_of(opening("r2")) is None
    assert parts.genesys.called() == [EXCHANGE]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_genesys_in_trouble_is_busy_and_not_a_refused_sign_in(parts: Parts, status: int) -> None:
    parts.genesys.answers[EXCHANGE] = [(status, {})]
    with pytest.raises(Refusal) as refused:
        await parts.logins.jwt_of(opening())
    assert refused.value.reason is errors.UPSTREAM_BUSY


@pytest.mark.parametrize("document", [{}, {"jwt": None}, {"jwt": "no jwt"}, {"jwt": "a b.c.d"}, [], "text"])
async def test_an_answer_without_a_jwt_is_none(parts: Parts, document: object) -> None:
    parts.genesys.answers[EXCHANGE] = [(200, document)]
    assert await parts.logins.jwt_of(opening()) is None


async def test_a_jwt_without_expiry_is_used_once_and_not_kept(parts: Parts) -> None:
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": "eyJh.bm90anNvbg.c2ln"})]
    assert await parts.logins.jwt_of(opening("r1")) == "eyJh.bm90anNvbg.c2ln"
    await parts.logins.jwt_of(opening("r2"))
    assert parts.genesys.called() == [EXCHANGE, EXCHANGE]


async def test_the_end_of_a_session_forgets_its_jwt_and_a_log_out_revokes_it(parts: Parts) -> None:
    jwt = jwt_until(NOW + 900)
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": jwt, "refreshToken": "refresh-1"})]
    parts.genesys.answers[REVOKE] = [(204, None)]
    await parts.logins.jwt_of(opening("r1"))
    parts.logins.on_end(SessionEnd("s1", None))
    parts.logins.on_end(SessionEnd("s1", None))
    await parts.logins.close()
    assert parts.genesys.called() == [EXCHANGE, REVOKE]
    assert parts.genesys.calls[-1][1]["authorization"] == f"bearer {jwt}"
    await parts.logins.jwt_of(opening("r1"))
    assert parts.genesys.called() == [EXCHANGE, REVOKE, EXCHANGE], "nothing was kept"


async def test_a_jwt_that_has_lapsed_is_refreshed_to_be_revoked(parts: Parts) -> None:
    first, second = jwt_until(NOW + 900, "first"), jwt_until(NOW + 1800, "second")
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": first, "refreshToken": "refresh-1"})]
    parts.genesys.answers[REFRESH] = [(200, {"jwt": second})]
    parts.genesys.answers[REVOKE] = [(401, {}), (204, None)]
    await parts.logins.jwt_of(opening())
    parts.logins.on_end(SessionEnd("s1", None))
    await parts.logins.close()
    assert parts.genesys.called() == [EXCHANGE, REVOKE, REFRESH, REVOKE]
    assert parts.genesys.calls[-1][1]["authorization"] == f"bearer {second}"


async def test_the_end_of_a_guest_ends_all_its_sign_ins_and_no_others(parts: Parts) -> None:
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": jwt_until(NOW + 900)})]
    parts.genesys.answers[REVOKE] = [(204, None)]
    for number in range(3):
        await parts.logins.jwt_of(opening(f"r{number}", session_id=f"s{number}"))
    parts.logins.on_end(SessionEnd(None, "somebody-else"))
    parts.logins.on_end(SessionEnd(None, "g1"))
    await parts.logins.close()
    assert parts.genesys.called() == [EXCHANGE] * 3 + [REVOKE] * 3


async def test_a_second_socket_whose_jwt_lapses_takes_the_renewed_one(parts: Parts) -> None:
    first, second = jwt_until(NOW + 900, "first"), jwt_until(NOW + 1800, "second")
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": first, "refreshToken": "refresh-1"})]
    parts.genesys.answers[REFRESH] = [(200, {"jwt": second})]
    for socket in ("r1", "r2"):
        assert await parts.logins.jwt_of(opening(socket)) == first
    for socket in ("r2", "r1"):
        assert await parts.logins.jwt_of(opening(socket)) == second
    assert parts.genesys.called() == [EXCHANGE, REFRESH]


async def test_a_whole_new_sign_in_leaves_the_refresh_token_alone(parts: Parts) -> None:
    first, second = jwt_until(NOW + 900, "first"), jwt_until(NOW + 900, "second")
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": first, "refreshToken": "dead"}), (200, {"jwt": second})]
    await parts.logins.jwt_of(opening())
    assert await parts.logins.jwt_of(opening(), afresh=True) == second
    assert parts.genesys.called() == [EXCHANGE, EXCHANGE]


async def test_every_leg_is_told_and_a_jwt_that_cannot_be_recorded_is_not_kept(parts: Parts) -> None:
    told: list[tuple[str, str, int]] = []

    class Watch(Unwatched):
        fails = False

        async def granted(self, opening: SocketOpening, how: Leg, jwt: str, expires_at: float) -> None:
            if self.fails:
                raise Refusal(errors.AUDIT_UNAVAILABLE)
            told.append(("granted", how, int(expires_at - NOW)))

        def refused(self, opening: SocketOpening, how: Leg, status: int) -> None:
            told.append(("refused", how, status))

        def revoked(self, opening: SocketOpening, jwt: str) -> None:
            told.append(("revoked", "revoke", 204))

    watch = Watch()
    parts.logins._watch = watch
    parts.genesys.answers[EXCHANGE] = [(401, {}), (200, {"jwt": jwt_until(NOW + 900)})]
    parts.genesys.answers[REVOKE] = [(204, None)]
    await parts.logins.jwt_of(opening())
    watch.fails = True
    with pytest.raises(Refusal):
        await parts.logins.jwt_of(opening())
    watch.fails = False
    await parts.logins.jwt_of(opening())
    parts.logins.on_end(SessionEnd("s1", None))
    await parts.logins.close()
    assert told == [("refused", "exchange", 401), ("granted", "exchange", 900), ("revoked", "revoke", 204)]
    assert parts.genesys.called() == [EXCHANGE] * 3 + [REVOKE]


async def test_a_genesys_that_cannot_be_reached_at_logout_is_only_told(parts: Parts) -> None:
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": jwt_until(NOW + 900)})]
    parts.genesys.answers[REVOKE] = [(503, {})]
    await parts.logins.jwt_of(opening())
    parts.logins.on_end(SessionEnd("s1", None))
    await parts.logins.close()
    assert parts.genesys.called() == [EXCHANGE, REVOKE]


async def test_guests_take_turns_when_all_sign_ins_lapse_together(parts: Parts) -> None:
    parts.genesys.answers[EXCHANGE] = [(200, {"jwt": jwt_until(NOW + 900)})]
    parts.genesys.hold = asyncio.Event()
    asking = [asyncio.create_task(parts.logins.jwt_of(opening(f"r{n}", session_id=f"s{n}"))) for n in range(100)]
    while len(parts.genesys.calls) < CALLS_AT_ONCE:
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(parts.genesys.calls) == CALLS_AT_ONCE
    parts.genesys.hold.set()
    assert None not in await asyncio.gather(*asking)
