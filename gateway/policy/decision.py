"""The one function pair that says yes: facts of a request and rules of its site into a permit, or a refusal.

Leaves recording and counting to `gate`, which alone calls it. The rule: whoever holds a permit got it here; the
upstream rooms take nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Final, Literal

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import GuestSession, check_alive
from gateway.policy.handles import HandleKind
from gateway.policy.origins import OriginRules, check_origin
from gateway.policy.ownership import KnownOwners, NoOwners
from gateway.policy.paths import Target
from gateway.policy.routes import Route, RouteMatch, RouteTable, check_query


class OwnerUnknown(Refusal):
    """Nobody has found out yet whose this conversation is; who can should, and ask again. Else it is a refusal."""

    def __init__(self, conversation: str) -> None:
        super().__init__(errors.OWNER_MISMATCH)
        self.conversation = conversation


_NO_OWNERS: Final = NoOwners()
_SEAL: Final = object()
"""Known to this file only; a permit cannot be made without it."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A caller with a guest session. `conversations`: ids that are known to be this guest's own.

    `ticket`: the digest of the one-use ticket that was spent, where the handle is one.
    """

    session: GuestSession
    handle: HandleKind = HandleKind.SESSION
    conversations: frozenset[str] = frozenset()
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """A server of the site, by its key or handle."""

    name: str
    sites: frozenset[str]
    routes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Nobody:
    """A caller without a credential."""


Caller = Guest | Backend | Nobody


@dataclass(frozen=True, slots=True)
class SiteRules:
    """What one site allows. `routes` holds the routes of this site only, built-in ones included."""

    name: str
    org: str
    deployment_id: str
    origins: OriginRules
    routes: RouteTable
    mode: Literal["proxied", "messenger"] = "proxied"
    anonymous_socket: bool = False
    upstream_origin: str | None = None
    traceparent: bool = False


@dataclass(slots=True)
class Facts:
    """A request as it came: `origin` is the raw header, `segments` the path after the site's prefix."""

    method: str
    target: Target
    segments: tuple[str, ...]
    origin: str | None
    caller: Caller
    body_bytes: int = 0
    owners: KnownOwners = _NO_OWNERS
    """Whose conversations are, as far as is known now."""
    match: RouteMatch | None = None
    """What the site's table was found to say of method and segments; another table's word, or another path's, is not
    believed."""


@dataclass(frozen=True, slots=True, init=False)
class Permit:
    """Leave to make one REST call. `origin`: the caller's checked origin, None for a server."""

    site: str
    org: str
    route: Route
    parameters: Mapping[str, str]
    upstream_path: str
    query: str
    caller: Guest | Backend
    origin: str | None
    upstream_origin: str | None

    def __init__(  # written out: what dataclass makes of a frozen class takes twice as long
        self, rules: SiteRules, match: RouteMatch, query: str, caller: Guest | Backend, origin: str | None, seal: object
    ) -> None:
        if seal is not _SEAL:
            raise TypeError("a permit is made by decide() only")
        put = object.__setattr__
        put(self, "site", rules.name)
        put(self, "org", rules.org)
        put(self, "route", match.route)
        put(self, "parameters", match.parameters)
        put(self, "upstream_path", match.upstream_path)
        put(self, "query", query)
        put(self, "caller", caller)
        put(self, "origin", origin)
        put(self, "upstream_origin", rules.upstream_origin or origin)

    @property
    def upstream_target(self) -> str:
        """Path and query at Genesys; the query is the caller's, byte for byte."""
        return f"{self.upstream_path}?{self.query}" if self.query else self.upstream_path

    def upstream_body(self, sent: bytes) -> bytes:
        """What goes to Genesys: the route's own body, filled in, else what the caller sent."""
        template = self.route.body_template
        if template is None:
            return sent
        if not template.names:
            return template.fill({})
        values = {**self.parameters, "site": self.site}
        if isinstance(self.caller, Guest):
            session = self.caller.session
            values["guest_id"], values["external_id"] = session.guest_id, session.external_ref or ""
            values["verified"] = "true" if session.verified else "false"
        return template.fill(values)


@dataclass(frozen=True, slots=True)
class SocketPermit:
    """Leave to open one guest socket. `guest` is None where the client's own token is the guest (anonymous_socket)."""

    site: str
    org: str
    deployment_id: str
    guest: Guest | None
    origin: str
    upstream_origin: str
    _: KW_ONLY
    seal: InitVar[object] = field(repr=False)

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a socket permit is made by decide_socket() only")


