"""Counters, gauges and histograms as plain numbers, with label values that are bounded by construction.

A cell is written by one thread only and read by any; an increment then costs a twentieth of the client library's
locked one.
Leaves names and meanings to metrics_table.py, and the text formats to prometheus_client.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Generic, Protocol, TypeVar

from prometheus_client.core import Metric
from prometheus_client.samples import Exemplar

OTHER: Final = "_other"
Fold = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its name, its closed set of values, and what an unknown value becomes."""

    name: str
    values: tuple[str, ...]
    fold: Fold | None = None

    def bound(self, value: str) -> str | None:
        """Return the value as it may be shown, or None when it is unknown and no fold is named."""
        if value in self.values:
            return value
        return None if self.fold is None else self.fold(value)


class Cell(Protocol):
    """One time series, or one family of buckets."""

    def samples(self, name: str, labels: dict[str, str], metric: Metric) -> None:
        """Add what is held to the metric."""
        ...


class CounterCell:
    """A number that only grows, or is asked for when somebody looks."""

    __slots__ = ("source", "value")

    def __init__(self, bounds: tuple[float, ...] = ()) -> None:
        """Start at 0."""
        self.value = 0.0
        self.source: Callable[[], float] | None = None

    def inc(self, amount: float = 1.0) -> None:
        """Add; the caller keeps it positive."""
        self.value += amount

    def ask(self, source: Callable[[], float]) -> None:
        """Ask this function, whose answer never falls, at each exposition instead of holding a number."""
        self.source = source

    def samples(self, name: str, labels: dict[str, str], metric: Metric) -> None:
        """Add the one sample."""
        metric.add_sample(name, labels, self.value if self.source is None else self.source())


class GaugeCell:
    """A number that goes up and down, or is asked for when somebody looks."""

    __slots__ = ("source", "value")

    def __init__(self, bounds: tuple[float, ...] = ()) -> None:
        """Start at 0."""
        self.value = 0.0
        self.source: Callable[[], float] | None = None

    def set(self, value: float) -> None:
        """Set the number."""
        self.value = value

    def inc(self, amount: float = 1.0) -> None:
        """Add, also below zero."""
        self.value += amount

    def dec(self, amount: float = 1.0) -> None:
        """Subtract."""
        self.value -= amount

    def ask(self, source: Callable[[], float]) -> None:
        """Ask this function at each exposition instead of holding a number."""
        self.source = source

    def samples(self, name: str, labels: dict[str, str], metric: Metric) -> None:
        """Add the one sample."""
        metric.add_sample(name, labels, self.value if self.source is None else self.source())


class HistogramCell:
    """Observations in buckets, with the last exemplar of each bucket."""

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Start empty with these upper bounds."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_traced(self, value: float, trace_id: str, at: float) -> None:
        """Count one observation of a sampled trace, and keep it as the bucket's exemplar."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.total += value
        self.exemplars[bucket] = Exemplar({"trace_id": trace_id}, value, at)

    def samples(self, name: str, labels: dict[str, str], metric: Metric) -> None:
        """Add buckets, count and sum."""
        so_far = 0
        for bucket, count in enumerate(self.counts):
            so_far += count
            le = _le(self.bounds[bucket]) if bucket < len(self.bounds) else "+Inf"
            metric.add_sample(f"{name}_bucket", {**labels, "le": le}, so_far, exemplar=self.exemplars.get(bucket))
        metric.add_sample(f"{name}_count", labels, so_far)
        metric.add_sample(f"{name}_sum", labels, self.total)


def _le(bound: float) -> str:
    return str(float(bound))


CellT = TypeVar("CellT", CounterCell, GaugeCell, HistogramCell)


class Family(Generic[CellT]):
    """One metric with its labels: hands out cells, folds unknown values, never grows past its bound."""

    def __init__(
        self,
        name: str,
        kind: str,
        says: str,
        cell: Callable[[tuple[float, ...]], CellT],
        labels: Sequence[Label] = (),
        buckets: tuple[float, ...] = (),
        max_series: int = 500,
        on_overflow: Callable[[str], None] | None = None,
    ) -> None:
        """Make the metric without any series, except where it has no labels."""
        self.name, self.kind, self.says = name, kind, says
        self.labels, self.buckets, self.max_series = tuple(labels), buckets, max_series
        self._make: Callable[[tuple[float, ...]], CellT] = cell
        self._cells: dict[tuple[str, ...], CellT] = {}
        self._on_overflow = on_overflow
        if not self.labels:
            self.child()

    def child(self, *values: str) -> CellT:
        """Return the cell for these label values, in the order of the labels; keep it where calls are many."""
        cell = self._cells.get(values)
        return cell if cell is not None else self._admit(values)

    def _admit(self, values: tuple[str, ...]) -> CellT:
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has {len(self.labels)} labels, not {len(values)}")
        bound = tuple(label.bound(value) for label, value in zip(self.labels, values, strict=True))
        known = tuple(OTHER if value is None else value for value in bound)
        overflowed = None in bound
        if known not in self._cells and len(self._cells) >= self.max_series:
            known, overflowed = (OTHER,) * len(values), True
        if overflowed and self._on_overflow is not None:
            self._on_overflow(self.name)
        cell = self._cells.get(known)
        if cell is None:
            cell = self._cells[known] = self._make(self.buckets)
        return cell

    def create_all(self) -> None:
        """Create every combination of label values at 0, so that an alert sees the first event."""
        for values in product(*(label.values for label in self.labels)):
            self.child(*values)

    def series(self) -> Mapping[tuple[str, ...], CellT]:
        """The cells by label values."""
        return self._cells

    def collect(self) -> Iterator[Metric]:
        """Yield the metric for prometheus_client."""
        metric = Metric(self.name.removesuffix("_total") if self.kind == "counter" else self.name, self.says, self.kind)
        names = [label.name for label in self.labels]
        for values, cell in list(self._cells.items()):
            cell.samples(self.name, dict(zip(names, values, strict=True)), metric)
        yield metric
