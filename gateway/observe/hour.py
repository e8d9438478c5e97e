"""The last hour by minutes, read from the counters that are kept anyway: for people without Prometheus.

Leaves showing it to the console. The rule: at most 60 minutes are kept, however long the process runs.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

from gateway.observe.metrics import Metrics

MINUTES: Final = 60
OUTCOMES: Final = ("ok", "client_error", "gateway_error", "upstream_error")
Minute = dict[str, float]


class Hour:
    """Differences of counters, minute by minute. `sample` is called a few times a minute."""

    def __init__(self, metrics: Metrics) -> None:
        """Begin now: what was counted before belongs to no minute."""
        self._metrics = metrics
        self._traffic: deque[tuple[int, Minute]] = deque(maxlen=MINUTES)
        self._refusals: deque[tuple[int, Minute]] = deque(maxlen=MINUTES)
        self._seen = self._totals()

    def sample(self, now: float) -> None:
        """Add what happened since the last call to the minute of `now` (seconds since the epoch)."""
        minute, before, after = int(now // 60), self._seen, self._totals()
        for kept, old, new in zip((self._traffic, self._refusals), before, after, strict=True):
            if not kept or kept[-1][0] != minute:
                kept.append((minute, {}))
            bucket = kept[-1][1]
            for name, value in new.items():
                if grown := value - old.get(name, 0.0):
                    bucket[name] = bucket.get(name, 0.0) + grown
        self._seen = after

    def traffic(self, now: float) -> list[dict[str, float]]:
        """Requests of each of the last 60 minutes, oldest first, by outcome."""
        found = dict(self._traffic)
        last = int(now // 60)
        return [
            {"minute": minute * 60.0} | {name: found.get(minute, {}).get(name, 0.0) for name in OUTCOMES}
            for minute in range(last - MINUTES + 1, last + 1)
        ]

    def refusals(self, now: float) -> dict[str, float]:
        """Refusals of the last 60 minutes by code, the most frequent first."""
        oldest, sums = int(now // 60) - MINUTES + 1, Minute()
        for minute, bucket in self._refusals:
            for code, count in bucket.items() if minute >= oldest else ():
                sums[code] = sums.get(code, 0.0) + count
        return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))

    def _totals(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        traffic = Minute()
        for (_, _, code, responder), cell in self._metrics.http_requests.series().items():
            outcome = _outcome(code, responder)
            traffic[outcome] = traffic.get(outcome, 0.0) + cell.value
        return traffic, {code: cell.value for (code,), cell in self._metrics.refusals.series().items()}


def _outcome(code: str, responder: str) -> str:
    """Good, the caller's fault, ours, or Genesys'."""
    if code < "4":
        return "ok"
    return "client_error" if code < "5" else f"{responder}_error"
