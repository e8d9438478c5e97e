"""The circuit breaker of one upstream in one region: when not to ask at all.

Pure: `now` comes in, nobody is called. The rule: closed while all is well; open after a row of failures; then one
probe at a time decides, and its result alone counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Admission(StrEnum):
    """What a request is told at the breaker."""

    PASS = "pass"
    PROBE = "probe"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """Failures in a row that open it; seconds it then stays open, doubled per failed probe up to the maximum.

    `probe_s` is how long a probe may be under way before another one is let through.
    """

    failures_to_open: int = 10
    open_s: float = 1.0
    open_max_s: float = 2.5
    probe_s: float = 20.0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """The whole memory of a breaker."""

    phase: Phase = Phase.CLOSED
    failures: int = 0
    openings: int = 0
    until: float = 0.0


CALM: Final = BreakerState()
"""Closed, and no failure in a row: whoever comes passes, and a success changes nothing."""


def admit(state: BreakerState, rules: BreakerRules, now: float) -> tuple[BreakerState, Admission]:
    """Ask for one request to be let through."""
    if state.phase is Phase.CLOSED:
        return state, Admission.PASS
    if now < state.until:  # OPEN: the pause; HALF_OPEN: the probe under way
        return state, Admission.REFUSED
    return replace(state, phase=Phase.HALF_OPEN, until=now + rules.probe_s), Admission.PROBE


def succeeded(state: BreakerState, admission: Admission) -> BreakerState:
    """A request that was let through went well."""
    if state.phase is Phase.CLOSED:
        return state if state.failures == 0 else CALM
    if state.phase is Phase.HALF_OPEN and admission is Admission.PROBE:
        return CALM
    return state  # an old request of before the opening proves nothing about now


def failed(state: BreakerState, rules: BreakerRules, admission: Admission, now: float) -> BreakerState:
    """A request that was let through failed, and it was the upstream's doing."""
    if state.phase is Phase.CLOSED:
        failures = state.failures + 1
        return replace(state, failures=failures) if failures < rules.failures_to_open else _opened(state, rules, now)
    if state.phase is Phase.HALF_OPEN and admission is Admission.PROBE:
        return _opened(state, rules, now)
    return state


def given_up(state: BreakerState, admission: Admission, now: float) -> BreakerState:
    """A request that was let through ended without a verdict (its caller went away): a probe's place is free again."""
    if state.phase is Phase.HALF_OPEN and admission is Admission.PROBE:
        return replace(state, until=now)
    return state


def _opened(state: BreakerState, rules: BreakerRules, now: float) -> BreakerState:
    """Open it, for longer each time in a row."""
    pause_s = min(rules.open_max_s, rules.open_s * 2.0 ** min(state.openings, 16))
    return BreakerState(Phase.OPEN, openings=state.openings + 1, until=now + pause_s)


class Breaker:
    """A breaker state that can be shared by the requests of one leg."""

    __slots__ = ("_rules", "state")

    def __init__(self, rules: BreakerRules | None = None) -> None:
        self._rules = rules if rules is not None else BreakerRules()
        self.state = CALM

    def admit(self, now: float) -> Admission:
        """Ask for one request to be let through."""
        self.state, admission = admit(self.state, self._rules, now)
        return admission

    def succeeded(self, admission: Admission) -> None:
        """The request went well."""
        self.state = succeeded(self.state, admission)

    def failed(self, admission: Admission, now: float) -> None:
        """The request failed by the upstream's doing."""
        self.state = failed(self.state, self._rules, admission, now)

    def given_up(self, admission: Admission, now: float) -> None:
        """The request ended without a verdict."""
        self.state = given_up(self.state, admission, now)
