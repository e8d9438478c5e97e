"""The alerts about the service and its way to Genesys: is it up, is it us or Genesys, do tokens come.

Data only; the alerts about the audit log and security are in `alerts_guard.py`. Each row proves itself (`rules.py`).
"""

from __future__ import annotations

from deploy.build.rules import Alert, Case, of

_LONG = "x120"
_UP = 'upstream="api",region="eu-west-1"'

SERVICE_ALERTS = (
    Alert(
        "GatewayDown",
        "page",
        "up{$job} == 0",
        hold="2m",
        dashboard="gateway-overview",
        summary="A gateway does not answer",
        description="{{ $labels.instance }} has not answered the scrape of its admin listener for 2 minutes.",
        look=(
            "Is the process there? `/healthz` on the admin listener answers as long as it is.",
            "Its last log lines on stderr; `gateway.stopping` in the audit log tells a planned stop.",
            "Did the admin token or the network policy change? Then the gateway may be fine and only unwatched.",
        ),
        do=(
            "Start it again; it recovers its audit log by itself and says so (`audit.recovered`).",
            "If it ends at once, run `gateway check`: it names every fault of the configuration.",
        ),
        fires=Case({of("up", 'instance="a"'): f"0{_LONG}"}),
        quiet=Case({of("up", 'instance="a"'): f"1{_LONG}"}),
    ),
    Alert(
        "GatewayAbsent",
        "page",
        "absent(up{$job})",
        hold="5m",
        dashboard="gateway-overview",
        summary="No gateway is watched at all",
        description="Prometheus has no target of job gateway: it scrapes none, or service discovery lost them all.",
        look=("Targets page of Prometheus.", "Are there pods or hosts with the gateway's label?"),
        do=(
            "Repair discovery or the scrape configuration (deploy/prometheus/prometheus.yaml is an example).",
            "Until then check `/readyz` of each node by hand.",
        ),
        fires=Case({'up{job="other",instance="a"}': f"1{_LONG}"}),
        quiet=Case({of("up", 'instance="a"'): f"1{_LONG}"}),
    ),
    Alert(
        "GatewayUpstreamErrors",
        "page",
        "sum by (upstream, region) (rate(gateway_upstream_errors_total{$job}[5m])) / "
        "(sum by (upstream, region) (rate(gateway_upstream_errors_total{$job}[5m])) + "
        "(sum by (upstream, region) (rate(gateway_upstream_requests_total{$job}[5m])) or "
        "sum by (upstream, region) (rate(gateway_upstream_errors_total{$job}[5m])) * 0)) > 0.05",
        hold="2m",
        dashboard="gateway-upstream",
        summary="Calls to Genesys get no answer",
        description="{{ $value | humanizePercentage }} of the calls to {{ $labels.upstream }} in {{ $labels.region }} "
        "ended without any HTTP status.",
        look=(
            "Errors by reason: dns, connect and tls point at the network, read_timeout and reset at Genesys.",
            "The status page of Genesys Cloud for the region; other applications that use the region.",
            "breaker_open means that we already hold calls back; see GatewayUpstreamThrottled for 429.",
        ),
        do=(
            "Network: proxy, firewall and DNS of the nodes; `gateway clients drift` tries both hosts from here.",
            "Genesys: nothing to do here but to tell; the breaker closes by itself within seconds of recovery.",
        ),
        fires=Case(
            {
                of("gateway_upstream_errors_total", _UP + ',reason="connect"'): f"0+6{_LONG}",
                of("gateway_upstream_requests_total", _UP + ',code="200"'): f"0+60{_LONG}",
            }
        ),
        quiet=Case(
            {
                of("gateway_upstream_errors_total", _UP + ',reason="connect"'): f"0+1{_LONG}",
                of("gateway_upstream_requests_total", _UP + ',code="200"'): f"0+60{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayUpstreamAuthFailures",
        "page",
        "sum by (upstream, region, reason) (increase(gateway_upstream_auth_failures_total{$job}[5m])) > 5",
        hold="2m",
        dashboard="gateway-upstream",
        summary="Genesys does not take the gateway's credentials",
        description="{{ $value | humanize }} answers of {{ $labels.upstream }} in {{ $labels.region }} in 5 minutes: "
        "{{ $labels.reason }}.",
        look=(
            "invalid_client: client id or secret are wrong, or the client belongs to another region.",
            "missing_permission: the role of the OAuth client lacks a permission; the audit log names the route.",
            "wrong_region: the token belongs to another organisation than the configuration names.",
            "token_expired: tokens are taken back before their time: somebody rotates or revokes them.",
        ),
        do=(
            "`gateway check` compares the routes' permissions with those that clients are said to have.",
            "Put the right secret in place; it is read again without a restart.",
            "Ask the Genesys administrator which role the client has in which division.",
        ),
        fires=Case({of("gateway_upstream_auth_failures_total", _UP + ',reason="missing_permission"'): f"0+3{_LONG}"}),
        quiet=Case({of("gateway_upstream_auth_failures_total", _UP + ',reason="missing_permission"'): f"1{_LONG}"}),
    ),
    Alert(
        "GatewayUpstreamThrottled",
        "ticket",
        'sum by (upstream, region) (rate(gateway_upstream_requests_total{$job,code="429"}[10m])) > 0.1',
        hold="5m",
        dashboard="gateway-upstream",
        summary="Genesys throttles us",
        description="{{ $labels.upstream }} in {{ $labels.region }} answers 429: {{ $value | humanize }} a second.",
        look=(
            "Which route causes it: `gateway audit stats --by route`.",
            "Do other applications use the same OAuth client? The limit is per token.",
        ),
        do=(
            "Give the route a limit (`limit_per_min`) or a cache (`cache_s`).",
            "Give the busy backend an OAuth client of its own, or ask Genesys for a higher limit.",
        ),
        fires=Case({of("gateway_upstream_requests_total", _UP + ',code="429"'): f"0+12{_LONG}"}),
        quiet=Case(
            {
                of("gateway_upstream_requests_total", _UP + ',code="429"'): f"0+3{_LONG}",
                of("gateway_upstream_requests_total", _UP + ',code="200"'): f"0+600{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayTokenExpirySoon",
        "page",
        "min by (client) (gateway_token_expiry_timestamp_seconds{$job}) - time() < 120 and on () "
        'sum(increase(gateway_token_requests_total{$job,source="upstream",result!="ok"}[10m])) > 0',
        dashboard="gateway-upstream",
        summary="A Genesys token runs out and cannot be renewed",
        description="The token of {{ $labels.client }} ends in {{ $value | humanizeDuration }}; fetches "
        "fail. After that its routes answer 503.",
        look=(
            "Token fetches by result: refused is a wrong secret, throttled or unreachable is Genesys' login host.",
            "The console's table of tokens: state and failure by client.",
        ),
        do=("As for GatewayTokenFetchFailing. An idle client whose token merely ended does not raise this alert.",),
        fires=Case(
            {
                of("gateway_token_expiry_timestamp_seconds", 'client="reader"'): f"1860{_LONG}",
                of("gateway_token_requests_total", 'source="upstream",result="refused"'): f"0+1{_LONG}",
            }
        ),
        quiet=Case(
            {
                of("gateway_token_expiry_timestamp_seconds", 'client="reader"'): f"1860{_LONG}",
                of("gateway_token_requests_total", 'source="upstream",result="refused"'): f"0{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayTokenFetchFailing",
        "page",
        'sum(rate(gateway_token_requests_total{$job,source="upstream",result!="ok"}[5m])) / '
        'sum(rate(gateway_token_requests_total{$job,source="upstream"}[5m])) > 0.5',
        hold="2m",
        dashboard="gateway-upstream",
        summary="Most fetches of Genesys tokens fail",
        description="{{ $value | humanizePercentage }} of the fetches at the login host fail.",
        look=(
            "`token.refused` in the audit log names the client and the reason.",
            "Is the login host of the right region? A client of another region is refused as invalid_client.",
        ),
        do=(
            "Replace the secret: the new one as `secret`, the old one as `previous_secret`, then reload.",
            "With throttled: fewer restarts at once; tokens are shared within a process only.",
        ),
        fires=Case(
            {
                of("gateway_token_requests_total", 'source="upstream",result="unreachable"'): f"0+2{_LONG}",
                of("gateway_token_requests_total", 'source="upstream",result="ok"'): f"0+1{_LONG}",
            }
        ),
        quiet=Case(
            {
                of("gateway_token_requests_total", 'source="upstream",result="unreachable"'): f"0+1{_LONG}",
                of("gateway_token_requests_total", 'source="upstream",result="ok"'): f"0+2{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayWebSocketAbnormalCloses",
        "ticket",
        'sum(rate(gateway_websocket_closes_total{$job,close_class="abnormal"}[10m])) / '
        "sum(rate(gateway_websocket_closes_total{$job}[10m])) > 0.1",
        hold="5m",
        dashboard="gateway-overview",
        summary="Chats break off",
        description="{{ $value | humanizePercentage }} of the guest sockets that ended were just gone.",
        look=(
            "By initiator: client is the visitors' networks, upstream is Genesys, gateway is us.",
            "A balancer with an idle timeout below 30 s cuts quiet sockets; the gateway pings each 25 s.",
        ),
        do=(
            "Raise the balancer's idle timeout to 5 minutes or more.",
            "If Genesys cuts them: its status page; sockets come back by themselves and resume the conversation.",
        ),
        fires=Case(
            {
                of("gateway_websocket_closes_total", 'initiator="client",close_class="abnormal"'): f"0+2{_LONG}",
                of("gateway_websocket_closes_total", 'initiator="client",close_class="normal"'): f"0+8{_LONG}",
            }
        ),
        quiet=Case(
            {
                of("gateway_websocket_closes_total", 'initiator="client",close_class="abnormal"'): f"0+1{_LONG}",
                of("gateway_websocket_closes_total", 'initiator="client",close_class="normal"'): f"0+30{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayStateDown",
        "page",
        "gateway_state_up{$job} == 0",
        hold="1m",
        dashboard="gateway-runtime",
        summary="The state store does not answer",
        description="{{ $labels.instance }} cannot reach Redis or Valkey: no new sessions, tickets and codes.",
        look=(
            "Errors by reason: connect, timeout, readonly (a replica was taken for the master), out_of_memory.",
            "`/readyz?verbose` of the node; the store's own log.",
        ),
        do=(
            "Bring the store back; nodes go on by themselves. Open chats go on meanwhile, limits count per node.",
            "out_of_memory: raise maxmemory; the policy must be noeviction, or sessions vanish.",
        ),
        fires=Case({of("gateway_state_up", 'instance="a"'): f"0{_LONG}"}),
        quiet=Case({of("gateway_state_up", 'instance="a"'): f"1{_LONG}"}),
    ),
    Alert(
        "GatewayConfigReloadFailed",
        "ticket",
        "gateway_config_last_reload_successful{$job} == 0",
        dashboard="gateway-overview",
        summary="A changed configuration was refused",
        description="{{ $labels.instance }} goes on with the old configuration.",
        look=("`config.rejected` in the audit log lists the keys at fault; the application log says what is wrong.",),
        do=("Run `gateway check` with the new file, correct it, and reload (SIGHUP).",),
        fires=Case({of("gateway_config_last_reload_successful", 'instance="a"'): f"0{_LONG}"}),
        quiet=Case({of("gateway_config_last_reload_successful", 'instance="a"'): f"1{_LONG}"}),
    ),
    Alert(
        "GatewayConfigDrift",
        "ticket",
        'count by (job) (count_values by (job) ("sum", gateway_config_checksum{$job})) > 1',
        hold="15m",
        dashboard="gateway-overview",
        summary="Replicas run different configurations",
        description="{{ $value }} different configurations are in force.",
        look=("The panel of checksums by instance; `gateway.config.sha256` of `config.loaded` in the audit log.",),
        do=("Finish the roll-out, or reload the nodes that were left behind.",),
        fires=Case(
            {
                of("gateway_config_checksum", 'instance="a"'): f"11{_LONG}",
                of("gateway_config_checksum", 'instance="b"'): f"12{_LONG}",
            }
        ),
        quiet=Case(
            {
                of("gateway_config_checksum", 'instance="a"'): f"11{_LONG}",
                of("gateway_config_checksum", 'instance="b"'): f"11{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayWorkersMissing",
        "ticket",
        "gateway_workers{$job} < gateway_workers_wanted{$job}",
        hold="5m",
        dashboard="gateway-runtime",
        summary="Workers do not come up",
        description="{{ $labels.instance }} has only {{ $value }} workers for five minutes.",
        look=(
            "gateway_worker_exits_total and gateway_worker_start_failures_total say how they end.",
            "The log of the supervisor; `dmesg` for the out-of-memory killer.",
        ),
        do=("Give the node more memory, or fewer workers; the others go on meanwhile.",),
        fires=Case(
            {
                of("gateway_workers", 'instance="a"'): f"1{_LONG}",
                of("gateway_workers_wanted", 'instance="a"'): f"2{_LONG}",
            }
        ),
        quiet=Case(
            {
                of("gateway_workers", 'instance="a"'): f"2{_LONG}",
                of("gateway_workers_wanted", 'instance="a"'): f"2{_LONG}",
            }
        ),
    ),
    Alert(
        "GatewayEventLoopBlocked",
        "ticket",
        "histogram_quantile(0.99, sum by (instance, le) (rate(gateway_event_loop_lag_seconds_bucket{$job}[5m]))) > 0.1",
        hold="5m",
        dashboard="gateway-runtime",
        summary="The event loop is late",
        description="{{ $labels.instance }}: timers run {{ $value | humanizeDuration }} late (99th percentile); every "
        "request waits as long.",
        look=(
            "CPU of the process and of the node; is it throttled by a CPU limit?",
            "`event.loop` shares its thread with everything: a slow DNS, disk or log device shows here.",
        ),
        do=("Give it more CPU or more replicas; lower `limits.concurrent_requests`.",),
        fires=Case(
            {
                of("gateway_event_loop_lag_seconds_bucket", 'instance="a",le="0.1"'): f"0+1{_LONG}",
                of("gateway_event_loop_lag_seconds_bucket", 'instance="a",le="0.25"'): f"0+10{_LONG}",
                of("gateway_event_loop_lag_seconds_bucket", 'instance="a",le="+Inf"'): f"0+10{_LONG}",
            }
        ),
        quiet=Case(
            {
                of("gateway_event_loop_lag_seconds_bucket", 'instance="a",le="0.1"'): f"0+10{_LONG}",
                of("gateway_event_loop_lag_seconds_bucket", 'instance="a",le="0.25"'): f"0+10{_LONG}",
                of("gateway_event_loop_lag_seconds_bucket", 'instance="a",le="+Inf"'): f"0+10{_LONG}",
            }
        ),
    ),
)
