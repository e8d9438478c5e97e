"""POST /beacon: what pages report about themselves, as counts: failures, old calls, how a move to the new chat fares.

Leaves the words to closed tables. The rule: nothing that a page sends is kept; the one thing that may be seen of it is
the name of an unknown call, cut to plain characters, in a bounded number of log lines.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import structlog
from aiohttp import web

from gateway.observe.metrics import Metrics
from gateway.web.bodies import parse_object
from gateway.web.exchange import Exchange
from gateway.web.shim_table import UNKNOWN

MAX_BYTES: Final = 4_096
MAX_NAMES: Final = 40
"""Of one beacon; the script sends no more."""
MAX_LOGGED: Final = 200
"""Names of unknown calls that one process writes to its log, all sites together."""
KINDS: Final = {
    "failure": "widget_error",
    "legacy": "legacy_call",
    "csp": "csp",
    "login": "login",
    "migration": "migration",
}
"""What pages report, and the metric label that counts it."""
_NOT_PLAIN: Final = re.compile(r"[^\w:.$ ()?*-]", re.ASCII)
MAX_NAME_CHARS: Final = 48

log = structlog.get_logger(__name__)


class Beacons:
    """The handler of `beacon`."""

    def __init__(self, metrics: Metrics, calls: Collection[str]) -> None:
        """`calls`: the old calls that are counted by their name."""
        self._metrics = metrics
        self._calls = frozenset(calls)
        self._logged: set[tuple[str, str]] = set()

    async def beacon(self, exchange: Exchange) -> web.StreamResponse:
        """POST: counted by kind; nothing of it is kept."""
        told = parse_object(await exchange.body(MAX_BYTES))
        kind = told.get("kind")
        label = KINDS.get(kind, "other") if isinstance(kind, str) else "other"
        self._metrics.beacons.child(label).inc()
        if label == "legacy_call":
            self._count_calls(exchange.rules.name, told)
        elif label == "migration":
            self._count_outcome(exchange.rules.name, told.get("name"))
        return exchange.answer(204)

    def _count_calls(self, site: str, told: Mapping[str, object]) -> None:
        for name in _names(told.get("calls")):
            self._metrics.legacy_calls.child(site, name if name in self._calls else UNKNOWN).inc()
        for name in _names(told.get("unknown")):
            self._metrics.legacy_calls.child(site, UNKNOWN).inc()
            self._log_once(site, _NOT_PLAIN.sub("?", name)[:MAX_NAME_CHARS])

    def _log_once(self, site: str, name: str) -> None:
        if (site, name) in self._logged or len(self._logged) >= MAX_LOGGED:
            return
        self._logged.add((site, name))
        log.info("zendesk.unknown_call", site=site, call=name)

    def _count_outcome(self, site: str, name: object) -> None:
        arm, _, outcome = name.partition(".") if isinstance(name, str) else ("", "", "")
        self._metrics.migration_visitors.child(site, arm, outcome).inc()


def _names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)][:MAX_NAMES] if isinstance(value, list) else []
