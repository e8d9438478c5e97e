"""The metrics of one process: every row of metrics_table.py as a typed attribute, and their exposition.

Own registry, no global state; counted when a request ends. Leaves serving them to the admin listener.
"""

import platform
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from gateway import __version__
from gateway.observe.cells import OTHER, CounterCell, Family, Fold, GaugeCell, HistogramCell, Label
from gateway.observe.metrics_table import CONFIGURED, METHODS, SETS, TABLE, Row, Scope

_ROWS: Final = {row.name: row for row in TABLE}
_OVERFLOW: Final = "gateway_metric_label_overflow_total"
_MAX_CONFIGURED: Final = {"region": 3, "client": 30, "secret": 20, "sink": 6, "site": 20, "legacy_call": 300}


def _fold_code(code: str) -> str:
    return f"{code[0]}xx" if len(code) == 3 and code[0] in "12345" else OTHER


_FOLDS: Final[dict[str, Fold]] = {"code": _fold_code, "method": lambda _: METHODS[-1], "free": lambda value: value}


def _sets(scope: Scope) -> dict[str, tuple[str, ...]]:
    """Every closed set of label values, those of the configuration cut to their bounds."""
    return SETS | {
        "metric": tuple(_ROWS), "free": (), "region": scope.regions[: _MAX_CONFIGURED["region"]],
        "client": scope.clients[: _MAX_CONFIGURED["client"]], "secret": scope.secrets[: _MAX_CONFIGURED["secret"]],
        "site": scope.sites[: _MAX_CONFIGURED["site"]],
        "legacy_call": scope.legacy_calls[: _MAX_CONFIGURED["legacy_call"]],
        "sink": ("file", "stderr", "store", "directory", *scope.sinks[: _MAX_CONFIGURED["sink"]]),
    }  # fmt: skip


