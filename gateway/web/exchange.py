"""One request and its answer: what the handlers share, so that each of them is only its own job.

Takes a body that came with its head, and builds answers that carry the CORS headers, the request id and no trace of
what serves them. Leaves bodies that are still to come to `bodies.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import orjson
from aiohttp import web

from gateway import errors
from gateway.errors import Refusal
from gateway.gate import Trail
from gateway.policy.decision import Caller, Facts, Nobody, SiteRules
from gateway.policy.limits import Limit, ratelimit_headers
from gateway.policy.ownership import KnownOwners, NoOwners
from gateway.policy.paths import Target
from gateway.policy.routes import RouteMatch
from gateway.web import bodies
from gateway.web.bodies import JSON
from gateway.web.head import Head
from gateway.web.places import Place
from gateway.web.problems import SERVER
from gateway.web.surface import UNMATCHED, Surface

SINGLE_HEADERS: Final = ("Origin", "Authorization", "Content-Type", "Content-Length", "Host", "Cookie")
NO_OWNERS: Final = NoOwners()


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How long a body may take to come in, in seconds, and its slowest pace after the first five."""

    timeout_s: float = 30.0
    min_bytes_per_s: int = 500


NOBODY: Final = Nobody()
_NOWHERE: Final = Place()
Asked = web.BaseRequest | Callable[[], web.BaseRequest]
"""The request as aiohttp knows it, or what makes one of a call that took the short way."""


