"""The dashboards of security, the audit log and the runtime.

Data only; overview and upstream are in `dashboards_service.py`.
"""

from __future__ import annotations

from deploy.build.panels import Dashboard, Panel, Query

NONE_IS_GOOD = (("green", None), ("red", 1.0))


def _p(share: float, metric: str, by: str = "") -> str:
    return f"histogram_quantile({share}, sum by (le{by}) (rate({metric}_bucket{{$m}}[$i])))"


SECURITY = Dashboard(
    "gateway-security", "Gateway: security", "Who is turned away, and why; which secrets end.",
    (
        ("Visitors", (
            Panel("Proofs", "Visitor tokens checked, by result.", "reqps",
                  (Query("topk(5, sum by (result) (rate(gateway_visitor_verifications_total{$m}[$i])) > 0)",
                         "{{result}}"),)),
            Panel("Refused proofs", "Share of the tokens that were refused.", "percentunit",
                  (Query('sum(rate(gateway_visitor_verifications_total{$m,result!="ok"}[$i])) / '
                         "sum(rate(gateway_visitor_verifications_total{$m}[$i]))", "refused"),)),
            Panel("Forged proofs",
                  "Wrong signature, algorithm or key, in ten minutes (GatewaySignatureProbing above 100).",
                  "short",
                  (Query("sum by (result) (increase(gateway_visitor_verifications_total"
                         '{$m,result=~"bad_signature|alg_not_allowed|unknown_kid"}[10m]))', "{{result}}"),)),
            Panel("Sessions issued", "Guest sessions given out, by how the visitor proved itself.", "reqps",
                  (Query("sum by (method) (rate(gateway_sessions_issued_total{$m}[$i])) > 0", "{{method}}"),)),
            Panel("Sessions known", "Sessions that the processes know, used lately and not ended.", "short",
                  (Query("sum(gateway_sessions_active{$m})", "sessions"),)),
            Panel("Keys in use",
                  "Proofs by which key of the issuer: the old one should become idle after a rotation.", "reqps",
                  (Query("sum by (site, key) (rate(gateway_visitor_key_uses_total{$m}[$i])) > 0",
                         "{{site}} {{key}}"),)),
            Panel("Reported only", "Tokens that would be refused if the site enforced its lifetime rules.", "reqps",
                  (Query("topk(5, sum by (site, code) (rate(gateway_visitor_findings_total{$m}[$i])) > 0)",
                         "{{site}} {{code}}"),)),
        )),
        ("Pages and limits", (
            Panel("Origins", "Origins checked, by result.", "reqps",
                  (Query("topk(5, sum by (result) (rate(gateway_origin_checks_total{$m}[$i])) > 0)",
                         "{{result}}"),)),
            Panel("Limits", "Calls refused by a limit.", "reqps",
                  (Query("sum by (limiter) (rate(gateway_rate_limited_total{$m}[$i]))", "{{limiter}}"),)),
            Panel("Folded refusals",
                  "Refusals that were too many to record one by one (audit.suppressed tells the sums).",
                  "reqps",
                  (Query("topk(5, sum by (event) (rate(gateway_audit_suppressed_total{$m}[$i])))",
                         "{{event}}"),)),
        )),
        ("Secrets", (
            Panel("Until secrets end", "As far as it is known: [keys] ends, and the own certificate.", "s",
                  (Query("min by (secret) (gateway_secret_not_after_timestamp_seconds{$m}) - time()", "{{secret}}"),),
                  kind="stat", width=12, steps=(("red", None), ("orange", 604_800.0), ("green", 1_209_600.0))),
            Panel("Replicas with other secrets", "Secrets that differ between replicas: a rotation left some out.",
                  "short",
                  (Query('count by (secret) (count_values by (secret) ("fp", gateway_secret_fingerprint{$m})) > 1 '
                         "or vector(0)", "{{secret}}"),), kind="stat", width=12),
            Panel("Since secrets changed", "Secrets that changed while the gateway ran.", "s",
                  (Query("time() - max by (secret) (gateway_secret_last_rotation_timestamp_seconds{$m})",
                        "{{secret}}"),),
                  kind="stat", width=12),
        )),
    ),
)  # fmt: skip

