"""What the header fields of one request say: read once, and shared by all requests that bring the same fields.

Leaves reading them off the wire to aiohttp or to `web/framing.py`, and judging them to the policy. The rule: what is
kept here hangs on the fields alone; who holds a session, and what is left of a limit, is asked for each request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from multidict import CIMultiDictProxy

from gateway.observe.cells import CounterCell
from gateway.policy.decision import Guest
from gateway.policy.guests import GuestSession
from gateway.policy.handles import HandleKind, bearer_of, digest, kind_of
from gateway.policy.injection import PassedHeaders, passed_headers
from gateway.policy.traces import DEBUG_HEADER

Headers = CIMultiDictProxy[str]


@dataclass(frozen=True, slots=True)
class Credential:
    """The bearer of a request, and what its spelling says. `digest`: the store's key of a handle; empty for others."""

    bearer: str = field(repr=False)
    kind: HandleKind | None
    digest: str = field(repr=False)


class Head:
    """The header fields of a request. What costs something to find out is found out when first asked for."""

    __slots__ = (
        "_beliefs",
        "_credential",
        "_guest",
        "_headers",
        "_passed",
        "_read",
        "authorization",
        "debug",
        "forwarded",
        "host",
        "origin",
        "request_id",
        "traceparent",
    )

    def __init__(self, headers: Headers, read: Callable[[], Headers] | None = None) -> None:
        """`read`: gives `headers` again, where a head is kept for long and they are rarely asked for."""
        self._headers = headers if read is None else None
        self._read = read
        self.host = headers.get("Host")
        self.origin = headers.get("Origin")
        self.authorization = headers.get("Authorization")
        self.request_id = headers.get("X-Request-Id")
        self.forwarded = headers.getall("X-Forwarded-For", ())
        self.traceparent = headers.get("traceparent")
        self.debug = headers.get(DEBUG_HEADER)
        self._credential: Credential | None = None
        self._guest: Guest | None = None
        self._passed: PassedHeaders | None = None
        self._beliefs: tuple[CounterCell, ...] | None = None

    @property
    def headers(self) -> Headers:
        """All fields, as they came."""
        if self._headers is not None:
            return self._headers
        if self._read is None:
            raise RuntimeError("a head has its fields, or reads them")
        return self._read()

    def credential(self) -> Credential | None:
        """The bearer that came along; None without an Authorization header. Raises Refusal(HEADER_INVALID)."""
        if self._credential is None:
            bearer = bearer_of(self.authorization)
            if bearer is None:
                return None
            kind = kind_of(bearer)
            self._credential = Credential(bearer, kind, "" if kind is None else digest(bearer))
        return self._credential

    def guest(self, session: GuestSession) -> Guest:
        """The guest of the session that the credential stands for now, as the store has just said."""
        if self._guest is None or self._guest.session is not session:
            self._guest = Guest(session)
        return self._guest

    def passed(self) -> PassedHeaders:
        """What of the fields goes on to Genesys. Raises Refusal(HEADER_INVALID)."""
        if self._passed is None:
            self._passed = passed_headers(self.headers.items())
        return self._passed

    def beliefs(self, find: Callable[[Mapping[str, str]], tuple[CounterCell, ...]]) -> tuple[CounterCell, ...]:
        """The counters of the beliefs that the fields show; `find` is asked once."""
        if self._beliefs is None:
            self._beliefs = find(self.headers)
        return self._beliefs
