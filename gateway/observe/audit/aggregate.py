"""How much is put on record of calls that were carried: each (`metadata`), or one record for each session, route and
minute (`aggregate`).

Pure but for its own counts. Leaves grants, refusals, failures and sockets alone: those always have records of their
own. Rule: what a sum cannot say (another credential or conversation than it has room for) is recorded by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.observe.audit.plain import Fields, Value
from gateway.observe.audit.records import Record, Subject, iso, proxy_aggregated

Level = Literal["metadata", "aggregate"]

MINUTE_S: Final = 60.0
MAX_SUMS: Final = 10_000
MAX_NAMED: Final = 16
_FIRST_FAILURE: Final = 400
_MAX_KNOWN: Final = 4_096
_WHO: Final = ("gateway.site", "client.ip", "gateway.ref.client", "user.id", "gateway.ref.session", "gateway.backend",
               "gateway.region", "gateway.route", "http.request.method", "url.path")  # fmt: skip
_KEY: Final = ("gateway.site", "gateway.ref.session", "user.id", "gateway.ref.client", "gateway.backend",
               "gateway.route", "http.request.method", "url.path", "gateway.region")  # fmt: skip
_STATUS: Final = "http.response.status_code"
_SUMMED: Final = ("http.request.bytes", "http.response.bytes", "event.duration", "gateway.upstream_duration")


@dataclass(frozen=True, slots=True)
class LevelRule:
    """The level of calls of these sites and routes; an empty set stands for all."""

    level: Level
    sites: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()

    def fits(self, site: str, route: str) -> bool:
        """Is the rule about this site and route?"""
        return (not self.sites or site in self.sites) and (not self.routes or route in self.routes)


_EACH: Final = LevelRule("metadata")


@dataclass(slots=True)
class _Sum:
    who: dict[str, Value]
    first: float
    last: float
    count: int = 0
    summed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SUMMED, 0))
    statuses: dict[str, int] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    conversations: set[str] = field(default_factory=set)


class Aggregator:
    """Sums up the calls whose rule says so; the first rule that fits counts, and without one each call is recorded."""

    def __init__(self, rules: Sequence[LevelRule]) -> None:
        """Start with nothing summed."""
        self._rules = tuple(rules)
        self._levels: dict[tuple[str, str], Level] = {}
        self._sums: dict[tuple[object, ...], _Sum] = {}

    @property
    def sums(self) -> int:
        """How many sums are not on record yet."""
        return len(self._sums)

    def level(self, site: str, route: str) -> Level:
        """The level of a call."""
        found = self._levels.get((site, route))
        if found is None:
            found = next((rule for rule in self._rules if rule.fits(site, route)), _EACH).level
            if len(self._levels) < _MAX_KNOWN:
                self._levels[site, route] = found
        return found

    def takes(self, record: Record) -> bool:
        """Add the call to its sum. False: it is to be recorded by itself."""
        if record.action.name != "proxy.allowed":
            return False
        fields = record.fields
        site, route, status = (fields.get(name) for name in ("gateway.site", "gateway.route", _STATUS))
        if not isinstance(status, int) or status >= _FIRST_FAILURE:
            return False
        if self.level(str(site or ""), str(route)) != "aggregate":
            return False
        key = (int(record.at // MINUTE_S), *(fields.get(name) for name in _KEY))
        total = self._sums.get(key)
        if total is None:
            if len(self._sums) >= MAX_SUMS:
                return False
            who: dict[str, Value] = {name: fields[name] for name in _WHO if name in fields}
            total = self._sums[key] = _Sum(who, record.at, record.at)
        return _add(total, record.at, fields, str(status))

    def due(self, now: float, most: int, *, final: bool = False) -> list[Record]:
        """Return the sums of minutes that are over (at the end: all), at most so many, and forget them."""
        over = [key for key in self._sums if final or key[0] != int(now // MINUTE_S)][:most]
        return [_record_of(self._sums.pop(key)) for key in over]


def _add(total: _Sum, at: float, fields: Fields, status: str) -> bool:
    token, conversation = str(fields.get("gateway.ref.token", "")), str(fields.get("gateway.conversation", ""))
    for named, value in ((total.tokens, token), (total.conversations, conversation)):
        if value and value not in named and len(named) >= MAX_NAMED:
            return False
    total.tokens.update([token] if token else [])
    total.conversations.update([conversation] if conversation else [])
    total.count += 1
    total.first, total.last = min(total.first, at), max(total.last, at)
    total.statuses[status] = total.statuses.get(status, 0) + 1
    for name in _SUMMED:
        number = fields.get(name)
        total.summed[name] += number if isinstance(number, int) else 0
    return True


def _record_of(total: _Sum) -> Record:
    route, method = str(total.who.pop("gateway.route")), str(total.who.pop("http.request.method"))
    return proxy_aggregated(
        at=total.last, who=Subject(total.who), route=route, method=method, count=total.count,
        first=iso(total.first), last=iso(total.last), summed=total.summed, tokens=sorted(total.tokens),
        conversations=sorted(total.conversations),
        statuses=[f"{status}={count}" for status, count in sorted(total.statuses.items())],
    )  # fmt: skip