@dataclass(slots=True)
class Exchange:
    """One request: what it asks for, its place on the surface once that is known, and what is owed to its answer."""

    asked: Asked
    method: str
    head: Head
    trail: Trail
    limits: BodyLimits
    cors: Mapping[str, str]
    whole: bytes | None = field(default=None, repr=False)
    """The body of a call that took the short way."""
    match: RouteMatch | None = None
    """What its site's routes say of such a call."""
    target: Target = _NOWHERE.target
    segments: tuple[str, ...] = ()
    surface: Surface = UNMATCHED
    site: SiteRules | None = None
    caller: Caller = NOBODY
    allowance: tuple[str, Limit, int, float] | None = None
    """What is left of the last limit that was asked: its key, itself, how many more would pass, seconds to wait."""
    guest_jwt: str | None = field(default=None, repr=False)
    """The guest's short Genesys JWT that a history handle stands for; it goes upstream and nowhere else."""

    @property
    def request(self) -> web.BaseRequest:
        """The request as aiohttp knows it; of a call that took the short way, one is made when somebody asks."""
        if not isinstance(self.asked, web.BaseRequest):
            self.asked = self.asked()
        return self.asked

    def enter(self, place: Place, cors: Mapping[str, str]) -> None:
        """Note where the request was going, for its handler and for its records."""
        self.target, self.segments, self.surface, self.site = place.target, place.segments, place.surface, place.site
        self.cors = cors
        trail = self.trail
        trail.surface = place.label
        if place.site is not None:
            trail.site, trail.region = place.site.name, place.region

    @property
    def rules(self) -> SiteRules:
        """The site's rules; only services of a site ask."""
        if self.site is None:
            raise Refusal(errors.SITE_UNKNOWN)
        return self.site

    @property
    def origin(self) -> str | None:
        """The Origin header as it came."""
        return self.head.origin

    @property
    def has_listed_origin(self) -> bool:
        """Was the origin found in the site's list?"""
        return "Access-Control-Allow-Origin" in self.cors

    @property
    def limit_headers(self) -> tuple[tuple[str, str], ...]:
        """The RateLimit headers of the answer; none when no limit was asked."""
        if self.allowance is None:
            return ()
        key, limit, remaining, wait_s = self.allowance
        return ratelimit_headers(key[: key.index(":")], limit, remaining, wait_s)

    @property
    def limit_lines(self) -> bytes:
        """The same as header lines."""
        if self.allowance is None:
            return b""
        key, limit, remaining, wait_s = self.allowance
        if wait_s:
            return "".join([f"{name}: {value}\r\n" for name, value in self.limit_headers]).encode("ascii")
        return b"%b%d\r\n" % (_limit_lines(key[: key.index(":")], limit.quota), remaining)

    def facts(self, body_bytes: int = 0, owners: KnownOwners = NO_OWNERS) -> Facts:
        """What `decide()` asks about."""
        return Facts(
            self.method, self.target, self.segments, self.head.origin, self.caller, body_bytes, owners, self.match
        )

    @property
    def has_unread_body(self) -> bool:
        """Is there a body that was not taken? Whoever does not read it closes the connection after the answer."""
        return bool(self.whole) if self.whole is not None else self.request.can_read_body

    def body_at_hand(self, max_bytes: int) -> bytes | None:
        """The whole body, when it has come with its head; None: wait for it with `body`. Raises as `body`."""
        if self.whole is None:
            return self._body_in_buffer(max_bytes)
        if len(self.whole) > max_bytes:
            raise Refusal(errors.BODY_TOO_LARGE, f"{len(self.whole)} bytes, of {max_bytes} at most.")
        body, self.whole = self.whole, b""
        return body

    def _body_in_buffer(self, max_bytes: int) -> bytes | None:
        request = self.request
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refusal(errors.MEDIA_TYPE, "The body is compressed.")
        length = request.content_length
        if length is not None and length > max_bytes:
            raise Refusal(errors.BODY_TOO_LARGE, f"{length} bytes, of {max_bytes} at most.")
        if not request.can_read_body:
            return b""
        content = request.content
        if content.is_eof():  # it has all come with the header: nothing to wait for, nothing to time
            data = content.read_nowait()
            if len(data) > max_bytes:
                raise Refusal(errors.BODY_TOO_LARGE, f"More than {max_bytes} bytes.")
            return data
        return None

    def body(self, max_bytes: int) -> Awaitable[bytes]:
        """The whole body. Raises Refusal: MEDIA_TYPE (encoded), BODY_TOO_LARGE, BODY_TIMEOUT, CLIENT_GONE."""
        return bodies.body(self, max_bytes)

    def json_object(self, max_bytes: int) -> Awaitable[dict[str, object]]:
        """The body as one JSON object; an empty body is an empty object. Raises as `body`, and JSON_MALFORMED."""
        return bodies.json_object(self, max_bytes)

    def form(self, max_bytes: int) -> Awaitable[str]:
        """The body as form text, unparsed. Raises as `body`, and MEDIA_TYPE."""
        return bodies.form(self, max_bytes)

    def answer(
        self,
        status: int,
        body: bytes = b"",
        media_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        """An answer of the gateway's own."""
        response = web.Response(status=status, body=body or None, headers=self.cors)
        out = response.headers
        if media_type is not None:
            out["Content-Type"] = media_type
        out["Server"] = SERVER
        out["X-Request-Id"] = self.trail.request_id
        out["X-Content-Type-Options"] = "nosniff"
        if headers:
            out.update(headers)
        out.setdefault("Cache-Control", "no-store")
        return response

    def json_answer(
        self, status: int, value: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> web.Response:
        """A JSON answer of the gateway's own."""
        return self.answer(status, orjson.dumps(value), JSON, headers)


@lru_cache(maxsize=256)
def _limit_lines(name: str, quota: str) -> bytes:
    """The lines of `ratelimit_headers` for a request that passed, up to how many more would."""
    return f'RateLimit-Policy: "{name}";{quota}\r\nRateLimit: "{name}";r='.encode("ascii")


def text_member(value: Mapping[str, object], name: str, max_chars: int) -> str | None:
    """A member that is a string or absent. Raises Refusal(JSON_MALFORMED)."""
    found = value.get(name)
    if found is None:
        return None
    if not isinstance(found, str) or not 0 < len(found) <= max_chars:
        raise Refusal(errors.JSON_MALFORMED, f"{name} must be a string of 1 to {max_chars} characters.")
    return found


def refuse_unknown(value: Mapping[str, object], known: frozenset[str]) -> None:
    """Raises Refusal(JSON_MALFORMED) naming the first member that this call does not know."""
    for name in value:
        if name not in known:
            raise Refusal(errors.JSON_MALFORMED, f"Unknown member; known are {', '.join(sorted(known))}.")


def check_single_headers(request: web.BaseRequest) -> None:
    """Headers that decide anything stand at most once. Raises Refusal(HEADER_INVALID)."""
    headers = request.headers
    if len(headers) == len(set(headers)):  # the usual case: no header stands twice
        return
    for name in SINGLE_HEADERS:
        if len(headers.getall(name, ())) > 1:
            raise Refusal(errors.HEADER_INVALID, f"{name} stands more than once.")
