"""What the console shows of one process, as plain data: traffic, tokens, upstreams, sockets, refusals, audit log.

Showing it is `web/console.py`'s. The rule: names, numbers and references only; what a part hides stays hidden.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from gateway import __version__
from gateway.app.failure_words import explained
from gateway.app.gateway import Gateway
from gateway.observe.hour import Hour

SAMPLE_EVERY_S: Final = 5.0
REFUSALS_SHOWN: Final = 50
TAIL: Final = 500
_REFUSAL_FIELDS: Final = {
    "at": "@timestamp", "action": "event.action", "site": "gateway.site", "route": "gateway.route",
    "status": "http.response.status_code", "request_id": "http.request.id", "origin": "gateway.origin",
    "client": "client.ip", "guest": "user.id",
}  # fmt: skip


class Console:
    """The state of one process, and the records of one request."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._clock = gateway.surroundings.clock
        self._hour = Hour(gateway.metrics)
        self._since = self._clock()

    async def watch(self) -> None:
        """Read the counters, for ever."""
        while True:
            await asyncio.sleep(SAMPLE_EVERY_S)
            self._hour.sample(self._clock())

    def state(self) -> dict[str, Any]:
        """Everything that the page shows."""
        now, gateway = self._clock(), self._gateway
        self._hour.sample(now)
        return {
            "now": now,
            "node": gateway.surroundings.node,
            "version": __version__,
            "since": self._since,
            "draining": gateway.front is not None and gateway.front.draining,
            "config": f"{int(gateway.metrics.config_checksum.child().value):012x}",
            "traffic": self._hour.traffic(now),
            "refused": self._hour.refusals(now),
            "tokens": self._tokens(),
            "upstreams": self._upstreams(),
            "sockets": self._sockets(),
            "sessions": gateway.guestbook.known_sessions,
            "refusals": self._refusals(),
            "audit": self._audit(now),
        }

    def request(self, request_id: str) -> list[dict[str, Any]]:
        """The newest records of one request, with what their code means; oldest first."""
        found = [record for record in self._gateway.audit.tail(TAIL) if record.get("http.request.id") == request_id]
        return [dict(record) | explained(record) for record in found]

    def _tokens(self) -> list[dict[str, Any]]:
        orgs = self._gateway.compiled.orgs
        found = []
        for view in self._gateway.tokens.snapshot():
            client = orgs[view.key.org].clients.get(view.key.client) if view.key.org in orgs else None
            found.append(
                {
                    "org": view.key.org,
                    "client": view.key.client,
                    "region": view.key.region,
                    "state": str(view.phase),
                    "expires_in_s": view.expires_in_s,
                    "fingerprint": view.fingerprint,
                    "failure": None if view.failure is None else str(view.failure),
                    "failures": view.failures,
                    "previous_secret": view.previous_secret,
                    "permissions": [] if client is None else list(client.permissions),
                }
            )
        return found

    def _upstreams(self) -> list[dict[str, Any]]:
        metrics = self._gateway.metrics
        found: dict[tuple[str, str], dict[str, Any]] = {}

        def row(upstream: str, region: str) -> dict[str, Any]:
            empty = {"upstream": upstream, "region": region, "answers": 0, "throttled": 0, "server_errors": 0,
                     "unanswered": 0, "breaker_open": False, "connections": 0}  # fmt: skip
            return found.setdefault((upstream, region), empty)

        for (upstream, region, code), cell in metrics.upstream_requests.series().items():
            one = row(upstream, region)
            one["answers"] += int(cell.value)
            one["throttled"] += int(cell.value) if code == "429" else 0
            one["server_errors"] += int(cell.value) if code >= "5" else 0
        for (upstream, region, _), errors in metrics.upstream_errors.series().items():
            if errors.value:
                row(upstream, region)["unanswered"] += int(errors.value)
        for (upstream, region), breaker in metrics.circuit_breaker_open.series().items():
            if (upstream, region) in found:
                found[upstream, region]["breaker_open"] = bool(breaker.value)
        for (upstream, _), held in metrics.upstream_connections.series().items():
            for (name, _), one in found.items():
                if name == upstream and held.source is not None:
                    one["connections"] += int(held.source())
        return [found[key] for key in sorted(found)]

    def _sockets(self) -> dict[str, Any]:
        relay = self._gateway.sockets
        by_site: Mapping[str, int] = {} if relay is None else relay.open_by_site()
        return {"open": sum(by_site.values()), "by_site": dict(by_site)}

    def _refusals(self) -> list[dict[str, Any]]:
        failed = [record for record in self._gateway.audit.tail(TAIL) if record.get("event.outcome") == "failure"]
        return [
            {name: record.get(field) for name, field in _REFUSAL_FIELDS.items()} | explained(record)
            for record in reversed(failed[-REFUSALS_SHOWN:])
        ]

    def _audit(self, now: float) -> dict[str, Any]:
        metrics, audit = self._gateway.metrics, self._gateway.audit
        source = metrics.audit_queue.child().source
        dropped = {f"{kind} {why}": int(cell.value) for (kind, why), cell in metrics.audit_dropped.series().items()}
        failures = {kind: int(cell.value) for (kind,), cell in metrics.audit_verify_failures.series().items()}
        sinks = {f"{sink} {why}": int(cell.value) for (sink, why), cell in metrics.audit_sink_errors.series().items()}
        return {
            "writer": audit.writer_name,
            "fault": audit.ready(now),
            "queue": 0 if source is None else int(source()),
            "capacity": int(metrics.audit_queue_capacity.child().value),
            "durable_at": metrics.audit_last_durable.child().value,
            "checkpoint_at": metrics.audit_last_checkpoint.child().value,
            "verified_at": metrics.audit_verify_last_success.child().value,
            "disk_free_bytes": int(metrics.audit_disk_free.child().value),
            "dropped": _told(dropped),
            "findings": _told(failures),
            "place_failures": _told(sinks),
        }


def _told(counts: Mapping[str, int]) -> dict[str, int]:
    """Those that are not 0."""
    return {name: count for name, count in counts.items() if count}
