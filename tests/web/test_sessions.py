"""The calls of a page about its session: handles only, one-use tickets, counted beacons."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stack import DEPLOYMENT, PAGE, Stack, whole_stack


async def test_a_session_answer_holds_a_handle_and_nothing_of_genesys(stack: Stack) -> None:
    async with stack.call("POST", "/session", json={}) as answer:
        body = await answer.json()
    assert answer.status == 201
    assert body.keys() == {"session_token", "token_type", "expires_in", "guest", "site", "mode", "deployment_id"}
    assert body["session_token"].startswith("gws_")
    assert (body["expires_in"], body["deployment_id"]) == (900, DEPLOYMENT)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_renewal_gives_a_fresh_handle_for_the_same_guest(stack: Stack) -> None:
    first = await stack.session()
    again = await stack.session(bearer=first["session_token"])
    assert again["guest"] == first["guest"]
    assert again["session_token"] != first["session_token"]


async def test_a_dead_handle_opens_a_new_session(stack: Stack) -> None:
    fresh = await stack.session(bearer="gws_" + "A" * 43)
    assert fresh["guest"]["verified"] is False


@pytest.mark.parametrize(
    ("bearer", "code"),
    [
        ("gwt_" + "A" * 43, "handle.wrong_kind"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "handle.platform_token"),
        ("gws_short", "session.invalid"),
    ],
)
async def test_another_word_than_a_session_handle_is_named(stack: Stack, bearer: str, code: str) -> None:
    async with stack.call("POST", "/ticket", bearer=bearer) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, code)


async def test_a_ticket_needs_a_session(stack: Stack) -> None:
    for method, path in (("POST", "/ticket"), ("DELETE", "/session")):
        async with stack.call(method, path) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "session.missing")


async def test_a_site_of_the_stock_messenger_gives_no_ticket_and_says_why(tmp_path: Path) -> None:
    changes = {"sites.shop.mode": "messenger", "sites.shop.visitors.genesys_login": False}
    async with whole_stack(tmp_path, changes) as stack:
        session = await stack.session()
        async with stack.call("POST", "/ticket", bearer=session["session_token"]) as answer:
            body = await answer.json()
        assert (answer.status, body["code"]) == (404, "request.not_found")
        assert "the stock Messenger" in body["detail"]
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "ticket" not in {record.get("gateway.token.kind") for record in await stack.records()}


async def test_a_ticket_is_recorded_and_lives_thirty_seconds(stack: Stack) -> None:
    session = await stack.session()
    async with stack.call("POST", "/ticket", bearer=session["session_token"]) as answer:
        body = await answer.json()
    assert body["ticket"].startswith("gwt_")
    assert body["expires_in"] == 30
    record = (await stack.records())[-1]
    assert (record["event.action"], record["gateway.token.kind"]) == ("token.minted", "ticket")