class Metrics:
    """All metrics of this process. Each attribute hands out cells by label values; keep a cell where calls are many."""

    def __init__(self, scope: Scope | None = None, revision: str = "unknown") -> None:
        """Create every metric, and at 0 every series that an alert reads."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no annotation there
        self._sets = _sets(scope or Scope())
        self._families: dict[str, Family[CounterCell] | Family[GaugeCell] | Family[HistogramCell]] = {}
        self.label_overflow = self._counter(_OVERFLOW)
        self._http()
        self._upstream()
        self._websocket()
        self._visitors()
        self._state_and_config()
        self._audit()
        if set(self._families) != set(_ROWS):
            raise ValueError("metrics.py and metrics_table.py differ")
        self.build_info.child(__version__, revision, platform.python_version()).set(1)
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._ended: dict[tuple[str, str, int, str], tuple[CounterCell, HistogramCell]] = {}

    def _http(self) -> None:
        self.http_requests = self._counter("gateway_http_requests_total")
        self.http_request_duration = self._histogram("gateway_http_request_duration_seconds")
        self.http_requests_in_flight = self._gauge("gateway_http_requests_in_flight")
        self.proxy_overhead = self._histogram("gateway_proxy_overhead_seconds")
        self.refusals = self._counter("gateway_refusals_total")
        self.beliefs = self._counter("gateway_beliefs_total")
        self.event_loop_lag = self._histogram("gateway_event_loop_lag_seconds")
        self.build_info = self._gauge("gateway_build_info")

    def _upstream(self) -> None:
        self.upstream_requests = self._counter("gateway_upstream_requests_total")
        self.upstream_request_duration = self._histogram("gateway_upstream_request_duration_seconds")
        self.upstream_errors = self._counter("gateway_upstream_errors_total")
        self.upstream_auth_failures = self._counter("gateway_upstream_auth_failures_total")
        self.upstream_retries = self._counter("gateway_upstream_retries_total")
        self.upstream_connections = self._gauge("gateway_upstream_connections")
        self.circuit_breaker_open = self._gauge("gateway_circuit_breaker_open")
        self.upstream_quota_used = self._gauge("gateway_upstream_quota_used_ratio")
        self.token_requests = self._counter("gateway_token_requests_total")
        self.token_fetch_duration = self._histogram("gateway_token_fetch_duration_seconds")
        self.token_expiry = self._gauge("gateway_token_expiry_timestamp_seconds")

    def _websocket(self) -> None:
        self.websocket_connections = self._gauge("gateway_websocket_connections")
        self.websocket_upgrades = self._counter("gateway_websocket_upgrades_total")
        self.websocket_closes = self._counter("gateway_websocket_closes_total")
        self.websocket_messages = self._counter("gateway_websocket_messages_total")
        self.websocket_bytes = self._counter("gateway_websocket_bytes_total")
        self.websocket_duration = self._histogram("gateway_websocket_duration_seconds")

    def _visitors(self) -> None:
        self.visitor_verifications = self._counter("gateway_visitor_verifications_total")
        self.visitor_key_uses = self._counter("gateway_visitor_key_uses_total")
        self.visitor_findings = self._counter("gateway_visitor_findings_total")
        self.origin_checks = self._counter("gateway_origin_checks_total")
        self.sessions_issued = self._counter("gateway_sessions_issued_total")
        self.oauth_grants = self._counter("gateway_oauth_grants_total")
        self.sessions_active = self._gauge("gateway_sessions_active")
        self.beacons = self._counter("gateway_beacons_total")
        self.legacy_calls = self._counter("gateway_legacy_calls_total")
        self.migration_visitors = self._counter("gateway_migration_visitors_total")
        self.rate_limited = self._counter("gateway_rate_limited_total")

    def _state_and_config(self) -> None:
        self.secret_not_after = self._gauge("gateway_secret_not_after_timestamp_seconds")
        self.secret_last_rotation = self._gauge("gateway_secret_last_rotation_timestamp_seconds")
        self.secret_fingerprint = self._gauge("gateway_secret_fingerprint")
        self.state_operation_duration = self._histogram("gateway_state_operation_duration_seconds")
        self.state_errors = self._counter("gateway_state_errors_total")
        self.state_up = self._gauge("gateway_state_up")
        self.config_last_reload_successful = self._gauge("gateway_config_last_reload_successful")
        self.config_last_reload_success = self._gauge("gateway_config_last_reload_success_timestamp_seconds")
        self.config_reloads = self._counter("gateway_config_reloads_total")
        self.config_checksum = self._gauge("gateway_config_checksum")

    def _audit(self) -> None:
        self.audit_records = self._counter("gateway_audit_records_total")
        self.audit_write_duration = self._histogram("gateway_audit_write_duration_seconds")
        self.audit_batch_records = self._histogram("gateway_audit_batch_records")
        self.audit_queue = self._gauge("gateway_audit_queue_records")
        self.audit_queue_capacity = self._gauge("gateway_audit_queue_capacity_records")
        self.audit_disk_free = self._gauge("gateway_audit_disk_free_bytes")
        self.audit_dropped = self._counter("gateway_audit_dropped_total")
        self.audit_suppressed = self._counter("gateway_audit_suppressed_total")
        self.audit_sink_errors = self._counter("gateway_audit_sink_errors_total")
        self.audit_last_durable = self._gauge("gateway_audit_last_durable_timestamp_seconds")
        self.audit_last_checkpoint = self._gauge("gateway_audit_last_checkpoint_timestamp_seconds")
        self.audit_verify_last_success = self._gauge("gateway_audit_verify_last_success_timestamp_seconds")
        self.audit_verify_failures = self._counter("gateway_audit_verify_failures_total")

    def request_ended(
        self, route: str, method: str, status: int, responder: str, duration_s: float,
        trace_id: str | None = None, at: float = 0.0,
    ) -> None:  # fmt: skip
        """Count one answered request; `trace_id` only for sampled traces, then with the moment `at`."""
        key = (route, method, status, responder)
        cells = self._ended.get(key) or self._bind_ended(key)
        cells[0].value += 1.0
        if trace_id is None:
            cells[1].observe(duration_s)
        else:
            cells[1].observe_traced(duration_s, trace_id, at)

    def _bind_ended(self, key: tuple[str, str, int, str]) -> tuple[CounterCell, HistogramCell]:
        route, method, status, responder = key
        outcome = "ok" if status < 400 else "client_error" if status < 500 else "server_error"
        cells = (
            self.http_requests.child(route, method, str(status), responder),
            self.http_request_duration.child(route, outcome),
        )
        if method in METHODS and len(self._ended) < 1_000:  # a foreign method must not fill this cache
            self._ended[key] = cells
        return cells

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Return the exposition and its content type, OpenMetrics with exemplars where the scraper asks for it."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, for the registry."""
        for row in TABLE:
            yield from self._families[row.name].collect()

    def rescope(self, scope: Scope) -> None:
        """Admit the label values of another configuration; what was counted under the old ones stays."""
        self._sets = _sets(scope)
        for row in TABLE:
            family = self._families[row.name]
            if any(of in CONFIGURED for _, of in row.labels):
                family.labels = tuple(self._labels(row))
                if row.create_all:
                    family.create_all()

    def series_count(self) -> int:
        """How many series the own metrics have; a histogram counts each bucket, its sum and its count."""
        return sum(1 for metric in self.collect() for _ in metric.samples)

    def _labels(self, row: Row) -> Iterable[Label]:
        return [Label(name, self._sets[of], _FOLDS.get(of)) for name, of in row.labels]

    def _count_overflow(self, name: str) -> None:
        if name != _OVERFLOW:
            self.label_overflow.child(name).inc()

    def _counter(self, name: str) -> Family[CounterCell]:
        row = _ROWS[name]
        family = Family(
            name, "counter", row.says, CounterCell, list(self._labels(row)), (), row.max_series, self._count_overflow
        )
        self._families[name] = family
        if row.create_all:
            family.create_all()
        return family

    def _gauge(self, name: str) -> Family[GaugeCell]:
        row = _ROWS[name]
        family = Family(
            name, "gauge", row.says, GaugeCell, list(self._labels(row)), (), row.max_series, self._count_overflow
        )
        self._families[name] = family
        if row.create_all:
            family.create_all()
        return family

    def _histogram(self, name: str) -> Family[HistogramCell]:
        row = _ROWS[name]
        family = Family(
            name,
            "histogram",
            row.says,
            HistogramCell,
            list(self._labels(row)),
            row.buckets,
            row.max_series,
            self._count_overflow,
        )
        self._families[name] = family
        return family
