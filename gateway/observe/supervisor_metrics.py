"""The metrics of a supervisor: how its workers are. Those of the data path are each worker's own.

Own small table, because a supervisor that showed the rest at 0 would look like a worker that is down.
"""

from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from gateway.observe.cells import CounterCell, Family, GaugeCell, Label

SUPERVISOR: Final = "supervisor"
"""Its value of the label `worker`."""
EXITS: Final = ("signal", "status", "overdue")
"""Killed by a signal; ended by itself; killed because it did not end or answer in time."""

TABLE: Final[tuple[tuple[str, str, str], ...]] = (
    ("gateway_workers", "gauge", "Workers that serve."),
    ("gateway_workers_wanted", "gauge", "Workers that there should be."),
    ("gateway_worker_exits_total", "counter", "Workers that ended without having been told to, by how they ended."),
    ("gateway_worker_start_failures_total", "counter", "Workers that did not come up."),
    ("gateway_worker_restarts_total", "counter", "Workers replaced by a rolling restart."),
    (
        "gateway_worker_unanswered_total",
        "counter",
        "Workers left out of an exposition: no answer in time.",
    ),
)
"""Name, type, meaning. Only gateway_worker_exits_total has a label, `reason`."""


class SupervisorMetrics:
    """The numbers of this process."""

    def __init__(self) -> None:
        """Create every metric at 0."""
        says = {name: text for name, _, text in TABLE}
        self._families: list[Family[CounterCell] | Family[GaugeCell]] = []
        self.serving = self._gauge("gateway_workers", says)
        self.wanted = self._gauge("gateway_workers_wanted", says)
        self.exits = self._counter("gateway_worker_exits_total", says, Label("reason", EXITS))
        self.exits.create_all()
        self.start_failures = self._counter("gateway_worker_start_failures_total", says).child()
        self.restarts = self._counter("gateway_worker_restarts_total", says).child()
        self.unanswered = self._counter("gateway_worker_unanswered_total", says).child()
        self._registry = CollectorRegistry(auto_describe=False)
        for family in self._families:
            self._registry.register(family)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _gauge(self, name: str, says: dict[str, str]) -> GaugeCell:
        family = Family(name, "gauge", says[name], GaugeCell)
        self._families.append(family)
        return family.child()

    def _counter(self, name: str, says: dict[str, str], *labels: Label) -> Family[CounterCell]:
        family = Family(name, "counter", says[name], CounterCell, labels)
        self._families.append(family)
        return family