AUDIT = Dashboard(
    "gateway-audit", "Gateway: audit", "Is the log whole, written and sealed?",
    (
        ("Is it whole", (
            Panel("Lost records", "Class A and B records that could not be written. Must be 0.", "short",
                  (Query('sum(increase(gateway_audit_dropped_total{$m,class=~"A|B"}[24h]))', "lost"),), kind="stat",
                  width=5, height=5, steps=NONE_IS_GOOD),
            Panel("Findings", "Signs of tampering found by the self-check in a day. Must be 0.", "short",
                  (Query("sum(increase(gateway_audit_verify_failures_total{$m}[24h]))", "findings"),), kind="stat",
                  width=5, height=5, steps=NONE_IS_GOOD),
            Panel("Since last verified", "Each node checks its own log every hour.", "s",
                  (Query("time() - max by (instance) (gateway_audit_verify_last_success_timestamp_seconds{$m})",
                         "{{instance}}"),), kind="stat", width=5, height=5,
                  steps=(("green", None), ("orange", 7_200.0), ("red", 172_800.0))),
            Panel("Since last checkpoint", "One is signed each second with news and each minute without.", "s",
                  (Query("time() - max by (instance) (gateway_audit_last_checkpoint_timestamp_seconds{$m})",
                         "{{instance}}"),), kind="stat", width=5, height=5, steps=(("green", None), ("red", 300.0))),
            Panel("Since last write", "When a record last became durable.", "s",
                  (Query("time() - max by (instance) (gateway_audit_last_durable_timestamp_seconds{$m})",
                        "{{instance}}"),),
                  kind="stat", width=4, height=5, steps=(("green", None), ("red", 300.0))),
        )),
        ("Writing", (
            Panel("Records", "Records per second, by event.", "ops",
                  (Query("topk(5, sum by (event) (rate(gateway_audit_records_total{$m}[$i])) > 0)",
                         "{{event}}"),)),
            Panel("Write and fsync", "Time of one batch.", "s",
                  (Query(_p(0.5, "gateway_audit_write_duration_seconds"), "p50"),
                   Query(_p(0.99, "gateway_audit_write_duration_seconds"), "p99"))),
            Panel("Batch", "Records that one write took.", "short",
                  (Query(_p(0.95, "gateway_audit_batch_records"), "p95"),)),
            Panel("Queue", "Share of the queue in use; full means 503.", "percentunit",
                  (Query("max by (instance) "
                         "(gateway_audit_queue_records{$m} / gateway_audit_queue_capacity_records{$m})",
                         "{{instance}}"),)),
            Panel("Room on disk", "Bytes left for the log.", "bytes",
                  (Query("min by (instance) (gateway_audit_disk_free_bytes{$m})", "{{instance}}"),)),
            Panel("Failures of places", "File, anchors and sinks that did not take lines.", "short",
                  (Query("sum by (sink, reason) (increase(gateway_audit_sink_errors_total{$m}[1h])) > 0",
                         "{{sink}} {{reason}}"),)),
            Panel("Dropped", "Records that were not written, by class. Class C may be, A and B must not.", "short",
                  (Query("sum by (class, reason) (increase(gateway_audit_dropped_total{$m}[1h])) > 0",
                         "{{class}} {{reason}}"),)),
        )),
    ),
)  # fmt: skip

RUNTIME = Dashboard(
    "gateway-runtime", "Gateway: runtime", "Use, saturation and errors of the processes and their store.",
    (
        ("Process", (
            Panel("Event loop lag", "How late timers run, p99: what every request waits for.", "s",
                  (Query(_p(0.99, "gateway_event_loop_lag_seconds", ", instance"), "{{instance}}"),)),
            Panel("CPU", "Seconds of CPU per second.", "percentunit",
                  (Query("rate(process_cpu_seconds_total{$m}[$i])", "{{instance}}"),)),
            Panel("Memory", "Resident memory.", "bytes",
                  (Query("process_resident_memory_bytes{$m}", "{{instance}}"),)),
            Panel("File descriptors", "Share of those that the process may open; each socket needs two.", "percentunit",
                  (Query("process_open_fds{$m} / process_max_fds{$m}", "{{instance}}"),)),
            Panel("Requests under way", "By service.", "short",
                  (Query("topk(5, sum by (route) (gateway_http_requests_in_flight{$m}))", "{{route}}"),)),
            Panel("Workers missing", "Workers that do not serve though they should; nothing with one process.",
                  "short",
                  (Query("gateway_workers_wanted{$m} - gateway_workers{$m}", "{{instance}}"),)),
            Panel("Garbage collections", "Collections per second, by generation.", "ops",
                  (Query("sum by (generation) (rate(python_gc_collections_total{$m}[$i]))",
                         "{{generation}}"),)),
        )),
        ("State store", (
            Panel("Store answers", "0 while Redis or Valkey does not answer.", "bool_yes_no",
                  (Query("min by (instance) (gateway_state_up{$m})", "{{instance}}"),), kind="stat",
                  steps=(("red", None), ("green", 1.0))),
            Panel("Operations", "p99 by operation.", "s",
                  (Query("topk(5, " + _p(0.99, "gateway_state_operation_duration_seconds", ", op") + ")", "{{op}}"),)),
            Panel("Store failures", "By reason.", "reqps",
                  (Query("sum by (reason) (rate(gateway_state_errors_total{$m}[$i]))", "{{reason}}"),)),
        )),
        ("Telemetry", (
            Panel("Unknown label values", "Counted as _other. Must be 0.", "short",
                  (Query("sum(increase(gateway_metric_label_overflow_total{$m}[1h])) or vector(0)", "overflow"),),
                  kind="stat", steps=NONE_IS_GOOD),
            Panel("Scrape time", "How long Prometheus waits for the metrics.", "s",
                  (Query("scrape_duration_seconds{$m}", "{{instance}}"),)),
            Panel("Samples", "Samples of one scrape: the number of series.", "short",
                  (Query("scrape_samples_scraped{$m}", "{{instance}}"),)),
        )),
    ),
)  # fmt: skip
