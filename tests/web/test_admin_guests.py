"""Tracing an id back, and ending a guest's sessions: with the admin token only, and on record first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import AUDIT_UNAVAILABLE, Refusal
from tests.login_stack import visitor_token
from tests.stack import Stack, whole_stack

TOKEN = "an-admin-token-of-the-test-0123456789"
ASK = {"site": "shop", "who": "nora", "reason": "ticket 4711"}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    flags = {"admin.token": TOKEN, "sites.shop.visitors.subject": {"lookup_days": 30}}
    async with whole_stack(tmp_path, flags) as running:
        yield running


async def ask(stack: Stack, call: str, token: str = TOKEN, **members: Any) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"}
    async with stack.client.post(f"{stack.admin_url}/guests/{call}", json={**ASK, **members}, headers=headers) as a:
        return a.status, await a.json() if a.content_type.endswith("json") else {}


async def test_an_id_is_traced_back_and_who_asked_is_on_record(stack: Stack) -> None:
    guest = (await stack.session(visitor_token()))["guest"]["id"]
    assert await ask(stack, "lookup", guest=guest) == (
        200,
        {"found": True, "issuer": "zendesk-messaging", "external_id": "ada-1815"},
    )
    record = next(r for r in await stack.records() if r["event.action"] == "admin.action")
    assert (record["gateway.admin.verb"], record["gateway.admin.who"]) == ("guests.lookup", "nora: ticket 4711")
    assert "ada-1815" not in str(record)
    assert guest not in str(record)


async def test_unknown_and_anonymous_guests_answer_alike(stack: Stack) -> None:
    anonymous = (await stack.session())["guest"]["id"]
    for guest in (anonymous, "8f14e45f-ceea-867f-8a2d-0123456789ab"):
        assert await ask(stack, "lookup", guest=guest) == (200, {"found": False})


async def test_nothing_is_kept_where_the_site_does_not_say_so(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"admin.token": TOKEN}) as stack:
        guest = (await stack.session(visitor_token()))["guest"]["id"]
        assert await ask(stack, "lookup", guest=guest) == (200, {"found": False})


async def test_without_a_record_nothing_is_said(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = (await stack.session(visitor_token()))["guest"]["id"]

    async def full(record: object) -> None:
        raise Refusal(AUDIT_UNAVAILABLE)

    monkeypatch.setattr(stack.gateway.audit, "grant", full)
    status, body = await ask(stack, "lookup", guest=guest)
    assert (status, body["code"]) == (503, "audit.unavailable")


async def test_ending_a_guest_ends_every_session_of_it(stack: Stack) -> None:
    sessions = [await stack.session(visitor_token()) for _ in range(2)]
    other = await stack.session(visitor_token(subject="grace"))
    assert (await ask(stack, "end", guest=sessions[0]["guest"]["id"]))[0] == 200
    for session in sessions:
        async with stack.call("POST", "/ticket", bearer=session["session_token"]) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "session.invalid")
    async with stack.call("POST", "/ticket", bearer=other["session_token"]) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("token", "members", "status"),
    [("wrong", {"guest": "g"}, 401), (TOKEN, {}, 400), (TOKEN, {"guest": "g", "site": "nowhere"}, 404)],
)
async def test_a_call_that_is_not_complete_is_refused(
    stack: Stack, token: str, members: dict[str, Any], status: int
) -> None:
    assert (await ask(stack, "lookup", token, **members))[0] == status


async def test_without_an_admin_token_there_are_no_such_calls(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        assert (await ask(stack, "lookup", guest="g"))[0] == 404


async def names(stack: Stack, action: str = "session.issued") -> list[str]:
    return [str(r["user.id"]) for r in await stack.records() if r["event.action"] == action]


async def test_forgetting_a_guest_unlinks_its_records_and_is_on_record(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"admin.token": TOKEN, "audit.subject_keys": True}) as stack:
        session = await stack.session(visitor_token())
        guest = session["guest"]["id"]
        [before] = await names(stack)
        assert before.startswith("s:")
        assert await ask(stack, "pseudonym", guest=guest) == (200, {"pseudonym": before})
        assert await ask(stack, "forget", guest=guest) == (200, {"ended": True, "forgotten": True})
        async with stack.call("POST", "/ticket", bearer=session["session_token"]) as answer:
            assert answer.status == 401
        assert await ask(stack, "pseudonym", guest=guest) == (200, {"pseudonym": None})
        assert await ask(stack, "forget", guest=guest) == (200, {"ended": True, "forgotten": False})
        told = [r for r in await stack.records() if r.get("gateway.admin.verb") == "guests.forget"]
        assert [r.get("gateway.admin.target") for r in told] == [before, None]
        assert told[0]["gateway.admin.who"] == "nora: ticket 4711"


async def test_who_was_forgotten_comes_back_under_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with whole_stack(tmp_path, {"admin.token": TOKEN, "audit.subject_keys": True}) as stack:
        monkeypatch.setattr(stack.gateway.guestbook, "end_guest", _nothing)
        guest = (await stack.session(visitor_token()))["guest"]["id"]
        await ask(stack, "forget", guest=guest)
        assert (await stack.session(visitor_token()))["guest"]["id"] == guest
        before, after = await names(stack)
        assert before != after


async def _nothing(guest: str) -> None:
    """The ban that an ended guest gets would keep it from coming back within the test."""
