"""The short way of a proxied call: a request that came in one piece, with a head that nothing is unusual about.

A kept connection sends the same head again and again; what it says is read once and remembered. Leaves serving to
`front.py` and everything else that comes to aiohttp's parser. The rule: the short way leads through the same checks,
and what is remembered hangs on the bytes and on the rules in force alone: no session, no limit, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from gateway.errors import Refusal
from gateway.policy.routes import RouteMatch
from gateway.web.framing import cut, cut_again, read_head
from gateway.web.head import Head, Headers
from gateway.web.places import Place, Places

KEPT_BYTES: Final = 2 * 1024 * 1024
"""Heads that are remembered, in each of two turns; what is known of a head takes about three times its bytes more."""
MOST_LUCK: Final = 1_024
A_HIT: Final = 4
"""Heads that are new count one down, heads that are known this much up; at nothing left only one call in `LOOKS_AT` is
looked at. A balancer that gives each request an id of its own makes each head new: aiohttp's parser then is faster."""
LOOKS_AT: Final = 8
SERVICE: Final = "rest_proxy"
_MARK: Final = b"/api/v2/"
"""Stands in the target of each proxied call: a quick look that spares all other requests a longer one."""


@dataclass(frozen=True, slots=True)
class KnownCall:
    """What equal heads mean under the rules in force."""

    method: str
    target: str
    place: Place
    head: Head = field(repr=False)
    cors: Mapping[str, str]
    match: RouteMatch | None
    """What the site's routes say of it; None when they refuse it, which the decision then says once more."""
    before: bytes = field(repr=False)
    behind: bytes = field(repr=False)
    """The head itself, before and after the digits of Content-Length."""
    generation: int
    """Of the rules that it was read under."""


class FastLane:
    """Recognises the calls that may take the short way."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._young: dict[bytes, KnownCall | None] = {}
        self._old: dict[bytes, KnownCall | None] = {}
        self._young_bytes = 0
        self._generation = 0
        self._luck = MOST_LUCK
        self._passed_by = 0

    def reload(self, places: Places) -> None:
        """Forget everything, and look places up here from now on."""
        self._places = places
        self._young, self._old, self._young_bytes = {}, {}, 0
        self._generation += 1
        self._luck = MOST_LUCK

    def recognise(self, data: bytes, last: KnownCall | None = None) -> tuple[KnownCall, bytes] | None:
        """The call that these bytes are, and its body; None: aiohttp's parser has to look. Has no effect.

        `last`: the call before on the same connection, whose head this one mostly has too.
        """
        if last is not None and last.generation == self._generation:
            body = cut_again(data, last.before, last.behind)
            if body is not None:
                return last, body
        if data.find(_MARK, 0, data.find(b"\r\n")) < 0 or not self._is_worth_a_look():
            return None
        found = cut(data)
        if found is None:
            return None
        head, at, body = found
        if head in self._young:
            known = self._young[head]
            self._luck = min(self._luck + A_HIT, MOST_LUCK)
        elif head in self._old:
            known = self._old[head]
            self._keep(head, known)
        else:
            known = self._read(head, at)
            self._keep(head, known)
            self._luck = max(self._luck - 1, 0)
        return None if known is None else (known, body)

    def _is_worth_a_look(self) -> bool:
        if self._luck:
            return True
        self._passed_by = (self._passed_by + 1) % LOOKS_AT
        return self._passed_by == 0

    def _keep(self, head: bytes, known: KnownCall | None) -> None:
        self._young[head] = known
        self._young_bytes += len(head)
        if self._young_bytes > KEPT_BYTES:
            self._old, self._young, self._young_bytes = self._young, {}, 0

    def _read(self, head: bytes, at: int) -> KnownCall | None:
        read = read_head(head)
        if read is None:
            return None
        known = Head(read.headers(), partial(_headers_again, head))
        place, refusal = self._places.find(read.target, known.host)
        if refusal is not None or place.label != SERVICE:
            return None
        cors = self._places.cors(place, known.origin)
        match = _match(place, read.method)
        return KnownCall(read.method, read.target, place, known, cors, match, head[:at], head[at:], self._generation)


def _match(place: Place, method: str) -> RouteMatch | None:
    if place.site is None:
        return None
    try:
        return place.site.routes.find(method, place.segments)
    except Refusal:
        return None


def _headers_again(head: bytes) -> Headers:
    """The fields of a head that was read before."""
    read = read_head(head)
    if read is None:
        raise ValueError("a head that was read can be read")
    return read.headers()
