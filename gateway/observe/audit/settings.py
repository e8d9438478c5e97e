"""What an operator may set about the audit log. Values only: secrets are already resolved, paths are not yet opened."""

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway import __version__
from gateway.observe.audit.aggregate import LevelRule
from gateway.observe.audit.notes import FOREVER


def node_name(hostname: str) -> str:
    """Return a host's name as the name of a node: what cannot stand in a file name becomes a dash."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", hostname)[:64].strip("-.") or "node"


OnFailure = Literal["refuse", "degrade"]


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """One further place that gets the same lines, best effort: syslog over TLS, or HTTP."""

    name: str
    kind: Literal["syslog-tls", "http"]
    target: str
    ca_file: Path | None = None
    authorization: str | None = field(default=None, repr=False)
    queue_max_records: int = 4096


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Settings of the audit log; the defaults are those of docs/audit-format.md."""

    dir: Path
    deployment: str = "gateway"
    node: str = field(default_factory=lambda: node_name(socket.gethostname()))
    key_pem: bytes | None = field(default=None, repr=False)
    key_not_before: float = 0.0
    key_not_after: float = FOREVER
    dev: bool = False
    on_failure: OnFailure = "refuse"
    retention_days: int = 400
    service_version: str = __version__
    segment_max_bytes: int = 64 * 1024 * 1024
    segment_max_age_s: float = 86_400.0
    checkpoint_interval_s: float = 1.0
    checkpoint_max_records: int = 1_000
    checkpoint_idle_s: float = 60.0
    fallback_dir: Path | None = None
    anchor_dir: Path | None = None
    stderr_checkpoints: bool = True
    peers_interval_s: float = 60.0
    self_check_interval_s: float = 3_600.0
    conversation_id: Literal["clear", "hmac"] = "clear"
    levels: tuple[LevelRule, ...] = ()
    refusing_sites: frozenset[str] = frozenset()
    gzip: bool = True
    subject_keys: bool = False
    queue_max_records: int = 65_536
    queue_max_bytes: int = 64 * 1024 * 1024
    batch_max_records: int = 512
    batch_max_bytes: int = 1024 * 1024
    linger_s: float = 0.02
    disk_full_share: float = 0.01
    grant_timeout_s: float = 2.0
    use_wait_s: float = 0.25
    stalled_after_s: float = 10.0
    sinks: tuple[SinkSettings, ...] = ()

    def refuses(self, site: str | None) -> bool:
        """Is a call of this site refused when it cannot be recorded? The stricter of deployment and site counts."""
        return self.on_failure == "refuse" or site in self.refusing_sites

    @property
    def keys_dir(self) -> Path:
        """Where the keys of pseudonyms lie."""
        return self.dir / "keys"

    @property
    def subjects_dir(self) -> Path:
        """Where the visitors' own keys lie, unless nodes share them through the store."""
        return self.keys_dir / "subjects"

    @property
    def dirs(self) -> tuple[Path, ...]:
        """Directories for segments, in the order in which they are tried."""
        return (self.dir,) if self.fallback_dir is None else (self.dir, self.fallback_dir)

    @property
    def key_name(self) -> str:
        """Name under which this node signs: the start of the origin of all its writers."""
        return f"{self.deployment}/{self.node}"
