"""The dashboards of the service: Overview (is it good, is it us or Genesys) and Genesys upstream.

Data only; security, audit and runtime are in `dashboards_guard.py`.
"""

from __future__ import annotations

from deploy.build.objectives import OBJECTIVES, Objective
from deploy.build.panels import Dashboard, Panel, Query

BAD_BELOW = (("red", None), ("orange", 0.0), ("green", 0.25))


def _budget(one: Objective) -> Panel:
    return Panel(
        f"Budget left: {one.name}",
        f"{one.title}: {one.target:.2%} over 30 days. Share of the error budget that is left; below 0 it is spent.",
        "percentunit",
        (Query(f"1 - {one.ratio}30d / {1 - one.target:.6g}", one.name),),
        kind="stat", width=6, height=5, steps=BAD_BELOW, decimals=1,
    )  # fmt: skip


def _quantile(share: float, metric: str, by: str) -> str:
    return f"histogram_quantile({share}, sum by (le{by}) (rate({metric}_bucket{{$m}}[$i])))"


OVERVIEW = Dashboard(
    "gateway-overview", "Gateway: overview", "Is the service good, and is it us or Genesys?",
    (
        ("Objectives", tuple(_budget(one) for one in OBJECTIVES)),
        ("Requests", (
            Panel("Requests by service", "Answered requests per second, by service of the gateway.", "reqps",
                  (Query("topk(5, sum by (route) (rate(gateway_http_requests_total{$m}[$i])))", "{{route}}"),)),
            Panel("5xx by responder", "Share of answers that are 5xx. gateway: we failed; upstream: Genesys failed.",
                  "percentunit",
                  (Query('sum by (responder) (rate(gateway_http_requests_total{$m,code=~"5.."}[$i])) / on () '
                         "group_left () sum(rate(gateway_http_requests_total{$m}[$i]))", "{{responder}}"),)),
            Panel("Refusals by code", "Refusals per second by their stable code (docs/refusals.md).", "reqps",
                  (Query("topk(5, sum by (code) (rate(gateway_refusals_total{$m}[$i])) > 0)", "{{code}}"),)),
            Panel("Duration, all services", "Time from first byte of a request to the last of its answer.", "s",
                  (Query(_quantile(0.5, "gateway_http_request_duration_seconds", ""), "p50"),
                   Query(_quantile(0.95, "gateway_http_request_duration_seconds", ""), "p95"),
                   Query(_quantile(0.99, "gateway_http_request_duration_seconds", ""), "p99"))),
            Panel("p95 by service", "Slowest services, 95th percentile.", "s",
                  (Query("topk(5, " + _quantile(0.95, "gateway_http_request_duration_seconds", ", route") + ")",
                        "{{route}}"),)),
            Panel("Overhead of the gateway",
                  "Time of a proxied request that was not spent waiting for Genesys, p99.", "s",
                  (Query(_quantile(0.99, "gateway_proxy_overhead_seconds", ", route"), "{{route}}"),)),
        )),
        ("Chats", (
            Panel("Sockets open", "Guest WebSockets open now.", "short",
                  (Query("sum(gateway_websocket_connections{$m})", "open"),), kind="stat", width=4),
            Panel("Upgrades", "Attempts to open a socket, by result.", "reqps",
                  (Query("sum by (result) (rate(gateway_websocket_upgrades_total{$m}[$i])) > 0", "{{result}}"),),
                  width=5),
            Panel("Closes", "Sockets closed, by who closed and how.", "reqps",
                  (Query("topk(5, sum by (initiator, close_class) "
                         "(rate(gateway_websocket_closes_total{$m}[$i])) > 0)",
                         "{{initiator}} {{close_class}}"),), width=5),
            Panel("Messages", "Messages carried. in: from guests; out: to guests.", "ops",
                  (Query("sum by (direction) (rate(gateway_websocket_messages_total{$m}[$i]))", "{{direction}}"),),
                  width=5),
            Panel("Bytes", "Bytes of messages carried.", "Bps",
                  (Query("sum by (direction) (rate(gateway_websocket_bytes_total{$m}[$i]))", "{{direction}}"),),
                  width=5),
            Panel("Life of sockets", "Half of the sockets that closed lived shorter.", "s",
                  (Query(_quantile(0.5, "gateway_websocket_duration_seconds", ""), "p50"),)),
            Panel("Reports of pages", "Failures that pages report, by kind.", "reqps",
                  (Query("sum by (kind) (rate(gateway_beacons_total{$m}[$i])) > 0", "{{kind}}"),)),
            Panel("Legacy calls", "Zendesk's calls that pages still make, once per page view.", "reqps",
                  (Query("topk(5, sum by (site, call) (rate(gateway_legacy_calls_total{$m}[$i])) > 0)",
                         "{{site}} {{call}}"),)),
            Panel("Migration", "How visitors of the old and of the new chat fare.", "reqps",
                  (Query("topk(5, sum by (arm, outcome) (rate(gateway_migration_visitors_total{$m}[$i])) > 0)",
                         "{{arm}} {{outcome}}"),)),
            Panel("Beliefs about Genesys", "Calls that show a belief which is not so (docs/credentials.md).", "reqps",
                  (Query("topk(5, sum by (belief) (rate(gateway_beliefs_total{$m}[$i])) > 0)", "{{belief}}"),)),
        )),
        ("Replicas", (
            Panel("Replicas up", "Gateways that answer the scrape.", "short",
                  (Query("sum(up{$m})", "up"),), kind="stat", width=4, height=5),
            Panel("Versions", "Instances by version.", "short",
                  (Query("count by (version) (gateway_build_info{$m})", "{{version}}"),),
                        kind="stat", width=5, height=5),
            Panel("Configurations in force", "More than one means that replicas differ (GatewayConfigDrift).", "short",
                  (Query('count(count_values("sum", gateway_config_checksum{$m}))', "different"),),
                        kind="stat", width=5,
                  height=5, steps=(("green", None), ("orange", 2.0))),
            Panel("Last reload taken", "0: the changed configuration was refused and the old one stays.", "bool_yes_no",
                  (Query("min by (instance) (gateway_config_last_reload_successful{$m})", "{{instance}}"),),
                        kind="stat",
                  width=5, height=5, steps=(("red", None), ("green", 1.0))),
            Panel("Reloads", "Reloads of the configuration in the last hour, by result.", "short",
                  (Query("sum by (result) (increase(gateway_config_reloads_total{$m}[1h]))", "{{result}}"),),
                        kind="stat",
                  width=5, height=5),
        )),
    ),
)  # fmt: skip

