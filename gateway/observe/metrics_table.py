"""The table of metrics: name, type, meaning, labels and their closed sets of values, buckets, what is created at 0.

Data only. A metric that is not in this table does not exist; docs/metrics.md is written from it.
"""

from dataclasses import dataclass
from typing import Final, Literal

from gateway.config import genesys
from gateway.errors import REASONS
from gateway.observe.audit.actions import ACTIONS

Kind = Literal["counter", "gauge", "histogram"]

# Buckets by the OpenTelemetry advice for HTTP durations; every threshold of an objective (0.25 s, 0.025 s) is a bound.
# https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
B1: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
B2: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
B_SOCKET: Final = (1.0, 10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0)
B_BATCH: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)

ROUTES: Final = (
    "widget", "static", "origin", "session", "ticket", "auth_code", "beacon", "rest_proxy", "websocket",
    "conversations", "events",
    "webchat_v2", "oauth_token", "oidc", "unmatched",
)  # fmt: skip
PROXIED_ROUTES: Final = ("rest_proxy", "websocket", "conversations")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER")
CODES: Final = (
    "101", "200", "201", "202", "204", "206", "301", "302", "304", "400", "401", "403", "404", "405", "408", "409",
    "410",
    "413", "415", "429", "500", "502", "503", "504",
)  # fmt: skip

# Closed sets by name; those of CONFIGURED come from the configuration (see Scope).
SETS: Final[dict[str, tuple[str, ...]]] = {
    "route": ROUTES, "proxied_route": PROXIED_ROUTES, "method": METHODS, "code": CODES,
    "responder": ("gateway", "upstream"), "outcome": ("ok", "client_error", "server_error"),
    "upstream": ("api", "login", "messaging_ws", "jwks"), "state": ("idle", "active"), "direction": ("in", "out"),
    "upstream_reason": ("dns", "connect", "connect_timeout", "tls", "read_timeout", "reset", "protocol",
        "pool_exhausted",
                        "breaker_open"),
    "auth_reason": ("invalid_client", "token_expired", "missing_permission", "wrong_region", "other"),
    "upgrade_result": ("ok", "denied", "bad_request", "upstream_refused", "upstream_timeout", "limit", "draining",
        "error"),
    "initiator": ("client", "gateway", "upstream"),
    "close_class": ("normal", "going_away", "policy", "too_big", "abnormal", "other"),
    "method_of_proof": ("zendesk-messaging", "zendesk-chat", "sunshine-v1", "oidc", "anonymous", "backend", "other"),
    "verification": ("ok", "expired", "not_yet_valid", "bad_signature", "alg_not_allowed", "unknown_kid",
        "wrong_issuer",
                     "wrong_audience", "malformed", "replayed", "missing", "too_large", "jwks_unavailable", "other"),
    "origin_result": ("allowed", "not_listed", "null", "malformed", "insecure_scheme", "missing"),
    "token_source": ("cache", "upstream"), "token_result": ("ok", "refused", "throttled", "unreachable", "malformed"),
    "limiter": ("site", "origin", "address", "sessions", "guest", "route", "connections"),
    "state_op": ("get", "put", "take", "delete", "limit", "publish", "lock", "other"),
    "state_reason": ("connect", "timeout", "readonly", "out_of_memory", "other"),
    "audit_class": ("A", "B", "C"), "drop_reason": ("queue_full", "timeout", "write_failed", "closing"),
    "sink_reason": ("enospc", "eio", "fsync", "unlinked", "refused", "other"),
    "verify_kind": ("EDITED", "GAP", "REORDERED", "SPLICED", "BAD_SIGNATURE", "KEY_OUT_OF_RANGE", "TRUNCATED",
        "MISSING",
                    "FORKED", "OTHER"),
    "beacon_kind": ("widget_error", "legacy_call", "csp", "login", "migration", "other"),
    "arm": ("new", "old"), "split_outcome": ("assigned", "loaded", "failed", "opened", "wrote"),
    "event": tuple(ACTIONS),
    "suppressible": tuple(row.name for row in ACTIONS.values() if row.failure_class == "C"),
    "finding_code": ("visitor.lifetime_too_long", "visitor.expired"),
    "refusal_code": tuple(REASONS), "class_of_proof_key": ("current", "previous"),
    "reload_result": ("ok", "rejected"), "belief": tuple(genesys.beliefs().by_id),
    "oauth_grant": ("code_minted", "code_redeemed", "id_token_minted", "refreshed", "backend_handle", "token_exchange",
                    "revoked", "replay_revoked"),
}  # fmt: skip
CONFIGURED: Final = ("region", "client", "secret", "sink", "site", "legacy_call")


