"""What the gateway keeps outside a request, as one interface: sessions, handles, one-use values, revocations, limits.

Its implementations are `memory.py` (one process) and `redis.py` (many nodes); one contract suite runs over both.
Values are opaque bytes: who writes them also seals and reads them (`gateway.guestbook`). Keys are digests or ids,
never a handle itself. Rule kept: each use says in `ON_FAILURE` what happens when the store does not answer.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

Clock = Callable[[], float]
"""Seconds since the epoch; handed in, so that tests set it."""


class OnFailure(enum.Enum):
    """What a use of the store does when the store does not answer in time."""

    CLOSED = "closed"
    """`Refusal(STORE_UNAVAILABLE)`: the step must not be taken without the store."""
    LOCAL = "local"
    """This node's own count or copy is used."""


ON_FAILURE: Final[Mapping[str, OnFailure]] = MappingProxyType(
    {
        "put_session": OnFailure.CLOSED,
        "get_session": OnFailure.CLOSED,  # the guestbook's near-cache answers first, until the handle's short expiry
        "renew_session": OnFailure.CLOSED,  # the guestbook goes on, as above
        "replace_session": OnFailure.CLOSED,
        "end_session": OnFailure.CLOSED,
        "put_once": OnFailure.CLOSED,
        "take_once": OnFailure.CLOSED,
        "claim": OnFailure.CLOSED,
        "put": OnFailure.CLOSED,
        "get": OnFailure.CLOSED,
        "delete": OnFailure.CLOSED,
        "revoke": OnFailure.CLOSED,
        "revoked_at": OnFailure.CLOSED,
        "acquire_lease": OnFailure.CLOSED,
        "release_lease": OnFailure.CLOSED,
        "take_limits": OnFailure.LOCAL,
    }
)
"""Each use by the name of its method, and its rule."""

TOMBSTONE_S: Final = 120.0
"""How long a spent or expired one-use value is remembered, so that the caller can be told which of the two it was."""


class OnceState(enum.Enum):
    """What became of a one-use value that was asked for."""

    TAKEN = "taken"
    USED = "used"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, repr=False)
class OnceResult:
    """The outcome of `take_once`.

    `value` is set for TAKEN, and for USED so that what the first use gave can be revoked.
    """

    state: OnceState
    value: bytes | None = None

    def __repr__(self) -> str:
        return f"OnceResult({self.state.value})"


@dataclass(frozen=True, slots=True)
class LimitAsk:
    """One GCRA question: may `key` do `cost` more, at `rate_per_s` sustained and `burst` at once?"""

    key: str
    rate_per_s: float
    burst: int
    cost: int = 1


@dataclass(frozen=True, slots=True)
class LimitResult:
    """The answer to a `LimitAsk`. `local`: counted on this node only, because the shared store did not answer."""

    allowed: bool
    retry_after_s: float
    remaining: int
    local: bool = False


@dataclass(frozen=True, slots=True)
class Revocation:
    """Everything that `subject` got until `at` is void: `session:<id>`, `handles:<session id>`, `guest:<id>`, ..."""

    subject: str
    at: float
    until: float


RevocationListener = Callable[[Revocation], None]


class Store(Protocol):
    """The store. Every method but `subscribe` may raise `Refusal(STORE_UNAVAILABLE)` where `ON_FAILURE` says closed."""

    async def start(self) -> None:
        """Begin to follow revocations. Does not wait for the store to be reachable."""
        ...

    async def close(self) -> None:
        """Stop background work and close connections."""
        ...

    async def ready(self) -> str | None:
        """None when the store answers; else why not, in words without addresses or secrets."""
        ...

    async def put_session(self, session_id: str, value: bytes, ttl_s: float) -> None:
        """Keep a new session for `ttl_s`."""
        ...

    async def get_session(self, session_id: str) -> bytes | None:
        """The session's value, or None when there is none or it passed its time."""
        ...

    async def renew_session(self, session_id: str, ttl_s: float) -> bool:
        """Let a session that still exists live `ttl_s` from now. False: it ended meanwhile, and stays ended."""
        ...

    async def replace_session(self, session_id: str, old: bytes, new: bytes, ttl_s: float) -> bool:
        """Put `new` in the place of `old`, atomically. False: the session ended or was replaced by somebody else."""
        ...

    async def end_session(self, session_id: str, revoke_for_s: float) -> bool:
        """Delete the session and revoke `session:<id>` on every node, in one step. False: there was none."""
        ...

    async def put_once(self, kind: str, digest: str, value: bytes, ttl_s: float) -> None:
        """Keep a value that can be taken once within `ttl_s`."""
        ...

    async def take_once(self, kind: str, digest: str) -> OnceResult:
        """Take a one-use value in one atomic step: of any number of callers exactly one gets TAKEN."""
        ...

    async def claim(self, kind: str, digest: str, ttl_s: float) -> bool:
        """True for the first caller within `ttl_s`, False for every other: the replay guard."""
        ...

    async def put(self, kind: str, digest: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for `ttl_s`, replacing an older one."""
        ...

    async def get(self, kind: str, digest: str) -> bytes | None:
        """A value kept by `put`, or None."""
        ...

    async def delete(self, kind: str, digest: str) -> bool:
        """Forget a value kept by `put`; True when there was one."""
        ...

    async def revoke(self, subject: str, ttl_s: float) -> None:
        """Void everything `subject` got until now; told to the listeners of every node within a second."""
        ...

    async def revoked_at(self, subjects: Sequence[str]) -> tuple[float | None, ...]:
        """For each subject the time of its latest revocation, or None."""
        ...

    def subscribe(self, listener: RevocationListener) -> None:
        """Have `listener` called for each revocation, of whichever node; called on the event loop, must not block."""
        ...

    async def acquire_lease(self, name: str, owner: str, ttl_s: float) -> int | None:
        """Hold or extend `name` for `owner`.

        Returns the fencing number, which grows with each new holder, or None when another holds it.
        """
        ...

    async def release_lease(self, name: str, owner: str) -> None:
        """Give `name` back if `owner` still holds it."""
        ...

    async def take_limits(self, asks: Sequence[LimitAsk]) -> tuple[LimitResult, ...]:
        """Answer several limits in one step; when one of them refuses, none is charged."""
        ...
