"""Plays one request through the decision without making it, and says which row of which table decided, and why.

No network, no record, no permit is used: the same functions answer as in the running gateway. The rule: what is
explained here is what would happen there, for a caller that has proved itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, Literal

from gateway import errors
from gateway.config import genesys
from gateway.config.compile import Compiled
from gateway.errors import Refusal
from gateway.policy.beliefs import Belief, read_place
from gateway.policy.decision import Backend, Caller, Facts, Guest, Nobody, Permit, SiteRules, decide
from gateway.policy.guests import SessionRules, open_session
from gateway.policy.handles import HandleKind
from gateway.policy.origins import check_origin
from gateway.policy.ownership import ConversationOwner
from gateway.policy.paths import Target, parse_target
from gateway.policy.routes import Route
from gateway.policy.sites import PREFIX, FoundSite, parse_host
from gateway.web.surface import OriginNeed, Surface, find_surface

CallerKind = Literal["guest", "backend", "nobody"]
GUEST: Final = "explained-guest"
PROXY: Final = "rest_proxy"
NEAREST: Final = 3


@dataclass(frozen=True, slots=True)
class Question:
    """A request. `caller`: guest, nobody, or backend:NAME. `owns`: conversations that are to be taken as its own."""

    method: str
    path: str
    caller: str = "nobody"
    origin: str | None = None
    host: str = "localhost"
    owns: frozenset[str] = frozenset()
    body_bytes: int = 0

    @property
    def kind(self) -> CallerKind:
        """What kind of caller it is. Raises ValueError for a word that is none."""
        if self.caller in ("guest", "nobody"):
            return "guest" if self.caller == "guest" else "nobody"
        if self.caller.startswith("backend:"):
            return "backend"
        raise ValueError(f"{self.caller}: a caller is guest, nobody or backend:NAME")


@dataclass(slots=True)
class Explanation:
    """What would happen. `steps`: what each table said, in order. `code` is None when the call would be made."""

    question: Question
    steps: list[tuple[str, str]] = field(default_factory=list)
    code: str | None = None
    status: int | None = None
    remedy: str = ""
    site: str | None = None
    route: str | None = None

    @property
    def allowed(self) -> bool:
        """Would the call be made?"""
        return self.code is None

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "allowed": self.allowed, "code": self.code, "status": self.status, "site": self.site, "route": self.route,
            "remedy": self.remedy, "steps": [{"step": step, "says": says} for step, says in self.steps],
        }  # fmt: skip


class _Owned:
    """Knows of every conversation: the named ones are of the explained caller, all others of nobody."""

    def __init__(self, owns: frozenset[str], site: str) -> None:
        self._owns = owns
        self._owner = ConversationOwner(site, GUEST)

    def owner(self, org: str, conversation: str) -> ConversationOwner:
        """Whose it is."""
        return self._owner if conversation in self._owns else ConversationOwner(None)


def explain(question: Question, compiled: Compiled, now: float) -> Explanation:
    """Play the request. Raises ValueError for a caller that is none, or a backend that is not configured."""
    found = Explanation(question)
    try:
        _play(question, compiled, now, found)
    except Refusal as refusal:
        told = _told(question, refusal, compiled, found.site)
        found.code, found.status, found.remedy = told.code, told.status, told.reason.remedy
        found.steps.append(("refused", f"{told.code} ({told.status}): {told.detail or told.reason.cause}"))
    return found


def what_is_so(text: str) -> Belief | None:
    """What is true of a word that somebody believes in: an invention, an operation that was removed, or a real scope,
    which does nothing here. None: nothing is known of it.
    """
    if (belief := genesys.beliefs().of_text(text)) is not None:
        return belief
    if (place := read_place(text)) is not None:
        segments = tuple(place.path[1:].split("/"))
        if (removed := genesys.catalogue().removed_at(place.methods[0], segments)) is None:
            return None
        operation, instead = removed
        truth = f"{operation.key} was removed by Genesys in August 2026."
        return Belief("operation.removed", "operation", operation.key, truth, instead, "explain")
    if any(text in operation.scopes_any for operation in genesys.catalogue()):
        truth = "A real scope, and ignored by Genesys for client credentials: the role of the client decides."
        return Belief("scope.ignored", "scope", text, truth, "the permissions that the routes need", "strip")
    return None


def _play(question: Question, compiled: Compiled, now: float, found: Explanation) -> None:
    target = parse_target(question.path)
    found.steps.append(("path", f"{target.path} is in canonical form, {len(target.segments)} segments"))
    below = target.segments[:1] == (PREFIX,)
    place = (
        compiled.site_table.find(target, parse_host(question.host), target.parameter("deploymentId")) if below else None
    )
    surface = find_surface(place.segments if place else target.segments, below_site=below)
    if surface.of_site and place is None:
        place = compiled.site_table.find(target, parse_host(question.host), target.parameter("deploymentId"))
    if place is not None:
        found.site = place.name
        found.steps.append(("site", f"{place.name}, found by {place.by}"))
    found.steps.append(("surface", f"{surface.name}, answers to {', '.join(surface.methods)}"))
    if question.method not in surface.methods:
        raise Refusal(errors.METHOD_NOT_ALLOWED, ", ".join(surface.methods))
    if place is not None:
        _play_site(question, compiled, now, found, target, place, surface)


def _play_site(
    question: Question, compiled: Compiled, now: float, found: Explanation, target: Target, place: FoundSite,
    surface: Surface,
) -> None:  # fmt: skip
    rules = compiled.sites[place.name].rules
    caller = _caller(question, compiled, rules, now)
    if surface.origin is OriginNeed.PAGE or question.origin is not None:
        found.steps.append(
            ("origin", f"{check_origin(question.origin, rules.origins)} is listed in sites.{rules.name}")
        )
    elif isinstance(caller, Backend):
        found.steps.append(("origin", "none, as servers send"))
    if surface.name != PROXY:
        return
    found.steps.append(("caller", _caller_words(caller)))
    _note_route(question, rules, place, compiled, found)
    facts = Facts(
        question.method, target, place.segments, question.origin, _with_handle(caller, question, rules, place),
        question.body_bytes, _Owned(question.owns, rules.name),
    )  # fmt: skip
    permit = decide(facts, rules, now)
    found.steps.append(("permitted", _permit_words(permit, compiled)))


def _caller(question: Question, compiled: Compiled, rules: SiteRules, now: float) -> Caller:
    if question.kind == "nobody":
        return Nobody()
    if question.kind == "guest":
        session = open_session(
            session_id="explained", site=rules.name, org=rules.org, guest=GUEST, token="", person=None,
            rules=SessionRules(), now=now,
        )  # fmt: skip
        return Guest(session)
    name = question.caller.partition(":")[2]
    if name not in compiled.backends:
        raise ValueError(f"no backend {name}; configured are {', '.join(compiled.backends) or 'none'}")
    return compiled.backends[name].caller


def _with_handle(caller: Caller, question: Question, rules: SiteRules, place: FoundSite) -> Caller:
    """A guest is taken to bring the kind of handle that the route asks for."""
    route = _route_at(question, rules, place)
    if isinstance(caller, Guest) and route is not None and route.auth == "webmessaging-jwt":
        return Guest(caller.session, HandleKind.HISTORY)
    return caller


def _route_at(question: Question, rules: SiteRules, place: FoundSite) -> Route | None:
    try:
        return rules.routes.match(question.method, place.segments)[0]
    except Refusal:
        return None


def _note_route(question: Question, rules: SiteRules, place: FoundSite, compiled: Compiled, found: Explanation) -> None:
    route = _route_at(question, rules, place)
    if route is None:
        return
    found.route = route.name
    names = [one.name for one in compiled.config.routes]
    where = f"routes[{names.index(route.name)}]" if route.name in names else "built in"
    found.steps.append(
        ("route", f"{where} {route.name}: {route.match}, for {', '.join(sorted(route.callers)) or 'nobody'}")
    )
    if route.body_template is not None:
        found.steps.append(("body", f"the route's own, in place of the caller's: {route.body_template}"))
    if route.owner is not None:
        found.steps.append(("owner", f"{{{route.owner}}} must be the caller's own conversation"))


def _caller_words(caller: Caller) -> str:
    if isinstance(caller, Backend):
        return f"backend {caller.name}, for sites {_listed(caller.sites)} and routes {_listed(caller.routes)}"
    return "a guest with a session of this site" if isinstance(caller, Guest) else "nobody: no credential"


def _permit_words(permit: Permit, compiled: Compiled) -> str:
    route, org = permit.route, compiled.orgs[permit.org]
    operation = compiled.operations.get(route.name)
    words = f"{route.upstream.method} {permit.upstream_target} at {org.hosts.api} ({org.hosts.region})"
    if route.client is not None:
        needs = f", needs {operation.perm} of {_listed(operation.permissions)}" if operation is not None else ""
        return f"{words} with the bearer of client {route.client}{needs}"
    return f"{words} with the guest's own JWT" if route.auth == "webmessaging-jwt" else f"{words} without a credential"


def _told(question: Question, refusal: Refusal, compiled: Compiled, site: str | None) -> Refusal:
    """A refusal about a path says what was believed, what Genesys removed, or which routes are nearest."""
    if refusal.reason not in (
        errors.ROUTE_UNKNOWN,
        errors.NOT_FOUND,
        errors.METHOD_NOT_ALLOWED,
        errors.ROUTE_PARAMETER,
    ):
        return refusal
    segments = parse_target(question.path).segments
    segments = segments[2:] if segments[:1] == (PREFIX,) else segments
    if (belief := genesys.beliefs().of_path(question.method, segments)) is not None:
        return Refusal(errors.ROUTE_UNKNOWN if belief.is_real else errors.ROUTE_BELIEVED, belief.told)
    if (removed := genesys.catalogue().removed_at(question.method, segments)) is not None:
        return Refusal(errors.ROUTE_REMOVED, f"{removed[0].key} was removed. Use {removed[1]}.")
    if refusal.reason is errors.ROUTE_UNKNOWN and site is not None:
        asked = f"{question.method} /{'/'.join(segments)}"
        known = {str(route.match): route.name for route in compiled.sites[site].rules.routes.routes}
        near = get_close_matches(asked, known, n=NEAREST, cutoff=0.4)
        told = "; ".join(f"{known[one]}: {one}" for one in near) or "none is like it"
        return Refusal(errors.ROUTE_UNKNOWN, f"No route of site {site} matches. Nearest: {told}.")
    return refusal


def _listed(names: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"