@dataclass(frozen=True, slots=True)
class Row:
    """One metric. `labels` are (label name, name of its set); a set is one of SETS, CONFIGURED or a tuple above."""

    name: str
    kind: Kind
    says: str
    labels: tuple[tuple[str, str], ...] = ()
    buckets: tuple[float, ...] = ()
    create_all: bool = False
    max_series: int = 200


_UP: Final = (("upstream", "upstream"), ("region", "region"))
_ROUTE: Final = ("route", "route")

TABLE: Final = (
    Row("gateway_http_requests_total", "counter",
        "Requests answered; responder tells whether Genesys or the gateway chose the status.",
        (_ROUTE, ("method", "method"), ("code", "code"), ("responder", "responder")), max_series=350),
    Row("gateway_http_request_duration_seconds", "histogram", "From the request's first byte to the answer's last.",
        (_ROUTE, ("outcome", "outcome")), B1, max_series=42),
    Row("gateway_http_requests_in_flight", "gauge", "Requests being answered.", (_ROUTE,), create_all=True),
    Row("gateway_proxy_overhead_seconds", "histogram",
        "Time of a proxied request that was not spent waiting for Genesys.",
        (("route", "proxied_route"),), B2),
    Row("gateway_refusals_total", "counter", "Refusals by stable code, as in the problem answer and the audit log.",
        (("code", "refusal_code"),), create_all=True),
    Row("gateway_upstream_requests_total", "counter", "Answers of Genesys by status.", (*_UP, ("code", "code"))),
    Row("gateway_upstream_request_duration_seconds", "histogram", "Time until Genesys answered.", _UP, B1,
        max_series=12),
    Row("gateway_upstream_errors_total", "counter", "Calls to Genesys without an HTTP status.",
        (*_UP, ("reason", "upstream_reason")), create_all=True),
    Row("gateway_upstream_auth_failures_total", "counter", "401 and 403 of Genesys, told apart by cause.",
        (*_UP, ("reason", "auth_reason")), create_all=True),
    Row("gateway_upstream_retries_total", "counter", "Calls to Genesys sent again.",
        (("upstream", "upstream"), ("reason", "upstream_reason")), create_all=True),
    Row("gateway_upstream_connections", "gauge", "Connections to Genesys.", (("upstream", "upstream"), ("state",
        "state"))),
    Row("gateway_circuit_breaker_open", "gauge", "1 while calls to this upstream are held back.", _UP, create_all=True),
    Row("gateway_websocket_connections", "gauge", "Guest WebSockets open."),
    Row("gateway_websocket_upgrades_total", "counter", "Attempts to open a guest WebSocket.", (("result",
        "upgrade_result"),),
        create_all=True),
    Row("gateway_websocket_closes_total", "counter", "Guest WebSockets closed.",
        (("initiator", "initiator"), ("close_class", "close_class")), create_all=True),
    Row("gateway_websocket_messages_total", "counter", "Messages carried.", (("direction", "direction"),),
        create_all=True),
    Row("gateway_websocket_bytes_total", "counter", "Bytes of messages carried.", (("direction", "direction"),),
        create_all=True),
    Row("gateway_websocket_duration_seconds", "histogram", "Life of a guest WebSocket.", (), B_SOCKET),
    Row("gateway_visitor_verifications_total", "counter", "Visitor proofs checked.",
        (("method", "method_of_proof"), ("result", "verification")), create_all=True),
    Row("gateway_visitor_key_uses_total", "counter",
        "Proofs accepted by which of an issuer's keys: shows when the old one is idle.",
        (("site", "site"), ("key", "class_of_proof_key"))),
    Row("gateway_visitor_findings_total", "counter",
        "Proofs accepted although they break a lifetime rule, because their issuer is report_only.",
        (("site", "site"), ("code", "finding_code"))),
    Row("gateway_origin_checks_total", "counter", "Origins checked.", (("result", "origin_result"),), create_all=True),
    Row("gateway_sessions_issued_total", "counter", "Guest sessions given out.", (("method", "method_of_proof"),),
        create_all=True),
    Row("gateway_oauth_grants_total", "counter", "What the token endpoint and the OpenID provider gave out or revoked.",
        (("grant", "oauth_grant"),), create_all=True),
    Row("gateway_sessions_active", "gauge", "Guest sessions known to this process."),
    Row("gateway_beacons_total", "counter", "Failures reported by pages.", (("kind", "beacon_kind"),), create_all=True),
    Row("gateway_upstream_quota_used_ratio", "gauge",
        "Share of a token's calls per minute that is used up, as told; by org.client as the end of tokens.",
        (("client", "client"),)),
    Row("gateway_legacy_calls_total", "counter",
        "Zendesk's calls that pages still make, once per page view; `unknown`: not in docs/zendesk-shim.md.",
        (("site", "site"), ("call", "legacy_call")), max_series=1_000),
    Row("gateway_migration_visitors_total", "counter",
        "How visitors of the old and of the new chat fare, per page view.",
        (("site", "site"), ("arm", "arm"), ("outcome", "split_outcome"))),
    Row("gateway_token_requests_total", "counter", "Bearers asked for by the data path.",
        (("source", "token_source"), ("result", "token_result")), create_all=True),
    Row("gateway_token_fetch_duration_seconds", "histogram", "Time of one fetch of a bearer.", (), B1),
    Row("gateway_token_expiry_timestamp_seconds", "gauge",
        "When the bearer in use ends, by org.client; of further tokens of a client org.client/1 and so on.",
        (("client", "client"),)),
    Row("gateway_secret_not_after_timestamp_seconds", "gauge", "When a configured secret ends.", (("secret",
        "secret"),)),
    Row("gateway_secret_last_rotation_timestamp_seconds", "gauge", "When a configured secret last changed.",
        (("secret", "secret"),)),
    Row("gateway_secret_fingerprint", "gauge", "The 48 bits that tell one secret in force from another; no part of it.",
        (("secret", "secret"),)),
    Row("gateway_rate_limited_total", "counter", "Calls refused by a limit.", (("limiter", "limiter"),),
        create_all=True),
    Row("gateway_state_operation_duration_seconds", "histogram", "Time of one operation of the state store.",
        (("op", "state_op"),), B2),
    Row("gateway_state_errors_total", "counter", "Failures of the state store.", (("reason", "state_reason"),),
        create_all=True),
    Row("gateway_state_up", "gauge", "1 while the state store answers."),
    Row("gateway_config_last_reload_successful", "gauge", "1 when the last reload was taken."),
    Row("gateway_config_last_reload_success_timestamp_seconds", "gauge", "When a configuration was last taken."),
    Row("gateway_config_reloads_total", "counter", "Reloads of the configuration.", (("result", "reload_result"),),
        create_all=True),
    Row("gateway_config_checksum", "gauge",
        "First 48 bits of the configuration's SHA-256: differs where replicas differ."),
    Row("gateway_audit_records_total", "counter", "Audit records written.", (("event", "event"),), create_all=True),
    Row("gateway_audit_write_duration_seconds", "histogram", "Time of one write and fdatasync.", (), B2),
    Row("gateway_audit_batch_records", "histogram", "Records of one write.", (), B_BATCH),
    Row("gateway_audit_queue_records", "gauge", "Records waiting to be written."),
    Row("gateway_audit_queue_capacity_records", "gauge", "Records that may wait."),
    Row("gateway_audit_disk_free_bytes", "gauge", "Room left for the audit log."),
    Row("gateway_audit_dropped_total", "counter", "Records that could not be written.",
        (("class", "audit_class"), ("reason", "drop_reason")), create_all=True),
    Row("gateway_audit_suppressed_total", "counter", "Refusals folded into summaries.", (("event", "suppressible"),),
        create_all=True),
    Row("gateway_audit_sink_errors_total", "counter", "Failures of a place that takes audit lines.",
        (("sink", "sink"), ("reason", "sink_reason")), create_all=True),
    Row("gateway_audit_last_durable_timestamp_seconds", "gauge", "When a record was last made durable."),
    Row("gateway_audit_last_checkpoint_timestamp_seconds", "gauge", "When a checkpoint was last signed."),
    Row("gateway_audit_verify_last_success_timestamp_seconds", "gauge", "When this node's log was last found intact."),
    Row("gateway_audit_verify_failures_total", "counter", "Findings of the self-check.", (("kind", "verify_kind"),),
        create_all=True),
    Row("gateway_beliefs_total", "counter", "Calls that show a belief about Genesys that is not so.",
        (("belief", "belief"),), create_all=True),
    Row("gateway_event_loop_lag_seconds", "histogram", "How late the event loop ran a timer.", (), B2),
    Row("gateway_metric_label_overflow_total", "counter", "Label values that were not in their closed set.",
        (("metric", "metric"),), create_all=True),
    Row("gateway_build_info", "gauge", "Always 1.", (("version", "free"), ("revision", "free"), ("python", "free")),
        max_series=1),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """The label values that only the configuration knows; each list is bounded here."""

    regions: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    sinks: tuple[str, ...] = ()
    legacy_calls: tuple[str, ...] = ()
