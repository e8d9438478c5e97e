"""The objectives of 30 days: recording rules of their error ratios, and the alerts of how fast the budget burns.

Windows, factors and holds are those of the multi-window method (https://sre.google/workbook/alerting-on-slos/). The
rule: no alert on fewer than 100 requests an hour, where one failure would be a percentage.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.build.rules import Alert, Case, Dashboard, Severity, with_job

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
BURNS: tuple[tuple[float, str, str, str, Severity], ...] = (
    (14.4, "1h", "5m", "2m", "page"),
    (6.0, "6h", "30m", "15m", "page"),
    (3.0, "1d", "2h", "1h", "ticket"),
    (1.0, "3d", "6h", "3h", "ticket"),
)
"""Factor of the budget's even pace, long window, short window, hold, severity."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise. `bad` and `all`: rates with $window; `counted`: the requests of the last hour."""

    name: str
    title: str
    target: float
    bad: str
    all: str
    means: str
    do: tuple[str, ...]
    dashboard: Dashboard = "gateway-overview"
    failing: str = ""
    passing: str = ""

    @property
    def ratio(self) -> str:
        """The name of the recorded error ratio, without its window."""
        return f"gateway:slo_{self.name}:error_ratio_rate"

    @property
    def counted(self) -> str:
        """The name of the recorded requests of the last hour."""
        return f"gateway:slo_{self.name}:requests_increase1h"


OBJECTIVES = (
    Objective(
        "widget",
        "Script and its parts are delivered",
        0.9995,
        'sum(rate(gateway_http_requests_total{$job,route=~"widget|static",code=~"5.."}[$window]))',
        'sum(rate(gateway_http_requests_total{$job,route=~"widget|static"}[$window]))',
        "Pages get no chat script, so that visitors see no chat at all.",
        (
            "Which code: 503 while draining or overloaded; 500 is a fault of ours and in the application log.",
            "Shift traffic to healthy replicas; the script is static and any replica can serve it.",
        ),
        failing='gateway_http_requests_total{job="gateway",route="widget",code="503",responder="gateway"}',
        passing='gateway_http_requests_total{job="gateway",route="widget",code="200",responder="gateway"}',
    ),
    Objective(
        "session",
        "Sessions and tickets are given out",
        0.999,
        'sum(rate(gateway_http_requests_total{$job,route=~"session|ticket",code=~"5.."}[$window]))',
        'sum(rate(gateway_http_requests_total{$job,route=~"session|ticket"}[$window]))',
        "Visitors cannot open or keep a session, so that new chats fail.",
        (
            "Look at gateway_refusals_total: store.unavailable is the state store, audit.unavailable the audit disk.",
            "Follow the runbook page of that part; open chats go on meanwhile.",
        ),
        failing='gateway_http_requests_total{job="gateway",route="session",code="503",responder="gateway"}',
        passing='gateway_http_requests_total{job="gateway",route="session",code="201",responder="gateway"}',
    ),
    Objective(
        "proxy",
        "Proxied calls end without a failure of the gateway",
        0.9995,
        'sum(rate(gateway_http_requests_total{$job,route="rest_proxy",responder="gateway",code=~"5.."}[$window]))',
        'sum(rate(gateway_http_requests_total{$job,route="rest_proxy"}[$window]))',
        "Calls to Genesys fail before Genesys answered them: it is us, or the way to Genesys.",
        (
            "If gateway_upstream_errors_total grows too, the way to Genesys is broken: see its dashboard.",
            "If it does not, look at gateway_refusals_total for the reason and follow its row in docs/refusals.md.",
        ),
        failing='gateway_http_requests_total{job="gateway",route="rest_proxy",code="502",responder="gateway"}',
        passing='gateway_http_requests_total{job="gateway",route="rest_proxy",code="200",responder="upstream"}',
    ),
    Objective(
        "overhead",
        "The gateway adds at most 25 ms to a proxied call",
        0.99,
        "sum(rate(gateway_proxy_overhead_seconds_count{$job}[$window])) - "
        'sum(rate(gateway_proxy_overhead_seconds_bucket{$job,le="0.025"}[$window]))',
        "sum(rate(gateway_proxy_overhead_seconds_count{$job}[$window]))",
        "The gateway itself is slow: a busy CPU, a slow audit disk or a blocked event loop.",
        (
            "Look at the dashboard Runtime: loop lag and CPU first, then the audit log's fsync time.",
            "Add replicas, or lower limits.concurrent_requests so that overload is refused early.",
        ),
        dashboard="gateway-runtime",
    ),
)


def recording_rules() -> list[dict[str, object]]:
    """One ratio per objective and window, and the requests of the last hour."""
    found: list[dict[str, object]] = []
    for one in OBJECTIVES:
        for window in WINDOWS:
            bad, total = (with_job(text.replace("$window", window)) for text in (one.bad, one.all))
            found.append({"record": f"{one.ratio}{window}", "expr": f"({bad} or vector(0)) / ({total} > 0)"})
        found.append({"record": one.counted, "expr": with_job(one.all.replace("$window", "1h")) + " * 3600"})
    return found


def burn_alerts() -> list[Alert]:
    """Four alerts per objective: page when the budget is gone in days, ticket when in weeks."""
    return [
        _burn(one, factor, long, short, hold, severity)
        for one in OBJECTIVES
        for factor, long, short, hold, severity in BURNS
    ]


def _burn(one: Objective, factor: float, long: str, short: str, hold: str, severity: Severity) -> Alert:
    limit = f"{factor:g} * {1 - one.target:.6g}"
    return Alert(
        name=f"GatewaySlo{one.name.capitalize()}Burn",
        severity=severity,
        expr=f"{one.ratio}{long} > {limit} and {one.ratio}{short} > {limit} and {one.counted} > 100",
        hold=hold,
        labels={"window": long},
        summary=f"{one.title}: the error budget burns {factor:g} times too fast",
        description=f"{{{{ $value | humanizePercentage }}}} failed over {long}; the objective is {one.target:.2%} "
        f"over 30 days. {one.means}",
        dashboard=one.dashboard,
        look=("Which replica: the panels by instance.", "Since when: the annotations show starts and reloads."),
        do=one.do,
        fires=Case(_series(one, failing=True), *_LOOK[long]),
        quiet=Case(_series(one, failing=False), *_LOOK[long]),
    )


_LOOK = {"1h": (70, 1), "6h": (380, 5), "1d": (1_520, 20), "3d": (4_560, 20)}
"""By the long window: the minute at which to look, and the minutes between two samples."""
_STEPS = 400


def _series(one: Objective, *, failing: bool) -> dict[str, str]:
    """A tenth of the requests fails; or all pass."""
    if one.name == "overhead":
        slow = 4 if failing else 0
        common = '{job="gateway",route="rest_proxy"'
        return {
            f'gateway_proxy_overhead_seconds_bucket{common},le="0.025"}}': f"0+{300 - 30 * slow}x{_STEPS}",
            f"gateway_proxy_overhead_seconds_count{common}}}": f"0+300x{_STEPS}",
        }
    return {one.passing: f"0+270x{_STEPS}", one.failing: f"0+{30 if failing else 0}x{_STEPS}"}
