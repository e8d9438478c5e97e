"""The alerts about security and the audit log: who is turned away, is the log whole and written, do secrets end.

Data only; the alerts about the service are in `alerts_service.py`. Each row proves itself (`rules.py`).
"""

from __future__ import annotations

from deploy.build.rules import Alert, Case, of

_LONG = "x120"
_DAY = "x1600"
_VERIFICATIONS = 'gateway_visitor_verifications_total{job="gateway",method="zendesk-messaging"'
_ORIGINS = 'gateway_origin_checks_total{job="gateway"'

GUARD_ALERTS = (
    Alert(
        "GatewaySecretExpiring",
        "ticket",
        "min by (secret) (gateway_secret_not_after_timestamp_seconds{$job}) - time() < 14 * 86400",
        dashboard="gateway-security",
        summary="A secret ends within two weeks",
        description="{{ $labels.secret }} ends in {{ $value | humanizeDuration }}.",
        look=("`gateway keys secrets` lists all of them with their ages; the name is the key in config.toml.",),
        do=(
            "Make the new secret at its source, put it into `secret`, the old one into `previous_secret`, reload.",
            "Set the new day in `[keys] ends`; a certificate's end is read from its file.",
        ),
        fires=Case(
            {of("gateway_secret_not_after_timestamp_seconds", 'secret="server.tls.certificate"'): f"1000000{_LONG}"}
        ),
        quiet=Case(
            {of("gateway_secret_not_after_timestamp_seconds", 'secret="server.tls.certificate"'): f"9000000{_LONG}"}
        ),
    ),
    Alert(
        "GatewayVerificationFailuresHigh",
        "ticket",
        'sum(rate(gateway_visitor_verifications_total{$job,result!="ok"}[10m])) / '
        "sum(rate(gateway_visitor_verifications_total{$job}[10m])) > 0.2 and "
        'sum(increase(gateway_visitor_verifications_total{$job,result!="ok"}[10m])) > 50',
        hold="5m",
        dashboard="gateway-security",
        summary="Many visitor proofs are refused",
        description="{{ $value | humanizePercentage }} of the visitors' tokens are refused.",
        look=(
            "By result: after a rotation bad_signature or unknown_kid mean that shop and gateway hold other secrets.",
            "expired means clocks that differ, or tokens that pages keep too long.",
            "`session.denied` in the audit log names site and reason.",
        ),
        do=(
            "Put the shop's current secret in place; keep the one before as `previous_secret` for a while.",
            "Have the shop sign at page load, not at log-in.",
        ),
        fires=Case(
            {_VERIFICATIONS + ',result="expired"}': f"0+10{_LONG}", _VERIFICATIONS + ',result="ok"}': f"0+20{_LONG}"}
        ),
        quiet=Case(
            {_VERIFICATIONS + ',result="expired"}': f"0+10{_LONG}", _VERIFICATIONS + ',result="ok"}': f"0+90{_LONG}"}
        ),
    ),
    Alert(
        "GatewaySignatureProbing",
        "ticket",
        'sum(increase(gateway_visitor_verifications_total{$job,result=~"bad_signature|alg_not_allowed|unknown_kid"}[10m]))'
        " > 100",
        dashboard="gateway-security",
        summary="Somebody tries forged visitor tokens",
        description="{{ $value | humanize }} tokens with a wrong signature, algorithm or key in 10 minutes.",
        look=(
            "`gateway audit stats --by reason` and `gateway.ref.client` of `session.denied`: one address, or many?",
            "Was a key rotated just now? Then these may be honest pages; see GatewayVerificationFailuresHigh.",
        ),
        do=(
            "One address: block it at the edge. Nothing was let in; each refusal is on record.",
            "Check that the shop's secret is not in its pages or repositories; rotate it if in doubt.",
        ),
        fires=Case({_VERIFICATIONS + ',result="bad_signature"}': f"0+20{_LONG}"}),
        quiet=Case({_VERIFICATIONS + ',result="bad_signature"}': f"0+5{_LONG}"}),
    ),
    Alert(
        "GatewayOriginDeniedSpike",
        "ticket",
        'sum(rate(gateway_origin_checks_total{$job,result!="allowed"}[10m])) > '
        '5 * (sum(rate(gateway_origin_checks_total{$job,result!="allowed"}[10m] offset 1d)) or vector(0)) and '
        'sum(increase(gateway_origin_checks_total{$job,result!="allowed"}[10m])) > 200',
        dashboard="gateway-security",
        summary="Many pages of unlisted origins ask",
        description="{{ $value | humanize }} refusals per second, more than five times yesterday's.",
        look=("`gateway.origin` of `origin.denied` in the audit log: a new host name of the shop, or a stranger?",),
        do=(
            "A page of the shop: add its origin to `[sites.X] origins` and reload.",
            "A stranger: nothing; pages of strangers cannot read anything.",
        ),
        fires=Case({_ORIGINS + ',result="not_listed"}': "0+1x1500 1600+60x200"}, at_min=1_540),
        quiet=Case({_ORIGINS + ',result="not_listed"}': f"0+60{_DAY}"}, at_min=1_540),
    ),
    Alert(
        "GatewayAuditSinkFailing",
        "page",
        "sum by (sink, reason) (increase(gateway_audit_sink_errors_total{$job}[5m])) > 0",
        dashboard="gateway-audit",
        summary="A place of the audit log does not take records",
        description="{{ $labels.sink }} failed: {{ $labels.reason }}.",
        look=(
            "sink=file is the disk: enospc means full, eio and fsync a failing device.",
            "unlinked: somebody removed or replaced the live file; treat that as tampering until it is explained.",
            "sink=store or directory with refused: an anchor contradicts the log. Run `gateway audit verify` at once.",
            "Other sinks are copies; the file is the authority and goes on.",
        ),
        do=(
            "Free or replace the disk, or set `audit.fallback_dir` to another mount.",
            "For unlinked and refused: keep the files, tell the security reviewer, compare with the anchors.",
        ),
        fires=Case({of("gateway_audit_sink_errors_total", 'sink="file",reason="enospc"'): "0x28 3x90"}),
        quiet=Case({of("gateway_audit_sink_errors_total", 'sink="file",reason="enospc"'): f"3{_LONG}"}),
    ),
    Alert(
        "GatewayAuditDropped",
        "page",
        'sum by (class, reason) (increase(gateway_audit_dropped_total{$job,class=~"A|B"}[5m])) > 0',
        dashboard="gateway-audit",
        summary="Audit records of grants or their uses were lost",
        description="Class {{ $labels.class }}, {{ $labels.reason }}. What they granted was refused, unless "
        "`audit.on_failure` is degrade.",
        look=(
            "Queue and write time: is the disk slow, full or gone? GatewayAuditSinkFailing tells.",
            "`audit.gap` in the log declares how many are missing and since when.",
        ),
        do=(
            "Give the log a faster disk, or replicas that share the load.",
            "Record the gap for the reviewer: it is declared in the chain and survives verification.",
        ),
        fires=Case({of("gateway_audit_dropped_total", 'class="B",reason="queue_full"'): "0x28 9x90"}),
        quiet=Case(
            {
                of("gateway_audit_dropped_total", 'class="C",reason="queue_full"'): "0x28 9x90",
                of("gateway_audit_dropped_total", 'class="B",reason="queue_full"'): f"0{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayAuditVerifyFailed",
        "page",
        "sum by (kind) (increase(gateway_audit_verify_failures_total{$job}[1h])) > 0",
        dashboard="gateway-audit",
        summary="The audit log was changed",
        description="The hourly self-check found {{ $labels.kind }}.",
        look=(
            "`gateway audit verify --anchor ...` names writer, segment, line and time of the first bad record.",
            "docs/audit.md shows a worked example.",
        ),
        do=(
            "Do not restart or prune: copy the directory first, read-only.",
            "Tell the security reviewer; compare with the checkpoints on stderr, in the store and in the anchors.",
        ),
        fires=Case({of("gateway_audit_verify_failures_total", 'kind="EDITED"'): "0x20 1x90"}),
        quiet=Case({of("gateway_audit_verify_failures_total", 'kind="EDITED"'): f"1{_LONG}"}),
    ),
    Alert(
        "GatewayAuditStalled",
        "page",
        "time() - gateway_audit_last_durable_timestamp_seconds{$job} > 60 and gateway_audit_queue_records{$job} > 0",
        dashboard="gateway-audit",
        summary="Audit records wait and nothing is written",
        description="{{ $labels.instance }}: nothing became durable for {{ $value | humanizeDuration }}.",
        look=(
            "The disk: does `fsync` hang? A network file system that lost its server does.",
            "The node is not ready any more (`/readyz`), so that the balancer turns to others.",
        ),
        do=("Repair the mount, or restart the node on another; grants are refused meanwhile, none is lost.",),
        fires=Case(
            {
                of("gateway_audit_last_durable_timestamp_seconds", 'instance="a"'): f"600{_LONG}",
                of("gateway_audit_queue_records", 'instance="a"'): f"5{_LONG}",
            }
        ),
        quiet=Case(
            {
                of("gateway_audit_last_durable_timestamp_seconds", 'instance="a"'): f"600{_LONG}",
                of("gateway_audit_queue_records", 'instance="a"'): f"0{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayAuditQueueFilling",
        "ticket",
        "gateway_audit_queue_records{$job} / gateway_audit_queue_capacity_records{$job} > 0.5",
        hold="2m",
        dashboard="gateway-audit",
        summary="The audit queue is half full",
        description="{{ $labels.instance }}: {{ $value | humanizePercentage }} of the queue is used.",
        look=("Write time per batch: above 50 ms the disk is the limit.", "Records by event: is one kind flooding?"),
        do=("A faster disk, or more replicas; full means 503 for proxied calls.",),
        fires=Case(
            {
                of("gateway_audit_queue_records", 'instance="a"'): f"40000{_LONG}",
                of("gateway_audit_queue_capacity_records", 'instance="a"'): f"65536{_LONG}",
            }
        ),
        quiet=Case(
            {
                of("gateway_audit_queue_records", 'instance="a"'): f"400{_LONG}",
                of("gateway_audit_queue_capacity_records", 'instance="a"'): f"65536{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayAuditCheckpointStale",
        "page",
        "time() - gateway_audit_last_checkpoint_timestamp_seconds{$job} > 300",
        hold="1m",
        dashboard="gateway-audit",
        summary="The audit log is not sealed any more",
        description="{{ $labels.instance }}: no checkpoint was signed for {{ $value | humanizeDuration }}; one is due "
        "each minute even when nothing happens.",
        look=("Is the writer thread alive? `/readyz?verbose` says so.", "The application log: key or disk faults."),
        do=("Restart the node; a new writer begins, and declares what the old one left.",),
        fires=Case({of("gateway_audit_last_checkpoint_timestamp_seconds", 'instance="a"'): f"600{_LONG}"}),
        quiet=Case({of("gateway_audit_last_checkpoint_timestamp_seconds", 'instance="a"'): "0+60x120"}),
    ),
    Alert(
        "GatewayAuditVerifyMissing",
        "ticket",
        "time() - gateway_audit_verify_last_success_timestamp_seconds{$job} > 2 * 86400 and "
        "time() - process_start_time_seconds{$job} > 2 * 86400",
        dashboard="gateway-audit",
        summary="The audit log has not been verified for two days",
        description="{{ $labels.instance }} checks its own log each hour, and has not found it whole for "
        "{{ $value | humanizeDuration }}.",
        look=("The application log: `audit: self-check could not run`.", "GatewayAuditVerifyFailed, if findings came."),
        do=("Run `gateway audit verify` by hand on the node.",),
        fires=Case(
            {
                of("gateway_audit_verify_last_success_timestamp_seconds", 'instance="a"'): "0x3200",
                of("process_start_time_seconds", 'instance="a"'): "60x3200",
            },
            at_min=3_100,
        ),
        quiet=Case(
            {
                of("gateway_audit_verify_last_success_timestamp_seconds", 'instance="a"'): "0x3200",
                of("process_start_time_seconds", 'instance="a"'): "100000x3200",
            },
            at_min=3_100,
        ),
    ),
    Alert(
        "GatewayAuditDiskWillFill",
        "ticket",
        "predict_linear(gateway_audit_disk_free_bytes{$job}[6h], 86400) < 0",
        hold="30m",
        dashboard="gateway-audit",
        summary="The audit disk will be full within a day",
        description="{{ $labels.instance }}: at the pace of the last six hours.",
        look=(
            "Which events grow: records by event on the dashboard.",
            "Does retention work? `audit.pruned` is on record.",
        ),
        do=(
            "Enlarge the disk, or lower `audit.retention_days` and run `gateway audit prune`.",
            "A flood of refusals is folded into summaries by itself and may use a tenth of the day's bytes.",
        ),
        fires=Case({of("gateway_audit_disk_free_bytes", 'instance="a"'): "1000000000-1000000x600"}, at_min=500),
        quiet=Case({of("gateway_audit_disk_free_bytes", 'instance="a"'): "1000000000-1000x600"}, at_min=500),
    ),
    Alert(
        "GatewayLabelOverflow",
        "ticket",
        "sum by (metric) (increase(gateway_metric_label_overflow_total{$job}[1h])) > 0",
        dashboard="gateway-runtime",
        summary="A metric met a value that it does not know",
        description="{{ $labels.metric }}: counted as _other. A fault of ours, or more clients, regions or secrets "
        "are configured than are shown.",
        look=("docs/metrics.md lists the values of each label and its bounds.",),
        do=("Report it with the metric's name; nothing is lost but the detail.",),
        fires=Case({of("gateway_metric_label_overflow_total", 'metric="gateway_refusals_total"'): "0x20 1x90"}),
        quiet=Case({of("gateway_metric_label_overflow_total", 'metric="gateway_refusals_total"'): f"1{_LONG}"}),
    ),
)
