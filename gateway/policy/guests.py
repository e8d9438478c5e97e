"""The guest session and its life: a table of moves, the arithmetic of its ends, and the ids that only we can make.

Leaves keeping sessions to the store and proofs to `visitors`. The rule: a session of a signed-in visitor is never
lowered to an anonymous one and never passes to somebody else.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from gateway import errors
from gateway.errors import Refusal


@dataclass(frozen=True, slots=True)
class GuestSession:
    """Our record of a guest. Times are seconds since the epoch; what is secret or personal stays out of the repr.

    `external_ref`: the visitor's identifier at the site, exactly as its proof gave it. `email`: verified, or None.
    """

    id: str
    site: str
    org: str
    guest_id: str
    verified: bool
    issuer: str | None
    external_ref: str | None = field(repr=False)
    created_at: float
    last_used_at: float
    expires_at: float
    idle_s: int
    upstream_token: str = field(repr=False)
    display_name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    proof_key: str | None = None
    """Thumbprint of the browser's key that each use of a handle must be proved with (policy/dpop.py); None: of none."""


class State(Enum):
    """Where a session stands."""

    NONE = "none"
    ANONYMOUS = "anonymous"
    VERIFIED = "verified"
    ENDED = "ended"


class Event(Enum):
    """What may happen to it."""

    COME = "come"
    """A call to /session without a proof."""
    PROVE_SAME = "prove-same"
    """A proof of the very visitor that the session belongs to, or of anybody where it belongs to nobody yet."""
    PROVE_OTHER = "prove-other"
    """A proof of another visitor."""
    FAIL = "fail"
    """A proof that did not hold, at a site whose visitors may then go on as nobody (visitors.on_failure)."""
    LEAVE = "leave"
    EXPIRE = "expire"


class Act(Enum):
    """What the session service does about it."""

    OPEN = "open"
    RENEW = "renew"
    UPGRADE = "upgrade"
    REPLACE = "replace"
    END = "end"
    REFUSE = "refuse"
    """Give the refusal of the proof: to go on would serve one visitor's session to whoever failed to sign in."""
    NOTHING = "nothing"


MOVES: Final[dict[tuple[State, Event], tuple[Act, State]]] = {
    (State.NONE, Event.COME): (Act.OPEN, State.ANONYMOUS),
    (State.NONE, Event.PROVE_SAME): (Act.OPEN, State.VERIFIED),
    (State.NONE, Event.PROVE_OTHER): (Act.OPEN, State.VERIFIED),
    (State.NONE, Event.FAIL): (Act.OPEN, State.ANONYMOUS),
    (State.NONE, Event.LEAVE): (Act.NOTHING, State.NONE),
    (State.NONE, Event.EXPIRE): (Act.NOTHING, State.NONE),
    (State.ANONYMOUS, Event.COME): (Act.RENEW, State.ANONYMOUS),
    (State.ANONYMOUS, Event.PROVE_SAME): (Act.UPGRADE, State.VERIFIED),
    (State.ANONYMOUS, Event.PROVE_OTHER): (Act.UPGRADE, State.VERIFIED),
    (State.ANONYMOUS, Event.FAIL): (Act.RENEW, State.ANONYMOUS),
    (State.ANONYMOUS, Event.LEAVE): (Act.END, State.ENDED),
    (State.ANONYMOUS, Event.EXPIRE): (Act.END, State.ENDED),
    (State.VERIFIED, Event.COME): (Act.RENEW, State.VERIFIED),
    (State.VERIFIED, Event.PROVE_SAME): (Act.RENEW, State.VERIFIED),
    (State.VERIFIED, Event.PROVE_OTHER): (Act.REPLACE, State.VERIFIED),
    (State.VERIFIED, Event.FAIL): (Act.REFUSE, State.VERIFIED),
    (State.VERIFIED, Event.LEAVE): (Act.END, State.ENDED),
    (State.VERIFIED, Event.EXPIRE): (Act.END, State.ENDED),
    (State.ENDED, Event.COME): (Act.OPEN, State.ANONYMOUS),
    (State.ENDED, Event.PROVE_SAME): (Act.OPEN, State.VERIFIED),
    (State.ENDED, Event.PROVE_OTHER): (Act.OPEN, State.VERIFIED),
    (State.ENDED, Event.FAIL): (Act.OPEN, State.ANONYMOUS),
    (State.ENDED, Event.LEAVE): (Act.NOTHING, State.ENDED),
    (State.ENDED, Event.EXPIRE): (Act.NOTHING, State.ENDED),
}
"""Every move. No row leads from VERIFIED to ANONYMOUS; REPLACE ends the old session and opens a new one."""


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long sessions and their handles live, in seconds."""

    idle_s: int = 1800
    absolute_s: int = 43_200
    handle_s: int = 900


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a proof is about, as far as a session needs it."""

    issuer: str
    subject: str = field(repr=False)
    display_name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


def next_move(
    session: GuestSession | None,
    person: Person | None,
    now: float,
    *,
    proof_failed: bool = False,
    step_up: bool = True,
) -> tuple[Act, State]:
    """The row of MOVES for a call to /session; `session` is the one whose handle came along, if any.

    `proof_failed`: a proof came along and did not hold, and the site lets such visitors go on as nobody. `step_up`:
    an anonymous conversation may become a signed-in one; without it signing in begins another session.
    """
    state = state_of(session, now)
    if person is None:
        return MOVES[state, Event.FAIL if proof_failed else Event.COME]
    same = session is not None and (session.issuer, session.external_ref) == (person.issuer, person.subject)
    act, after = MOVES[state, Event.PROVE_SAME if same else Event.PROVE_OTHER]
    return (Act.REPLACE if act is Act.UPGRADE and not step_up else act), after


