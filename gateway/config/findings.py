"""What a check says about a configuration: which key, how bad, what is wrong, and what to do.

Leaves the checks themselves to the `check_*` files and showing findings to the command line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.config import genesys
from gateway.config.secrets import Secrets
from gateway.policy.beliefs import Beliefs
from gateway.policy.operations import Catalogue
from gateway.policy.regions import RegionTable

Severity = Literal["error", "high", "warning", "info"]
"""error: cannot be served. high: works, and is dangerous. warning: probably not meant. info: good to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; nothing secret stands in it."""

    key: str
    severity: Severity
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Sources:
    """What checks and compilation may ask beside the configuration itself."""

    catalogue: Catalogue
    regions: RegionTable
    secrets: Secrets
    beliefs: Beliefs = field(default_factory=genesys.beliefs)


def error(key: str, message: str, remedy: str) -> Finding:
    """A fault: the configuration cannot be served."""
    return Finding(key, "error", message, remedy)


def high(key: str, message: str, remedy: str) -> Finding:
    """A danger that a reviewer must know of."""
    return Finding(key, "high", message, remedy)


def warning(key: str, message: str, remedy: str) -> Finding:
    """Probably not what was meant."""
    return Finding(key, "warning", message, remedy)


def info(key: str, message: str, remedy: str) -> Finding:
    """Good to know."""
    return Finding(key, "info", message, remedy)


def listed(names: object) -> str:
    """Return names as a list in a sentence, or `none`."""
    return (
        ", ".join(sorted(map(str, names))) or "none" if isinstance(names, (set, frozenset, dict, tuple, list)) else "-"
    )
