"""Sets up the application log of a process as [log] says; what a line looks like is `observe/log.py`'s."""

from __future__ import annotations

import socket
import sys

from gateway.config.compile import Compiled
from gateway.observe import log as app_log


def set_up_log(compiled: Compiled, node: str) -> None:
    """Write the application log to stderr under this name."""
    settings = compiled.config.log
    pretty = {"auto": None, "json": False, "pretty": True}[settings.format]
    app_log.configure(level=settings.level.upper(), stream=sys.stderr, pretty=pretty, node=node)


def node_name() -> str:
    """The name of this node in records: its host name, in the characters that a file name may have."""
    return "".join(c if c.isalnum() or c == "-" else "-" for c in socket.gethostname().lower())[:40] or "node"
