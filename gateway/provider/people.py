"""Who is behind a session, as the provider needs to know it, and the two questions that it asks about people.

The guest book answers them; the application wires it in. Rule kept: only a live session of a verified visitor is a
`SignedIn`, and its name and e-mail are such as the visitor's proof verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from gateway import errors
from gateway.errors import Refusal
from gateway.guestbook import Guestbook
from gateway.policy.guests import GuestSession, State, state_of
from gateway.provider.answers import Asked


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A live guest session of a verified visitor.

    `sub`: the stable opaque id that Genesys will know the visitor by (`guest_id`). `auth_time`: when the visitor proved
    itself, or the session's beginning where only that is known: never later than the truth. `ends_at`: the session's
    absolute end; nothing given for it outlives that. `email`: verified, or None.
    """

    session_id: str = field(repr=False)
    site: str
    sub: str
    auth_time: float
    ends_at: float
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


class Sessions(Protocol):
    """The question of codes and refreshes: is this session alive, and whose is it?"""

    async def signed_in(self, session_id: str, now: float) -> SignedIn | None:
        """The visitor of a live, verified session; None for any other. Raises Refusal(STORE_UNAVAILABLE)."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A guest session opened for a server: the handle that its page may hold, and where the guest belongs."""

    handle: str = field(repr=False)
    expires_in_s: int
    guest_id: str
    verified: bool
    organization_id: str | None
    region: str
    deployment_id: str


class Admits(Protocol):
    """The question of the token exchange: whom does this visitor token name, and may they come in?"""

    async def admit(self, site: str, visitor_token: str, asked: Asked) -> Admitted:
        """Verify the token by the site's issuers and open a guest session.

        Records the grant itself. Raises Refusal: VISITOR_* for the token, STORE_UNAVAILABLE, AUDIT_UNAVAILABLE.
        """


class BookSessions:
    """`Sessions` over the guest book."""

    def __init__(self, book: Guestbook) -> None:
        self._book = book

    async def signed_in(self, session_id: str, now: float) -> SignedIn | None:
        """See `Sessions`. Asking counts as use, so that a chat that Genesys keeps alive does not idle out here."""
        try:
            session = await self._book.touch(session_id)
        except Refusal as exc:
            if exc.reason in (errors.SESSION_INVALID, errors.SESSION_EXPIRED):
                return None
            raise
        return person_of(session, now)


def person_of(session: GuestSession, now: float) -> SignedIn | None:
    """The visitor of a session; None for an anonymous session or one that is over."""
    if state_of(session, now) is not State.VERIFIED:
        return None
    return SignedIn(
        session_id=session.id,
        site=session.site,
        sub=session.guest_id,
        auth_time=session.created_at,
        ends_at=session.expires_at,
        name=session.display_name,
        email=session.email,
    )
