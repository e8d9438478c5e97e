"""Who is calling, when this process knows it already: one look-up, and no waiting.

Leaves everybody else, and handles that want a proof of their key, to `callers.py`. The rule: nothing is believed here
that `guestbook.recall` does not say at this moment.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.policy.decision import Caller
from gateway.policy.guests import GuestSession
from gateway.policy.handles import HandleKind
from gateway.web.exchange import NOBODY, Exchange
from gateway.web.throttle import Throttle


class KnownCallers:
    """Recalls callers."""

    def __init__(self, recall: Callable[[str, str], GuestSession | None], throttle: Throttle) -> None:
        """`recall`: the living session of a handle's digest at a site, when the store need not be asked."""
        self._recall = recall
        self._throttle = throttle

    def caller(self, exchange: Exchange) -> Caller | None:
        """The caller of a proxied call; None: `Callers.identify` has to find out.

        Raises Refusal: HEADER_INVALID, RATE_LIMITED.
        """
        credential = exchange.head.credential()
        if credential is None:
            return NOBODY
        if credential.kind is not HandleKind.SESSION:
            return None
        session = self._recall(credential.digest, exchange.rules.name)
        if session is None or session.proof_key is not None:
            return None
        self._throttle.admit_guest(exchange, session.id)
        return exchange.head.guest(session)
