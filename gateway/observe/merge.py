"""Several workers' expositions as one: each sample gets a `worker` label, families stay together. Pure.

The supervisor alone owns the admin listener; it asks each worker and merges. Leaves asking to the caller.
"""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

_OPENMETRICS_END = "# EOF\n"


class MergeError(ValueError):
    """An exposition cannot be read, or the workers disagree about a metric; the message names worker or metric."""


def merge_expositions(expositions: Mapping[str, bytes]) -> bytes:
    """Return one exposition of all workers, in the format of the first; raises MergeError."""
    families: dict[str, Metric] = {}
    is_openmetrics = any(text.endswith(_OPENMETRICS_END.encode()) for text in expositions.values())
    for worker, exposition in sorted(expositions.items()):
        for family in _families(worker, exposition.decode("utf-8", "replace")):
            merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            if merged.type != family.type:
                raise MergeError(f"{family.name} is a {merged.type} here and a {family.type} in worker {worker}")
            for item in family.samples:
                labels = {"worker": worker, **item.labels}
                merged.add_sample(item.name, labels, item.value, item.timestamp, item.exemplar)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families))
    encode: Callable[[CollectorRegistry], bytes] = generate_openmetrics if is_openmetrics else generate_latest
    return encode(registry)


def _families(worker: str, text: str) -> Iterator[Metric]:
    parse = parse_openmetrics if text.endswith(_OPENMETRICS_END) else parse_text
    try:
        yield from parse(text)
    except (ValueError, IndexError, KeyError) as exc:
        raise MergeError(f"the exposition of worker {worker} cannot be read") from exc


class _Collected:
    """Families as a collector."""

    def __init__(self, families: Mapping[str, Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield the families by name."""
        for name in sorted(self._families):
            yield self._families[name]