def state_of(session: GuestSession | None, now: float) -> State:
    """Where a session stands at a time."""
    if session is None:
        return State.NONE
    if now >= ends_at(session):
        return State.ENDED
    return State.VERIFIED if session.verified else State.ANONYMOUS


def ends_at(session: GuestSession) -> float:
    """When the session ends if nothing more happens: the earlier of its idle and its absolute end."""
    return min(session.last_used_at + session.idle_s, session.expires_at)


def check_alive(session: GuestSession, now: float) -> None:
    """Raises Refusal(SESSION_EXPIRED) at and after the session's end."""
    if now >= ends_at(session):
        raise Refusal(errors.SESSION_EXPIRED)


def open_session(
    *,
    session_id: str,
    site: str,
    org: str,
    guest: str,
    token: str,
    person: Person | None,
    rules: SessionRules,
    now: float,
    proof_key: str | None = None,
) -> GuestSession:
    """A new session; `session_id` is fresh and random, `guest` and `token` are made by the functions below."""
    return GuestSession(
        id=session_id,
        site=site,
        org=org,
        guest_id=guest,
        verified=person is not None,
        issuer=person.issuer if person else None,
        external_ref=person.subject if person else None,
        created_at=now,
        last_used_at=now,
        expires_at=now + rules.absolute_s,
        idle_s=rules.idle_s,
        upstream_token=token,
        display_name=person.display_name if person else None,
        email=person.email if person else None,
        proof_key=proof_key,
    )


def renew(session: GuestSession, now: float) -> GuestSession:
    """The session, used now. The absolute end stays; time never runs back. Raises Refusal(SESSION_EXPIRED)."""
    check_alive(session, now)
    return replace(session, last_used_at=max(session.last_used_at, now))


def upgrade(session: GuestSession, guest: str, person: Person, now: float) -> GuestSession:
    """An anonymous session that becomes a visitor's; the upstream token stays, and with it the conversation.

    The id stays too, but the caller gives out a new handle and ends the old one, so that a planted handle is worth
    nothing after sign-in. Raises Refusal(SESSION_EXPIRED); ValueError for a session that is verified already.
    """
    if session.verified:
        raise ValueError("a verified session is replaced or renewed, never upgraded")
    return replace(
        renew(session, now),
        guest_id=guest,
        verified=True,
        issuer=person.issuer,
        external_ref=person.subject,
        display_name=person.display_name,
        email=person.email,
    )


def refresh_person(session: GuestSession, person: Person, now: float) -> GuestSession:
    """A verified session after a new proof of the same visitor: used now, with the name and e-mail of the new proof.

    Raises Refusal(SESSION_EXPIRED); ValueError for anybody else.
    """
    if (session.issuer, session.external_ref) != (person.issuer, person.subject):
        raise ValueError("the proof is not of this session's visitor")
    return replace(renew(session, now), display_name=person.display_name, email=person.email)


def handle_expires_at(session: GuestSession, rules: SessionRules, now: float) -> float:
    """When a handle given out now ends: after handle_s, but never after the session."""
    return min(now + rules.handle_s, session.expires_at)


def rotates_handle(act: Act) -> bool:
    """Whether the old handle is taken away at once when the new one is given out.

    A renewal leaves it until its own end: two tabs, or an answer that got lost, would otherwise throw a guest out.
    """
    return act in {Act.UPGRADE, Act.REPLACE, Act.END}


def guest_id(key: bytes, version: int, org: str, site: str, subject: str) -> str:
    """The pseudonym of a visitor, or of a fresh random subject for an anonymous one: a UUIDv8 that only we can compute.

    The same person has different pseudonyms at different sites, orgs and key versions.
    """
    return _keyed_uuid(key, "guest-id", str(version), org, site, subject)


def upstream_token(key: bytes, site: str, subject: str, *, signs_in: bool = False) -> str:
    """The guest's token at Genesys: a UUIDv8 that nobody can guess. A secret: it never reaches a browser or a log.

    `signs_in`: for a visitor who signs in at Genesys too. Such a token can never be configured anonymously again
    (Genesys' 4017), so it is another one than the same visitor has where there is no sign-in.
    """
    return _keyed_uuid(key, "upstream-token-signed-in" if signs_in else "upstream-token", site, subject)


def issuer_subject(issuer: str, subject: str) -> str:
    """A subject qualified by who vouches for it, unambiguous: two issuers' `42` are two people."""
    return f"{len(issuer)}:{issuer}:{subject}"


_UUID_8: Final = 0x8 << 76 | 0x2 << 62  # version and variant
_UUID_RANDOM: Final = ~(0xF << 76 | 0x3 << 62)


def _keyed_uuid(key: bytes, *parts: str) -> str:
    """HMAC-SHA256 over length-prefixed parts, so that no two lists of parts read alike; RFC 9562 5.8 sets six bits."""
    if len(key) < 32:
        raise ValueError("the guest key needs at least 32 bytes")
    message = bytearray()
    for part in parts:
        data = part.encode("utf-8", "strict")
        message += len(data).to_bytes(4, "big") + data
    number = int.from_bytes(hmac.digest(key, message, "sha256")[:16], "big")
    digits = f"{number & _UUID_RANDOM | _UUID_8:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
