"""Puts each leg of a guest's sign-in at Genesys on record: what we asked, what Genesys said, and that it was ended.

Leaves the calls to `upstream/guest_login.py`. The rule: a JWT that is not on record is not used; the records hold
references of it, never the JWT.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.gate import Gate
from gateway.observe.audit import records
from gateway.upstream.guest_login import Leg
from gateway.upstream.ws_types import SocketOpening
from gateway.web.socket import trail_of

CLIENT: Final = "genesys-login"
TOKEN_KIND: Final = "guest-jwt"


class LoginRecords:
    """`LoginWatch` over the gate."""

    def __init__(self, gate: Gate, region_of: Callable[[str], str], clock: Callable[[], float]) -> None:
        """`region_of`: the region of a site."""
        self._gate = gate
        self._region_of = region_of
        self._clock = clock

    async def granted(self, opening: SocketOpening, how: Leg, jwt: str, expires_at: float) -> None:
        """Record that Genesys gave a JWT. Raises Refusal(AUDIT_UNAVAILABLE)."""
        region = self._region_of(opening.site)
        await self._gate.granted(
            records.token_minted(
                at=self._clock(), who=self._gate.subject(trail_of(opening, region)), client=CLIENT, region=region,
                token_ref=self._gate.reference("token", jwt), token_kind=TOKEN_KIND, scopes=(how,),
                expires_at=expires_at, request_id=opening.request_id,
            )
        )  # fmt: skip

    def refused(self, opening: SocketOpening, how: Leg, status: int) -> None:
        """Record that Genesys refused a leg."""
        region = self._region_of(opening.site)
        self._gate.note(
            records.token_refused(
                at=self._clock(), who=self._gate.subject(trail_of(opening, region)), reason=f"genesys.{how}_refused",
                status=status, client=CLIENT, region=region, request_id=opening.request_id,
            )
        )  # fmt: skip

    def revoked(self, opening: SocketOpening, jwt: str) -> None:
        """Record that the sign-in was ended at Genesys."""
        region = self._region_of(opening.site)
        self._gate.note_use(
            records.token_revoked(
                at=self._clock(), who=self._gate.subject(trail_of(opening, region)), client=CLIENT,
                token_ref=self._gate.reference("token", jwt), token_kind=TOKEN_KIND, reason="logout",
                request_id=opening.request_id,
            )
        )  # fmt: skip
