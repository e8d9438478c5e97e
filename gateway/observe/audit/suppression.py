"""How many refusals an attacker may write: a token bucket per kind, reason and client network; the rest is counted.

Pure but for its own counts; `now` comes in. Leaves writing the summaries to log.py.
"""

from dataclasses import dataclass, field
from typing import Final

BURST: Final = 20.0
PER_SECOND: Final = 1.0
WINDOW_S: Final = 10.0
MAX_BUCKETS: Final = 4_096
MAX_CLIENTS: Final = 1_024


@dataclass(frozen=True, slots=True)
class Summary:
    """What was folded in one window: the action, its reason, how many, and from how many client networks."""

    action: str
    reason: str
    count: int
    clients: int


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class _Folded:
    count: int = 0
    clients: set[str] = field(default_factory=set)


class Suppressor:
    """Decides for each refusal whether it gets a record of its own."""

    def __init__(self) -> None:
        """Start with full buckets."""
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._folded: dict[tuple[str, str], _Folded] = {}
        self._window_began = 0.0

    def admits(self, action: str, reason: str, client: str, now: float) -> bool:
        """May this refusal be written? If not, it is counted for the summary."""
        bucket = self._bucket(action, reason, client, now)
        bucket.tokens = min(BURST, bucket.tokens + max(0.0, now - bucket.at) * PER_SECOND)
        bucket.at = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return True
        self.fold(action, reason, client, now)
        return False

    def fold(self, action: str, reason: str, client: str, now: float) -> None:
        """Count a refusal that gets no record of its own."""
        if not self._folded:
            self._window_began = now
        folded = self._folded.setdefault((action, reason), _Folded())
        folded.count += 1
        if len(folded.clients) < MAX_CLIENTS:
            folded.clients.add(client)

    def summaries(self, now: float, *, final: bool = False) -> list[Summary]:
        """Return what was folded when the window is over (or at the end), and begin the next."""
        if not self._folded or (not final and now - self._window_began < WINDOW_S):
            return []
        folded, self._folded = self._folded, {}
        return [Summary(*key, item.count, len(item.clients)) for key, item in sorted(folded.items())]

    def _bucket(self, action: str, reason: str, client: str, now: float) -> _Bucket:
        key = (action, reason, client)
        bucket = self._buckets.get(key)
        if bucket is None and len(self._buckets) >= MAX_BUCKETS:
            self._forget_full(now)
            if len(self._buckets) >= MAX_BUCKETS:  # too many networks at once: they share one bucket for each reason
                key = (action, reason, "")
                bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(BURST, now)
        return bucket

    def _forget_full(self, now: float) -> None:
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if bucket.tokens + (now - bucket.at) * PER_SECOND < BURST
        }
