"""What a supervisor hands to a worker at its start, and a configuration on its way from one process to another.

The rule: the supervisor alone reads the configuration, so that all workers have the same one, and one that is started
late does not find a file that was refused meanwhile. Secrets travel as references; each worker reads them itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.app.leash import Message
from gateway.config import checks
from gateway.config.compile import Compiled, compile_config
from gateway.config.load import Loaded
from gateway.config.model import Config


@dataclass(frozen=True, slots=True)
class Handover:
    """All that a worker needs to know.

    `slot`: its number among the workers; `listener`, `board`: the descriptors of the shared listening socket and of the
    load board; `admin`: the Unix socket at which it answers the supervisor; `directory`: where relative paths begin.
    """

    slot: int
    node: str
    listener: int
    board: int
    admin: Path
    directory: Path
    loaded: Loaded

    def as_message(self) -> Message:
        """For the leash."""
        return {
            "slot": self.slot,
            "node": self.node,
            "listener": self.listener,
            "board": self.board,
            "admin": str(self.admin),
            "directory": str(self.directory),
            "configuration": as_message(self.loaded),
        }

    @classmethod
    def from_message(cls, message: Message) -> Handover:
        """What `as_message` wrote."""
        return cls(
            message["slot"],
            message["node"],
            message["listener"],
            message["board"],
            Path(message["admin"]),
            Path(message["directory"]),
            from_message(message["configuration"]),
        )


def as_message(loaded: Loaded) -> Message:
    """A configuration for the leash."""
    return {
        "config": loaded.config.model_dump_json(),
        "origins": dict(loaded.origins_of_values),
        "warnings": list(loaded.warnings),
        "path": None if loaded.path is None else str(loaded.path),
        "directory": str(loaded.directory),
    }


def from_message(message: dict[str, Any]) -> Loaded:
    """What `as_message` wrote."""
    return Loaded(
        Config.model_validate_json(message["config"]),
        message["origins"],
        tuple(message["warnings"]),
        None if message["path"] is None else Path(message["path"]),
        Path(message["directory"]),
    )


def compiled_of(loaded: Loaded) -> Compiled:
    """The configuration, judged and compiled, its secrets read. Raises ConfigFault with every error."""
    sources = checks.sources_of(loaded, os.environ)
    checks.require_sound(loaded, sources)
    return compile_config(loaded, sources)
