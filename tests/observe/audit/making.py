"""Small audit logs for tests: written by the real ledger, with a clock that is set by hand and keys that never
change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.observe.audit import records
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.keys import read_signer
from gateway.observe.audit.ledger import Clock, Ledger
from gateway.observe.audit.notes import Signer, VerifierKey
from gateway.observe.audit.records import Record
from gateway.observe.audit.segments import SegmentFile, find_segments, writer_name
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.verify import Options

START = 1_795_000_000.0  # 2026-11-18


def pem_of(seed: int) -> bytes:
    """A signing key that is the same in every run."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def settings_for(directory: Path, **more: object) -> AuditSettings:
    """Settings of a test's log."""
    base = AuditSettings(dir=directory, deployment="test", node="gw1", key_pem=pem_of(1), stderr_checkpoints=False)
    return replace(base, **more)  # type: ignore[arg-type]  # a test names the settings it means


def signer(seed: int = 1, name: str = "test/gw1") -> Signer:
    """A signer of a test."""
    return read_signer(pem_of(seed), name)


def key(seed: int = 1, name: str = "test/gw1") -> VerifierKey:
    """The key that a test trusts."""
    return signer(seed, name).verifier


@dataclass
class Hand:
    """A clock that stands until it is moved."""

    now: float = START
    mono: float = 0.0

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.mono += seconds

    @property
    def clock(self) -> Clock:
        """The clock as the log sees it."""
        return Clock(lambda: self.now, lambda: self.mono)


def use(number: int, at: float = START) -> Record:
    """A record of the data path."""
    return records.proxy_allowed(
        at=at, who=records.subject(site="shop", client_ip="192.0.2.7", user="p202611:" + "0" * 24),
        request_id=f"r{number}",
        route="close", method="POST", path="/close/{id}", status=200, request_bytes=number, response_bytes=9,
        region="eu-west-1",
        responder="upstream", duration_s=0.01, upstream_s=0.009,
    )  # fmt: skip


@dataclass
class Made:
    """One writer's log while it is made."""

    directory: Path
    seed: int = 1
    node: str = "gw1"
    deployment: str = "test"
    tag: bytes = b"\xaa\xbb\xcc\xdd"
    hand: Hand = field(default_factory=Hand)
    files: FileSystem = field(default_factory=FileSystem)
    settings: AuditSettings | None = None

    def __post_init__(self) -> None:
        """Prepare the ledger."""
        base = self.settings or settings_for(self.directory)
        base = replace(base, node=self.node, deployment=self.deployment)
        self.faults: list[str] = []
        self.writer = writer_name(self.node, self.hand.now, self.tag)
        self.ledger = Ledger(
            base,
            signer(self.seed, base.key_name),
            self.writer,
            files=self.files,
            clock=self.hand.clock,
            on_fault=self.faults.append,
        )
        self.number = 0

    def add(self, count: int, seconds: float = 0.1) -> "Made":
        """Write so many records, one by one."""
        for _ in range(count):
            self.hand.move(seconds)
            self.ledger.append([use(self.number, self.hand.now)])
            self.number += 1
        return self

    def write(self, items: Sequence[Record]) -> "Made":
        """Write these records in one batch."""
        self.ledger.append(items)
        return self

    def close(self) -> "Made":
        """Close the log."""
        self.ledger.close()
        return self

    def crash(self) -> "Made":
        """Let go of the file as a killed process does."""
        live = self.ledger._live
        if live is not None:
            self.files.close(live.fd)
            self.ledger._live = None
        return self

    @property
    def path(self) -> Path:
        """The writer's first segment."""
        return self.segments[0].path

    @property
    def segments(self) -> list[SegmentFile]:
        """The writer's segments."""
        return [item for item in find_segments([self.directory]) if item.writer == self.writer]


def trusting(*keys: VerifierKey, **more: object) -> Options:
    """Options that trust these keys, else the usual one; nothing is live."""
    base = Options(keys=keys or (key(),), is_live=lambda path: False)
    return replace(base, **more)  # type: ignore[arg-type]  # a test names the options it means


def lines_of(path: Path) -> list[bytes]:
    """The lines of a segment, each with its newline."""
    return path.read_bytes().splitlines(keepends=True)
