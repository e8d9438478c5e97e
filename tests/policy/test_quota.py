"""One token's quota: head-room stays, backends go on when guests have had theirs, each active site has its share."""

from __future__ import annotations

import math
import random

import pytest

from gateway.policy.quota import DOCUMENTED, MAX_RESET_S, WINDOW_S, QuotaRules, QuotaWindow

RULES = QuotaRules(headroom=0.2, guests=0.5)


def taken(window: QuotaWindow, site: str, most: int, *, is_guest: bool = False, now: float = 0.0) -> int:
    """How many of `most` calls are let through."""
    return sum(window.take(RULES, site, is_guest=is_guest, now=now) == 0.0 for _ in range(most))


def test_head_room_is_left_unused() -> None:
    assert taken(QuotaWindow(), "shop", 1_000) == DOCUMENTED * 0.8


def test_guests_never_use_what_backends_need() -> None:
    window = QuotaWindow()
    assert taken(window, "shop", 1_000, is_guest=True) == 120
    assert taken(window, "shop", 1_000) == 120


def test_backends_may_use_all_that_guests_leave() -> None:
    window = QuotaWindow()
    assert taken(window, "shop", 1_000) == 240
    assert taken(window, "shop", 10, is_guest=True) == 0


def test_a_site_that_is_active_keeps_its_share_against_a_greedy_one() -> None:
    window = QuotaWindow()
    assert taken(window, "small", 1) == 1
    assert taken(window, "greedy", 1_000) == 120
    assert taken(window, "small", 1_000) == 119


def test_a_site_that_was_active_in_the_last_window_keeps_its_share_in_this_one() -> None:
    window = QuotaWindow()
    taken(window, "small", 1)
    assert taken(window, "greedy", 1_000, now=WINDOW_S) == 120
    assert taken(window, "greedy", 1_000, now=2 * WINDOW_S) == 240, "small was silent for a whole window"


def test_who_has_to_wait_is_told_until_when() -> None:
    window = QuotaWindow()
    taken(window, "shop", 240, now=10.0)
    assert window.take(RULES, "shop", is_guest=False, now=30.0) == 40.0
    assert window.take(RULES, "shop", is_guest=False, now=70.0) == 0.0


def test_who_is_never_let_through_has_no_share_that_others_must_leave() -> None:
    window = QuotaWindow()
    assert taken(window, "greedy", 1_000) == 240
    assert taken(window, "late", 1) == 0, "its turn comes in the next window"
    window.told(count=1, allowed=600, reset_s=59, now=1.0)
    assert taken(window, "greedy", 1_000, now=2.0) == 240, "480 in all, and nothing kept for who did not call"


def test_counts_that_move_with_each_call_are_those_that_a_full_count_gives() -> None:
    """What is kept for others is never counted anew; whoever counts anew must find the same."""
    window, chance = QuotaWindow(), random.Random(7)
    used: dict[str, int] = {}
    for step in range(3_000):
        if step % 400 == 399:
            window.told(count=0, allowed=chance.choice([180, 300, 450]), reset_s=30, now=0.0)
        site = chance.choice("abcdefg")
        active = used.keys() | {site}
        usable = window.allowed - math.ceil(window.allowed * RULES.headroom)
        share = usable // len(active)
        kept = 0 if len(active) == 1 else sum(max(0, share - used.get(one, 0)) for one in active - {site})
        may = window.used < usable - kept
        assert (window.take(RULES, site, is_guest=False, now=0.0) == 0.0) is may, step
        if may:
            used[site] = used.get(site, 0) + 1


def test_other_rules_count_at_once() -> None:
    window = QuotaWindow()
    assert taken(window, "shop", 1_000) == 240
    assert window.take(QuotaRules(headroom=0.0), "shop", is_guest=False, now=0.0) == 0.0


def test_what_an_answer_says_counts() -> None:
    window = QuotaWindow()
    taken(window, "shop", 1)
    window.told(count=100, allowed=180, reset_s=30, now=5.0)
    assert (window.used, window.allowed, window.ends_at) == (100, 180, 35.0)
    assert taken(window, "shop", 1_000, now=6.0) == 44
    window.told(count=20, allowed=180, reset_s=29, now=6.0)
    assert window.used == 144, "calls under way are not yet in the answer's count"


def test_an_answer_of_a_new_window_begins_it_here_too() -> None:
    window = QuotaWindow()
    taken(window, "shop", 200)
    window.told(count=1, allowed=300, reset_s=60, now=30.0)
    assert (window.used, window.ends_at) == (1, 90.0)


@pytest.mark.parametrize(("count", "allowed", "reset_s"), [(-1, 300, 60), (1, 0, 60), (1, 300, -1), (1, 300, 1e9)])
def test_numbers_that_cannot_be_are_left_out(count: int, allowed: int, reset_s: float) -> None:
    window = QuotaWindow()
    window.told(count, allowed, reset_s, now=0.0)
    assert (window.used, window.allowed) == (0, DOCUMENTED)


def test_where_no_answer_ever_told_of_limits_there_are_none_until_a_429() -> None:
    window = QuotaWindow()
    window.untold()
    assert taken(window, "shop", 2_000) == 2_000
    window.spent(10.0, now=0.0)
    assert taken(window, "shop", 1, now=5.0) == 0
    window.told(1, 300, 60, now=20.0)
    window.untold()
    assert window.allowed == 300
    window.spent(5.0, now=20.0)
    assert (window.allowed, window.used) == (300, 300)


@pytest.mark.parametrize(("retry_after_s", "wait_s"), [(20.0, 20.0), (0.0, 1.0), (1e9, MAX_RESET_S)])
def test_after_a_429_nothing_goes_out_before_it_may(retry_after_s: float, wait_s: float) -> None:
    window = QuotaWindow()
    window.spent(retry_after_s, now=0.0)
    assert window.take(RULES, "shop", is_guest=False, now=0.0) == wait_s
    assert window.take(RULES, "shop", is_guest=False, now=wait_s) == 0.0


@pytest.mark.parametrize("shares", [{"headroom": 1.0}, {"headroom": -0.1}, {"guests": 1.1}])
def test_shares_are_shares(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="headroom"):
        QuotaRules(**shares)
