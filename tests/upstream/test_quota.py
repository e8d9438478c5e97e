"""The governor: which token a call uses, what Genesys' answers change, and who is told to wait."""

from __future__ import annotations

import pytest

from gateway.errors import UPSTREAM_BUSY, Refusal
from gateway.policy.quota import QuotaRules
from gateway.upstream.quota import QuotaGovernor


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def governor(tokens: int = 1, shares: list[tuple[str, float]] | None = None) -> tuple[QuotaGovernor, Clock]:
    clock, heard = Clock(), [] if shares is None else shares
    return QuotaGovernor(
        QuotaRules(), {("acme", "reader"): tokens}, clock, lambda client, share: heard.append((client, share))
    ), clock


def slots(quota: QuotaGovernor, most: int, *, is_guest: bool = False) -> list[int]:
    """The tokens that up to `most` calls go with."""
    found: list[int] = []
    for _ in range(most):
        try:
            found.append(quota.take("acme", "reader", "shop", is_guest=is_guest))
        except Refusal:
            break
    return found


def fields(count: str, allowed: str = "300", reset: str = "60") -> dict[bytes, bytes]:
    """The fields of an answer that tells how its token stands."""
    return {
        b"inin-ratelimit-count": count.encode(),
        b"inin-ratelimit-allowed": allowed.encode(),
        b"inin-ratelimit-reset": reset.encode(),
    }


def test_a_second_token_is_used_when_the_first_has_no_room() -> None:
    quota, _ = governor(tokens=2)
    found = slots(quota, 1_000)
    assert (found.count(0), found.count(1), found == sorted(found)) == (240, 240, True)


def test_guests_have_their_share_of_each_token_and_backends_the_rest() -> None:
    quota, _ = governor(tokens=2)
    assert len(slots(quota, 1_000, is_guest=True)) == 240
    assert len(slots(quota, 1_000)) == 240


def test_who_finds_no_room_is_told_how_long_to_wait() -> None:
    quota, clock = governor()
    slots(quota, 240)
    clock.now = 12.5
    with pytest.raises(Refusal) as caught:
        quota.take("acme", "reader", "shop", is_guest=False)
    assert (caught.value.reason, caught.value.retry_after_s) == (UPSTREAM_BUSY, 48)


def test_an_answer_that_says_less_is_believed() -> None:
    shares: list[tuple[str, float]] = []
    quota, _ = governor(shares=shares)
    quota.heard("acme", "reader", 0, 200, fields("140", "180"))
    assert len(slots(quota, 1_000)) == 4
    assert shares == [("acme.reader", 140 / 180)]


@pytest.mark.parametrize(
    "told", [{}, fields("x"), fields("1", "-300"), fields("9" * 9), {b"inin-ratelimit-count": b"1"}]
)
def test_an_answer_without_usable_numbers_changes_nothing_once_some_have_come(told: dict[bytes, bytes]) -> None:
    quota, _ = governor()
    quota.heard("acme", "reader", 0, 200, fields("0"))
    quota.heard("acme", "reader", 0, 200, told)
    assert len(slots(quota, 1_000)) == 240


def test_an_upstream_that_never_tells_of_limits_has_none_until_it_answers_429() -> None:
    quota, _ = governor()
    quota.heard("acme", "reader", 0, 200, {})
    assert len(slots(quota, 5_000)) == 5_000
    quota.heard("acme", "reader", 0, 429, {b"retry-after": b"30"})
    assert slots(quota, 1) == []


def test_a_429_stops_its_token_only() -> None:
    quota, clock = governor(tokens=2)
    quota.heard("acme", "reader", 0, 429, {b"retry-after": b"30"})
    assert set(slots(quota, 10)) == {1}
    clock.now = 31.0
    assert set(slots(quota, 10)) == {0}


def test_what_was_counted_stays_when_the_number_of_tokens_changes() -> None:
    quota, _ = governor(tokens=2)
    assert len(slots(quota, 1_000)) == 480
    quota.replace(QuotaRules(), {("acme", "reader"): 1})
    assert slots(quota, 1) == []
    quota.heard("acme", "reader", 1, 429, {b"retry-after": b"30"})
    quota.heard("acme", "reader", 0, 200, fields("0", "600"))
    assert len(slots(quota, 1_000)) == 240
    quota.replace(QuotaRules(), {("acme", "reader"): 3})
    assert set(slots(quota, 1_000)) == {2}


def test_clients_do_not_share_a_quota_and_one_without_a_number_has_one_token() -> None:
    quota, _ = governor()
    slots(quota, 1_000)
    assert quota.take("acme", "closer", "shop", is_guest=False) == 0
    quota.replace(QuotaRules(), {("acme", "reader"): 2})
    assert slots(quota, 1) == [1]
