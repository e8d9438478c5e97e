"""Codes for the gateway itself: in mode proxied it is the page, and asks its own provider as a page would.

Leaves the exchange to `upstream/guest_login.py`. The rule: only for sites that sign their visitors in at Genesys, and
each code is bound, recorded and redeemed like any other.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import GuestSession
from gateway.provider.answers import Asked
from gateway.provider.pages import PageAsk
from gateway.provider.provider import Provider
from gateway.upstream.guest_login import LoginCode


class OwnCodes:
    """`CodeSource` of the guests' sign-ins."""

    def __init__(
        self,
        provider: Callable[[], Provider],
        signs_in: Callable[[str], bool],
        entropy: Callable[[int], bytes],
        clock: Callable[[], float],
    ) -> None:
        """`provider`: that of the configuration in force; `signs_in`: whether a site signs visitors in at Genesys."""
        self._provider = provider
        self._signs_in = signs_in
        self._entropy = entropy
        self._clock = clock

    async def code_for(self, session: GuestSession, deployment_id: str) -> LoginCode | None:
        """A fresh code with a nonce; None where the site has no sign-in, or the session is not a visitor's any more.

        Raises Refusal: NO_RELYING_PARTY, REDIRECT_UNKNOWN, STORE_UNAVAILABLE, AUDIT_UNAVAILABLE.
        """
        if not self._signs_in(session.site):
            return None
        ask = PageAsk(nonce=self._entropy(16).hex())
        try:
            given = await self._provider().page_code(session.id, deployment_id, ask, Asked(self._clock()))
        except Refusal as refusal:
            if refusal.reason is errors.NOT_SIGNED_IN:
                return None
            raise
        return LoginCode(str(given["authCode"]), str(given["redirectUri"]), ask.nonce)