def decide(facts: Facts, rules: SiteRules, now: float) -> Permit:
    """Leave for a REST call. Raises the Refusal that says why not.

    Asked in this order: origin, session, route, caller, query, owner, size. `OwnerUnknown`, a refusal too, is raised
    where it must first be found out whose the conversation is.
    """
    origin = _checked_origin(facts, rules)
    if isinstance(facts.caller, Guest):
        _check_session(facts.caller, rules, now)
    match = facts.match
    if match is None or not match.is_of(rules.routes, facts.method, facts.segments):
        match = rules.routes.find(facts.method, facts.segments)
    route = match.route
    caller = _checked_caller(facts.caller, route, rules)
    if facts.target.parameters:
        check_query(route, facts.target)
    if route.owner is not None:
        _check_owner(caller, match.parameters[route.owner], rules, facts.owners)
    if facts.body_bytes > route.max_body_bytes:
        raise Refusal(errors.BODY_TOO_LARGE, f"{facts.body_bytes} bytes, of {route.max_body_bytes} at most")
    return Permit(rules, match, facts.target.query, caller, origin, _SEAL)


def decide_socket(facts: Facts, rules: SiteRules, deployment_id: str | None, now: float) -> SocketPermit:
    """Leave for a guest socket. Raises the Refusal that says why not.

    A site of mode `messenger` has no sockets through us.
    """
    origin = check_origin(facts.origin, rules.origins)
    if rules.mode != "proxied":
        raise Refusal(errors.NOT_FOUND, "the site uses the stock Messenger, which talks to Genesys itself")
    if deployment_id is None or deployment_id.lower() != rules.deployment_id.lower():
        raise Refusal(errors.SOCKET_DEPLOYMENT)
    guest = _socket_guest(facts.caller, rules, now)
    return SocketPermit(
        site=rules.name,
        org=rules.org,
        deployment_id=rules.deployment_id,
        guest=guest,
        origin=origin,
        upstream_origin=rules.upstream_origin or origin,
        seal=_SEAL,
    )


def _checked_origin(facts: Facts, rules: SiteRules) -> str | None:
    """A server sends no Origin; whoever sends one is a page, and must be listed, whatever credential it holds."""
    if facts.origin is None and isinstance(facts.caller, Backend):
        return None
    return check_origin(facts.origin, rules.origins)


def _check_session(guest: Guest, rules: SiteRules, now: float) -> None:
    if guest.session.site != rules.name:
        raise Refusal(errors.SESSION_INVALID)
    check_alive(guest.session, now)


def _checked_caller(caller: Caller, route: Route, rules: SiteRules) -> Guest | Backend:
    """The caller, when the route lists its kind and, for a backend, the backend lists the route and site."""
    if isinstance(caller, Nobody):
        if "guest" in route.callers:
            raise Refusal(errors.SESSION_MISSING)
        raise Refusal(errors.BACKEND_MISSING if route.callers else errors.ROUTE_CALLER)
    if isinstance(caller, Backend):
        if "backend" not in route.callers or route.name not in caller.routes or rules.name not in caller.sites:
            raise Refusal(errors.ROUTE_CALLER)
        return caller
    if "guest" not in route.callers:
        raise Refusal(errors.ROUTE_CALLER)
    needed = HandleKind.HISTORY if route.auth == "webmessaging-jwt" else HandleKind.SESSION
    if caller.handle is not needed:
        raise Refusal(errors.HANDLE_WRONG_KIND, f"this route takes a handle with the prefix {needed.value}")
    return caller


def _check_owner(caller: Guest | Backend, conversation: str, rules: SiteRules, owners: KnownOwners) -> None:
    """A guest reaches its own conversations only, a backend those of the site that it calls for.

    Foreign and unknown answer alike.
    """
    if isinstance(caller, Guest) and conversation in caller.conversations:
        return
    owner = owners.owner(rules.org, conversation)
    if owner is None:
        raise OwnerUnknown(conversation)
    if owner.site != rules.name or (isinstance(caller, Guest) and owner.guest_id != caller.session.guest_id):
        raise Refusal(errors.OWNER_MISMATCH)


def _socket_guest(caller: Caller, rules: SiteRules, now: float) -> Guest | None:
    if isinstance(caller, Nobody):
        if rules.anonymous_socket:
            return None
        raise Refusal(errors.TICKET_MISSING)
    if isinstance(caller, Backend):
        raise Refusal(errors.TICKET_INVALID, "a backend credential opens no guest socket")
    if caller.handle is not HandleKind.TICKET:
        raise Refusal(errors.HANDLE_WRONG_KIND, f"a socket takes a handle with the prefix {HandleKind.TICKET.value}")
    _check_session(caller, rules, now)
    return caller