_R = '$m,region=~"$region"'

UPSTREAM = Dashboard(
    "gateway-upstream", "Gateway: Genesys upstream", "How Genesys answers, and whether our credentials work.",
    (
        ("Answers of Genesys", (
            Panel("Calls by upstream", "Calls to Genesys per second that got an HTTP status.", "reqps",
                  (Query(f"sum by (upstream) (rate(gateway_upstream_requests_total{{{_R}}}[$i]))", "{{upstream}}"),)),
            Panel("Status", "Answers by HTTP status, the most frequent.", "reqps",
                  (Query(f"topk(5, sum by (upstream, code) (rate(gateway_upstream_requests_total{{{_R}}}[$i])))",
                         "{{upstream}} {{code}}"),)),
            Panel("p99 by region", "Time until Genesys answered.", "s",
                  (Query("histogram_quantile(0.99, sum by (le, upstream, region) "
                         f"(rate(gateway_upstream_request_duration_seconds_bucket{{{_R}}}[$i])))",
                         "{{upstream}} {{region}}"),)),
            Panel("Without any answer", "Calls that ended without an HTTP status, by reason.", "reqps",
                  (Query(f"sum by (upstream, reason) (rate(gateway_upstream_errors_total{{{_R}}}[$i])) > 0",
                         "{{upstream}} {{reason}}"),)),
            Panel("Throttled", "Answers 429 per second.", "reqps",
                  (Query(f'sum by (upstream) (rate(gateway_upstream_requests_total{{{_R},code="429"}}[$i]))',
                         "{{upstream}}"),)),
            Panel("Sent again", "Calls that were repeated, by why.", "reqps",
                  (Query("sum by (upstream, reason) (rate(gateway_upstream_retries_total{$m}[$i])) > 0",
                         "{{upstream}} {{reason}}"),)),
        )),
        ("Connections", (
            Panel("Breakers open", "1 while calls to an upstream are held back.", "short",
                  (Query(f"max by (upstream, region) (gateway_circuit_breaker_open{{{_R}}})",
                        "{{upstream}} {{region}}"),),
                  kind="stat", width=12, steps=(("green", None), ("red", 1.0))),
            Panel("Connections", "Connections to Genesys; all active and none idle is saturation.", "short",
                  (Query("sum by (upstream, state) (gateway_upstream_connections{$m})",
                        "{{upstream}} {{state}}"),), width=12),
        )),
        ("Credentials", (
            Panel("Refused credentials", "401 and 403 of Genesys and its login host, by cause.", "reqps",
                  (Query(f"sum by (upstream, reason) (rate(gateway_upstream_auth_failures_total{{{_R}}}[$i])) > 0",
                         "{{upstream}} {{reason}}"),)),
            Panel("Tokens from the cache", "Share of the calls that found a token ready.", "percentunit",
                  (Query('sum(rate(gateway_token_requests_total{$m,source="cache"}[$i])) / '
                         "sum(rate(gateway_token_requests_total{$m}[$i]))", "cache"),)),
            Panel("Quota used", "Share of a token's calls per minute at Genesys that is used up.", "percentunit",
                  (Query("max by (client) (gateway_upstream_quota_used_ratio{$m})", "{{client}}"),)),
            Panel("Fetches of tokens", "Fetches at the login host, by result.", "reqps",
                  (Query('sum by (result) (rate(gateway_token_requests_total{$m,source="upstream"}[$i])) > 0',
                         "{{result}}"),)),
            Panel("Until tokens end", "By client. An idle client's token may end; one in use is renewed before.", "s",
                  (Query("min by (client) (gateway_token_expiry_timestamp_seconds{$m}) - time()", "{{client}}"),)),
            Panel("Fetch time", "Time of one fetch, p95.", "s",
                  (Query(_quantile(0.95, "gateway_token_fetch_duration_seconds", ""), "p95"),)),
            Panel("Given out by us", "Codes, tokens and handles that our own endpoints gave out or revoked.", "reqps",
                  (Query("topk(5, sum by (grant) (rate(gateway_oauth_grants_total{$m}[$i])) > 0)", "{{grant}}"),)),
        )),
    ),
)  # fmt: skip
