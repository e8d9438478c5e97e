"""How many calls one Genesys token may still make in its minute, and whose turn it is: head-room, guests, fair shares.

Pure but for the counts it holds; `now` (monotonic) comes in. Leaves tokens and answers to `upstream.quota`. The rules:
some of each quota stays unused, guests never use up what backends need, and a site that is active keeps its share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 60.0
DOCUMENTED: Final = 300
"""Calls per token and minute by the documentation; what an answer says counts as soon as one has come."""
UNMETERED: Final = 10**12
"""Stands for no limit at all."""
MAX_RESET_S: Final = 120.0
SAME_WINDOW_S: Final = 2.0
"""Resets are told in whole seconds, and an answer takes its time."""


@dataclass(frozen=True, slots=True)
class QuotaRules:
    """Shares of a token's quota: `headroom` stays unused; guests together use at most `guests` of the rest."""

    headroom: float = 0.2
    guests: float = 0.5

    def __post_init__(self) -> None:
        """Raises ValueError for shares that are none."""
        if not (0 <= self.headroom < 1 and 0 <= self.guests <= 1):
            raise ValueError("headroom: 0 to below 1; guests: 0 to 1")


class QuotaWindow:
    """The count of one token. Windows are Genesys' own: they begin with the first call and end when an answer says."""

    __slots__ = (
        "_active", "_before", "_by_site", "_divided", "_guests", "_guests_most", "_kept", "_rules", "_share", "_told",
        "_usable", "allowed", "ends_at", "used",
    )  # fmt: skip

    def __init__(self) -> None:
        self.allowed = DOCUMENTED
        self.used = 0
        self.ends_at = -math.inf
        self._told = False
        self._guests = 0
        self._by_site: dict[str, int] = {}
        self._before: frozenset[str] = frozenset()
        self._rules: QuotaRules | None = None
        self._divided = 0
        """How many calls were divided: `allowed` at that time."""
        self._active: frozenset[str] = frozenset()
        """Among whom: the sites that called since the end of the window before the last."""
        self._usable = self._guests_most = self._share = self._kept = 0
        """Calls that may be made; of these by guests; by each active site; what of all shares is not used yet."""

    def take(self, rules: QuotaRules, site: str, *, is_guest: bool, now: float) -> float:
        """Count one call, if it may be made: 0.0. Else the seconds until the window ends, and nothing is counted."""
        if now >= self.ends_at:
            self._begin(now)
        if site not in self._active or self.allowed != self._divided or rules is not self._rules:
            self._divide(rules, site)
        used, share = self._by_site.get(site, 0), self._share
        kept_for_others = self._kept - (share - used if used < share else 0)
        if self.used >= self._usable - kept_for_others or (is_guest and self._guests >= self._guests_most):
            if site not in self._by_site:
                self._active = frozenset()  # who was never let through has no share that others must leave
            return self.ends_at - now
        self.used += 1
        self._guests += is_guest
        self._by_site[site] = used + 1
        if used < share:
            self._kept -= 1
        return 0.0

    def told(self, count: int, allowed: int, reset_s: float, now: float) -> None:
        """An answer has told how the token stands. Numbers that cannot be are left out."""
        if count < 0 or allowed < 1 or not 0 <= reset_s <= MAX_RESET_S:
            return
        self._told, self.allowed = True, allowed
        ends_at = now + reset_s
        if ends_at > self.ends_at + SAME_WINDOW_S:
            self._begin(now)
        self.used = max(self.used, count)
        self.ends_at = ends_at

    def untold(self) -> None:
        """An answer has said nothing of limits: where none ever did, there is nothing to keep to."""
        if not self._told:
            self.allowed = UNMETERED

    def spent(self, retry_after_s: float, now: float) -> None:
        """Genesys has answered 429: nothing more until then."""
        if not self._told:
            self.allowed = DOCUMENTED
        self.used = max(self.used, self.allowed)
        self.ends_at = max(now + min(max(retry_after_s, 1.0), MAX_RESET_S), min(self.ends_at, now + MAX_RESET_S))

    def _begin(self, now: float) -> None:
        self._before = frozenset(self._by_site)
        self.used, self._guests, self._by_site = 0, 0, {}
        self.ends_at = now + WINDOW_S
        self._active = frozenset()

    def _divide(self, rules: QuotaRules, site: str) -> None:
        """Share the calls out among the active sites and this one; each call then only moves the counts."""
        self._rules, self._divided = rules, self.allowed
        self._active = self._before.union(self._by_site, (site,))
        self._usable = self.allowed - math.ceil(self.allowed * rules.headroom)
        self._guests_most = math.floor(self._usable * rules.guests)
        self._share = self._usable // len(self._active)
        self._kept = sum(max(0, self._share - self._by_site.get(one, 0)) for one in self._active)
