"""Keeps the calls of each Genesys token below its quota, and says which of a client's tokens the next call uses.

Leaves counting and shares to `policy.quota`, tokens to tokens.py. The rule: no call goes out that Genesys would answer
with 429 by what its own answers said; who has to wait is told for how long.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from gateway.errors import UPSTREAM_BUSY, Refusal
from gateway.policy.quota import QuotaRules, QuotaWindow
from gateway.upstream.bearer import token_name

COUNT: Final = b"inin-ratelimit-count"
ALLOWED: Final = b"inin-ratelimit-allowed"
RESET: Final = b"inin-ratelimit-reset"
TOO_MANY: Final = 429

Gauge = Callable[[str, float], None]
"""Hears the share of a token's quota that is in use, 0 to 1, by the token's name."""


class QuotaGovernor:
    """The quotas of one process. Tokens are each process's own, and so are their counts: nothing is shared."""

    def __init__(
        self,
        rules: QuotaRules,
        tokens: Mapping[tuple[str, str], int],
        clock: Callable[[], float] = time.monotonic,
        gauge: Gauge = lambda token, share: None,
    ) -> None:
        """`tokens`: how many tokens an organisation's client has, by both names; one where it is not named."""
        self._rules = rules
        self._tokens = dict(tokens)
        self._clock = clock
        self._gauge = gauge
        self._windows: dict[tuple[str, str, int], QuotaWindow] = {}
        self._rows: dict[tuple[str, str], tuple[QuotaWindow, ...]] = {}
        """The windows of the tokens in use, by organisation and client."""

    def replace(self, rules: QuotaRules, tokens: Mapping[tuple[str, str], int]) -> None:
        """Use other rules from now on; what was counted stays."""
        self._rules, self._tokens = rules, dict(tokens)
        self._rows.clear()

    def take(self, org: str, client: str, site: str, *, is_guest: bool) -> int:
        """Count one call and return the token it goes with: the first that has room.

        Raises Refusal(UPSTREAM_BUSY) with `retry_after_s` when no token has any for this caller.
        """
        now, wait_s = self._clock(), math.inf
        for slot, window in enumerate(self._rows.get((org, client)) or self._row(org, client)):
            found = window.take(self._rules, site, is_guest=is_guest, now=now)
            if found == 0.0:
                return slot
            wait_s = min(wait_s, found)
        raise Refusal(
            UPSTREAM_BUSY, f"The quota of client {client} is used up.", retry_after_s=max(1, math.ceil(wait_s))
        )

    def heard(self, org: str, client: str, slot: int, status: int, fields: Mapping[bytes, bytes]) -> None:
        """An answer came: `fields` are its header fields by lower-case name."""
        row = self._rows.get((org, client), ())
        window = row[slot] if slot < len(row) else self._window(org, client, slot)  # a reload may have come between
        if status == TOO_MANY:
            window.spent(float(_whole(fields.get(b"retry-after")) or 1), self._clock())
        elif COUNT not in fields:
            window.untold()
            return
        else:
            count, allowed, reset_s = _whole(fields[COUNT]), _whole(fields.get(ALLOWED)), _whole(fields.get(RESET))
            if count is None or allowed is None or reset_s is None:
                window.untold()
                return
            window.told(count, allowed, reset_s, self._clock())
        self._gauge(token_name(org, client, slot), min(1.0, window.used / window.allowed))

    def _row(self, org: str, client: str) -> tuple[QuotaWindow, ...]:
        row = tuple(self._window(org, client, slot) for slot in range(self._tokens.get((org, client), 1)))
        self._rows[org, client] = row
        return row

    def _window(self, org: str, client: str, slot: int) -> QuotaWindow:
        return self._windows.setdefault((org, client, slot), QuotaWindow())


def _whole(text: bytes | None) -> int | None:
    return int(text) if text is not None and text.isdigit() and len(text) < 7 else None
