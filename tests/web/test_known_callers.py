"""Callers that this process knows: who is recalled at once, and who has to be looked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import Refusal
from gateway.gate import Trail
from gateway.policy.decision import Guest, Nobody
from gateway.policy.guests import GuestSession
from gateway.policy.handles import HandleKind, digest, mint
from gateway.web.exchange import BodyLimits, Exchange
from gateway.web.head import Head
from gateway.web.known_callers import KnownCallers
from gateway.web.places import NO_CORS
from tests.test_gate import SESSION
from tests.web.conftest import PAGE, site_rules
from tests.web.test_throttle import throttle

HANDLE, TICKET = mint(HandleKind.SESSION, b"\x01" * 32), mint(HandleKind.TICKET, b"\x02" * 32)


def exchange(authorization: str | None, site: str = "shop") -> Exchange:
    fields = CIMultiDict({} if authorization is None else {"Authorization": authorization})
    trail = Trail("r", "rest_proxy", "GET", "192.0.2.1", 0.0, site=site)
    made = Exchange(_no_request, "GET", Head(CIMultiDictProxy(fields)), trail, BodyLimits(), NO_CORS)
    made.site = site_rules(site, PAGE)
    return made


def _no_request() -> web.BaseRequest:
    raise AssertionError("nobody asks for it")


def callers(session: GuestSession | None = SESSION, guest: int = 100) -> KnownCallers:
    """They know one handle, at the shop."""

    def recall(known: str, site: str) -> GuestSession | None:
        return session if (known, site) == (digest(HANDLE), "shop") else None

    return KnownCallers(recall, throttle([1_000.0], guest=guest))


def test_the_guest_of_a_known_handle_is_recalled_and_counted() -> None:
    known, asked = callers(guest=1), exchange(f"Bearer {HANDLE}")
    assert known.caller(asked) == Guest(SESSION)
    assert asked.allowance is not None
    assert asked.allowance[0] == f"guest:{SESSION.id}"
    with pytest.raises(Refusal) as refused:
        known.caller(asked)
    assert refused.value.code == "limit.rate"


@pytest.mark.parametrize(
    ("authorization", "site"),
    [
        (f"Bearer {HANDLE}", "club"),
        (f"Bearer {mint(HandleKind.SESSION, bytes(32))}", "shop"),
        (f"Bearer {TICKET}", "shop"),
        ("Bearer a-backends-key", "shop"),
    ],
)
def test_others_have_to_be_looked_for(authorization: str, site: str) -> None:
    assert callers().caller(exchange(authorization, site)) is None


def test_a_handle_that_is_bound_to_a_key_is_never_just_recalled() -> None:
    assert callers(replace(SESSION, proof_key="k")).caller(exchange(f"Bearer {HANDLE}")) is None


def test_a_session_that_ended_is_not_recalled_although_its_head_is_known() -> None:
    asked = exchange(f"Bearer {HANDLE}")
    assert callers().caller(asked) is not None
    assert callers(None).caller(asked) is None


def test_the_session_as_it_is_now_is_the_callers() -> None:
    asked, later = exchange(f"Bearer {HANDLE}"), replace(SESSION, guest_id="g2")
    assert callers().caller(asked) == Guest(SESSION)
    assert callers(later).caller(asked) == Guest(later)


def test_no_credential_is_nobody_and_a_wrong_one_is_refused() -> None:
    assert isinstance(callers().caller(exchange(None)), Nobody)
    with pytest.raises(Refusal, match="Authorization"):
        callers().caller(exchange("Basic abc"))
