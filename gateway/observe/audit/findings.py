"""What verification can find, how bad each finding is, and the report that holds them. Data and sums only."""

from dataclasses import dataclass, field
from typing import Final, Literal

Severity = Literal["tampered", "unproved", "information"]
EXIT_OF: Final[dict[str, int]] = {"intact": 0, "tampered": 5, "unproved": 6}

SEVERITY: Final[dict[str, Severity]] = {
    "EDITED": "tampered",  # a record is not the one that was written
    "GAP": "tampered",  # records are missing between two others
    "REORDERED": "tampered",  # records stand in another order, or twice
    "SPLICED": "tampered",  # a record belongs to another writer or deployment
    "BAD_SIGNATURE": "tampered",  # a checkpoint is not signed by the node's key
    "KEY_OUT_OF_RANGE": "tampered",  # signed by a key outside its time
    "TRUNCATED": "tampered",  # the log ends before a head that was witnessed
    "MISSING": "tampered",  # a segment or a whole writer is gone, and no record says that it was pruned
    "FORKED": "tampered",  # two histories of one writer
    "UNSEALED_TAIL": "unproved",  # the newest records stand under no checkpoint
    "UNKNOWN_KEY": "unproved",  # no trusted key for this node
    "NO_ANCHOR": "unproved",  # nothing outside the log was given: a cut tail or a rewrite with the key would not show
    "TORN_TAIL": "information",  # half a line after a crash
    "PRUNED": "information",  # removed by retention, declared
    "GAP_DECLARED": "information",  # the writer itself says that it could not write
    "SUPPRESSED": "information",  # refusals folded into summaries
    "RECOVERED": "information",  # the tail of a crashed writer, witnessed by a later one
    "VOID": "information",  # bytes that a signed header declares void after a disk fault
    "LIVE": "information",  # the writer is running; its newest records are sealed within a second
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding and its place. `sequence` is the first record in doubt;
    `until` the last, where only a range is known.
    """

    kind: str
    writer: str
    detail: str
    segment: str = ""
    line: int = 0
    sequence: int = -1
    until: int = -1
    at: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return SEVERITY[self.kind]

    def as_json(self) -> dict[str, object]:
        """The finding as plain values."""
        return {
            "kind": self.kind, "severity": self.severity, "writer": self.writer, "segment": self.segment,
            "line": self.line,
            "sequence": self.sequence, "until": self.until, "at": self.at, "detail": self.detail,
        }  # fmt: skip


@dataclass(slots=True)
class WriterReport:
    """What was found out about one writer's log."""

    writer: str
    first: int = 0
    size: int = 0
    root: bytes = b""
    sealed_size: int = 0
    is_closed: bool = False
    last_at: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def records(self) -> int:
        """Records found in order, up to the first tampering."""
        return max(0, self.size - self.first)

    @property
    def is_tampered(self) -> bool:
        """Is there a finding that only tampering explains?"""
        return any(item.severity == "tampered" for item in self.findings)

    def as_json(self) -> dict[str, object]:
        """The report as plain values."""
        return {
            "writer": self.writer, "first": self.first, "size": self.size, "sealed": self.sealed_size,
            "closed": self.is_closed, "last_at": self.last_at, "findings": [item.as_json() for item in self.findings],
        }  # fmt: skip


@dataclass(slots=True)
class Report:
    """The result of a verification."""

    writers: list[WriterReport] = field(default_factory=list)
    general: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """All findings, those about the whole first."""
        return [*self.general, *(item for writer in self.writers for item in writer.findings)]

    @property
    def records(self) -> int:
        """Records verified."""
        return sum(writer.records for writer in self.writers)

    @property
    def verdict(self) -> str:
        """`tampered`, `unproved` or `intact`."""
        severities = {item.severity for item in self.findings}
        return "tampered" if "tampered" in severities else "unproved" if "unproved" in severities else "intact"

    @property
    def exit_code(self) -> int:
        """0 intact, 5 tampered, 6 cannot be proved."""
        return EXIT_OF[self.verdict]

    def as_json(self) -> dict[str, object]:
        """The report as plain values."""
        return {
            "verdict": self.verdict, "records": self.records, "writers": [writer.as_json() for writer in self.writers],
            "findings": [item.as_json() for item in self.general],
        }  # fmt: skip
