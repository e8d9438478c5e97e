"""Who is let in: proofs, failed proofs, upgrades and ends; on record before the visitor holds the handle."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.errors import AUDIT_UNAVAILABLE, Refusal
from tests.stack import VISITOR_KID, VISITOR_SECRET, Stack, whole_stack


def visitor_token(subject: str = "ada-1815", **changes: Any) -> str:
    """A Zendesk messaging JWT as the shop's server would sign it."""
    now = int(time.time())
    claims = {"scope": "user", "external_id": subject, "name": "Ada", "iat": now, "exp": now + 600, **changes}
    return jwt.encode(claims, VISITOR_SECRET, algorithm="HS256", headers={"kid": VISITOR_KID})


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with whole_stack(tmp_path) as running:
        yield running


async def refused(stack: Stack, bearer: str | None = None, **body: Any) -> tuple[int, str]:
    async with stack.call("POST", "/session", bearer=bearer, json=body) as answer:
        return answer.status, (await answer.json())["code"]


async def test_a_proof_makes_a_verified_guest(stack: Stack) -> None:
    session = await stack.session(visitor_token())
    assert session["guest"]["verified"] is True
    assert stack.gateway.metrics.visitor_verifications.child("zendesk-messaging", "ok").value == 1
    assert stack.gateway.metrics.sessions_issued.child("zendesk-messaging").value == 1


async def test_the_same_visitor_is_the_same_guest_and_another_is_another(stack: Stack) -> None:
    first, again = await stack.session(visitor_token()), await stack.session(visitor_token())
    other = await stack.session(visitor_token("grace"))
    assert first["guest"]["id"] == again["guest"]["id"] != other["guest"]["id"]
    assert first["session_token"] != again["session_token"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": 1_000}, "visitor.expired"),
        ({"scope": "app"}, "visitor.wrong_scope"),
        ({"external_id": ""}, "visitor.subject_invalid"),
        ({"exp": int(time.time()) + 90_000}, "visitor.lifetime_too_long"),
    ],
)
async def test_a_failed_proof_is_refused_counted_and_recorded(stack: Stack, changes: dict[str, Any], code: str) -> None:
    assert await refused(stack, visitor_token=visitor_token(**changes)) == (401, code)
    assert (await stack.actions())[-1] == "session.denied"
    assert stack.gateway.metrics.refusals.child(code).value == 1


async def test_a_failed_proof_becomes_anonymous_only_where_the_site_says_so(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"sites.shop.visitors.on_failure": "anonymous"}) as stack:
        session = await stack.session(visitor_token(exp=1_000))
        assert session["guest"]["verified"] is False
        assert (await stack.actions())[-2:] == ["session.denied", "session.issued"]


async def test_visitors_without_proof_are_refused_where_the_site_wants_one(tmp_path: Path) -> None:
    flags = {"sites.shop.visitors.anonymous": False, "sites.shop.visitors.anonymous_socket": False}
    async with whole_stack(tmp_path, flags) as stack:
        assert await refused(stack) == (401, "visitor.missing")


async def test_signing_in_keeps_the_thread_and_voids_the_old_handle(stack: Stack) -> None:
    anonymous = await stack.session()
    signed_in = await stack.session(visitor_token(), bearer=anonymous["session_token"])
    assert signed_in["guest"]["verified"] is True
    async with stack.call("POST", "/ticket", bearer=anonymous["session_token"]) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "session.invalid")
    async with stack.call("POST", "/ticket", bearer=signed_in["session_token"]) as answer:
        assert answer.status == 200


async def test_another_visitors_proof_never_mixes_two_people(stack: Stack) -> None:
    ada = await stack.session(visitor_token())
    grace = await stack.session(visitor_token("grace"), bearer=ada["session_token"])
    assert grace["guest"]["id"] != ada["guest"]["id"]
    assert (await stack.actions())[-2:] == ["session.issued", "session.ended"]


async def test_a_verified_guest_stays_verified_when_it_renews(stack: Stack) -> None:
    ada = await stack.session(visitor_token())
    renewed = await stack.session(bearer=ada["session_token"])
    assert renewed["guest"] == ada["guest"]


async def test_an_ended_session_is_over(stack: Stack) -> None:
    session = await stack.session()
    async with stack.call("DELETE", "/session", bearer=session["session_token"]) as answer:
        assert answer.status == 204
    async with stack.call("POST", "/ticket", bearer=session["session_token"]) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "session.invalid")
    assert "session.ended" in await stack.actions()


async def test_a_token_of_a_one_use_issuer_opens_one_session(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"sites.shop.visitors.issuers.0.one_use": True}) as stack:
        token = visitor_token()
        await stack.session(token)
        assert await refused(stack, visitor_token=token) == (401, "visitor.replayed")


async def test_no_handle_leaves_when_the_grant_cannot_be_recorded(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(record: object) -> None:
        raise Refusal(AUDIT_UNAVAILABLE, retry_after_s=5)

    monkeypatch.setattr(stack.gateway.audit, "grant", full)
    async with stack.call("POST", "/session", json={}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "audit.unavailable")
        assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize(
    "body",
    [{"visitor_token": 7}, {"visitor_token": ""}, {"token": "x"}, {"issuer": []}],
)
async def test_a_body_of_another_shape_is_refused(stack: Stack, body: dict[str, Any]) -> None:
    assert await refused(stack, **body) == (400, "request.json_malformed")


async def test_an_unknown_issuer_name_is_refused(stack: Stack) -> None:
    assert await refused(stack, visitor_token=visitor_token(), issuer="okta") == (401, "visitor.unknown_issuer")


async def test_a_failed_proof_never_goes_on_under_somebody_elses_verified_session(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"sites.shop.visitors.on_failure": "anonymous"}) as stack:
        ada = await stack.session(visitor_token())
        found = await refused(stack, bearer=ada["session_token"], visitor_token=visitor_token("grace", exp=1_000))
        assert found == (401, "visitor.expired")
        assert (await stack.actions()).count("session.denied") == 1
