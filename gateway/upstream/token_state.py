"""The life of one held token as a table of moves: fresh, refreshing, stale but valid, none.

Pure: `now` (monotonic) and chance (0 to 1) come in. Leaves the token itself and the fetching to tokens.py. The rule:
no step ever serves past `usable_until`, and no failure is followed by another attempt before `not_before`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """How a held token stands."""

    NONE = "none"
    FRESH = "fresh"
    REFRESHING = "refreshing"
    STALE = "stale"


class Step(StrEnum):
    """What a request for the token does."""

    SERVE = "serve"
    SERVE_AND_FETCH = "serve_and_fetch"
    FETCH = "fetch"
    WAIT = "wait"
    REFUSE = "refuse"


class FetchFailure(StrEnum):
    """Why no token came. A closed list: these words are metric labels and audit words."""

    INVALID_CLIENT = "invalid_client"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    REFUSED = "refused"
    WRONG_ORGANIZATION = "wrong_organization"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    GARBLED = "garbled"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNRECORDED = "unrecorded"


NEEDS_AN_OPERATOR: Final = frozenset(
    {
        FetchFailure.INVALID_CLIENT,
        FetchFailure.UNAUTHORIZED_CLIENT,
        FetchFailure.REFUSED,
        FetchFailure.WRONG_ORGANIZATION,
    }
)
"""Failures that no repetition mends: alarmed, and asked again only now and then."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Times and shares. A token is renewed in the last `renew_share` to `renew_share + jitter_share` of its life and
    never served in its last `skew_s` (or `skew_share` of a short life).

    Failures that pass: pauses from `first_s` to `cap_s`. Failures for an operator: from `refused_first_s` on.
    """

    skew_s: float = 30.0
    skew_share: float = 0.1
    renew_share: float = 0.1
    jitter_share: float = 0.1
    first_s: float = 1.0
    cap_s: float = 2.5
    retry_after_max_s: float = 120.0
    refused_first_s: float = 30.0
    refused_cap_s: float = 300.0
    remint_floor_s: float = 5.0


@dataclass(frozen=True, slots=True)
class TokenState:
    """The whole memory: until when the held token may be served, when to renew it, and how fetching goes."""

    usable_until: float = -math.inf
    renew_at: float = -math.inf
    fetching: bool = False
    failures: int = 0
    not_before: float = -math.inf
    failure: FetchFailure | None = None
    dropped_at: float = -math.inf


def phase(state: TokenState, now: float) -> Phase:
    """Name the state for people."""
    if now >= state.usable_until:
        return Phase.NONE
    if state.fetching:
        return Phase.REFRESHING
    return Phase.FRESH if now < state.renew_at else Phase.STALE


def next_step(state: TokenState, now: float) -> Step:
    """Say what a request that needs the token does now."""
    may_fetch = not state.fetching and now >= state.not_before
    if now < state.usable_until:
        return Step.SERVE_AND_FETCH if now >= state.renew_at and may_fetch else Step.SERVE
    if state.fetching:
        return Step.WAIT
    return Step.FETCH if may_fetch else Step.REFUSE


def fetch_started(state: TokenState) -> TokenState:
    """A fetch is under way; there is never a second one beside it."""
    if state.fetching:
        raise ValueError("one fetch at a time")
    return replace(state, fetching=True)


def fetch_succeeded(
    state: TokenState, rules: TokenRules, *, asked_at: float, life_s: float, chance: float
) -> TokenState:
    """A token came. Its life counts from the moment of asking, the one moment that is surely not too late."""
    skew_s = min(rules.skew_s, life_s * rules.skew_share)
    usable_until = asked_at + life_s - skew_s
    renew_at = asked_at + life_s * (1 - rules.renew_share - rules.jitter_share * chance)
    return TokenState(usable_until, min(renew_at, usable_until), dropped_at=state.dropped_at)


def fetch_failed(
    state: TokenState,
    rules: TokenRules,
    failure: FetchFailure,
    *,
    now: float,
    chance: float,
    retry_after_s: float | None = None,
) -> TokenState:
    """No token came; the one that is held stays. The pause doubles with jitter, and is never below Retry-After."""
    grave = failure in NEEDS_AN_OPERATOR
    first_s, cap_s = (rules.refused_first_s, rules.refused_cap_s) if grave else (rules.first_s, rules.cap_s)
    ceiling_s = min(cap_s, first_s * 2.0 ** min(state.failures, 16))
    # full jitter above a floor: the floor keeps a client below one attempt per second whatever chance says
    pause_s = first_s + (ceiling_s - first_s) * chance if ceiling_s > first_s else first_s * (1 + 0.25 * chance)
    if retry_after_s is not None:
        pause_s = max(pause_s, min(retry_after_s, rules.retry_after_max_s))
    return replace(state, fetching=False, failures=state.failures + 1, not_before=now + pause_s, failure=failure)


def rejected(state: TokenState, rules: TokenRules, now: float) -> tuple[TokenState, bool]:
    """Genesys did not take the held token before its time: drop it, so that the next request mints one.

    Not more often than every `remint_floor_s`: a call that is always answered 401 must not make us mint for ever.
    Returns the new state, and whether it was dropped.
    """
    if now - state.dropped_at < rules.remint_floor_s:
        return state, False
    return replace(state, usable_until=-math.inf, renew_at=-math.inf, dropped_at=now), True


def wait_s(state: TokenState, now: float) -> int:
    """Whole seconds, one at least, until asking again makes sense."""
    return max(1, math.ceil(state.not_before - now)) if state.not_before > now else 1
