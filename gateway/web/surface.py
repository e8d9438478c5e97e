"""The public surface as one table: which path is which service, which methods it answers to, who must name an origin.

Leaves sites, origins and routes to the policy, and the work to the handlers that `front.py` binds to the names.
The names are the `route` label of the metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from gateway import errors
from gateway.errors import Refusal


class OriginNeed(Enum):
    """What a service asks of the Origin header."""

    PAGE = "page"
    """A page of the site: the origin must be there and be listed."""
    CALLER = "caller"
    """`decide()` judges, because servers send none."""
    ANYONE = "anyone"
    """Public bytes that pages of every origin may read: `Access-Control-Allow-Origin: *`, so never with credentials."""
    OPEN = "open"
    """Public bytes: nobody is refused; a listed origin gets its CORS headers."""
    SERVER = "server"
    """Called by servers; a page's preflight is refused."""


@dataclass(frozen=True, slots=True)
class Surface:
    """One service of the public listener."""

    name: str
    pattern: tuple[str, ...]
    methods: tuple[str, ...]
    origin: OriginNeed
    of_site: bool
    oauth_errors: bool = False


ANY_METHOD: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
REST: Final = "*"
"""As the last part of a pattern: whatever follows, if anything does."""
ONE: Final = "?"
"""As a part of a pattern: any one segment."""

SURFACES: Final = (
    Surface("widget", ("widget.js",), ("GET", "HEAD"), OriginNeed.OPEN, of_site=True),
    Surface("session", ("session",), ("POST", "DELETE"), OriginNeed.PAGE, of_site=True),
    Surface("ticket", ("ticket",), ("POST",), OriginNeed.PAGE, of_site=True),
    Surface("auth_code", ("auth-code",), ("POST",), OriginNeed.PAGE, of_site=True),
    Surface("beacon", ("beacon",), ("POST",), OriginNeed.PAGE, of_site=True),
    Surface("origin", ("origin",), ("GET",), OriginNeed.ANYONE, of_site=True),
    # Paths at which people look for a token endpoint (gateway/data/beliefs.json); only this gateway has them.
    Surface(
        "oauth_token", ("api", "v2", "oauth", "token"), ("POST",), OriginNeed.SERVER, of_site=False, oauth_errors=True
    ),
    Surface("oauth_token", ("v2", "oauth", "token"), ("POST",), OriginNeed.SERVER, of_site=False, oauth_errors=True),
    Surface("oauth_token", ("oauth2", "token"), ("POST",), OriginNeed.SERVER, of_site=False, oauth_errors=True),
    Surface("rest_proxy", ("api", "v2", REST), ANY_METHOD, OriginNeed.CALLER, of_site=True),
    Surface("websocket", ("v1",), ("GET",), OriginNeed.CALLER, of_site=True),
    Surface("static", ("static", ONE), ("GET", "HEAD"), OriginNeed.ANYONE, of_site=False),
    Surface("oauth_token", ("oauth", "token"), ("POST",), OriginNeed.SERVER, of_site=False, oauth_errors=True),
    Surface("oauth_token", ("login", "oauth", "token"), ("POST",), OriginNeed.SERVER, of_site=False, oauth_errors=True),
    Surface("oidc", (".well-known", "openid-configuration"), ("GET", "HEAD"), OriginNeed.OPEN, of_site=False),
    Surface("oidc", ("oauth", "jwks.json"), ("GET", "HEAD"), OriginNeed.OPEN, of_site=False),
    Surface("oidc", ("oauth", "authorize"), ("GET", "POST"), OriginNeed.SERVER, of_site=False),
    # no OAuth shape here: 401 with `WWW-Authenticate: Bearer` (RFC 6750 section 3)
    Surface("oidc", ("oauth", "userinfo"), ("GET", "POST"), OriginNeed.SERVER, of_site=False),
    Surface("oidc", ("oauth", "revoke"), ("POST",), OriginNeed.SERVER, of_site=False, oauth_errors=True),
)
UNMATCHED: Final = Surface("unmatched", (), (), OriginNeed.SERVER, of_site=False)

_BY_HEAD: Final[dict[str, tuple[Surface, ...]]] = {
    head: tuple(row for row in SURFACES if row.pattern[0] == head) for head in {row.pattern[0] for row in SURFACES}
}


def find_surface(segments: tuple[str, ...], *, below_site: bool) -> Surface:
    """The row that serves a path. `below_site`: the path began with /sites/{site}, so only a site's services are meant.

    Raises Refusal(NOT_FOUND).
    """
    for row in _BY_HEAD.get(segments[0], ()) if segments else ():
        if (row.of_site or not below_site) and _fits(row.pattern, segments):
            return row
    raise Refusal(errors.NOT_FOUND)


def _fits(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if pattern[-1] == REST:
        fixed = pattern[:-1]
        return len(segments) > len(fixed) and segments[: len(fixed)] == fixed
    return len(pattern) == len(segments) and all(p in (ONE, s) for p, s in zip(pattern, segments, strict=True))
