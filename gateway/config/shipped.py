"""Where the shipped config.toml lies, in the source tree and in an installed wheel.

Only the demo falls back to it; every other command names its file.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_config() -> Path:
    """Return the path of the shipped configuration. Raises `FileNotFoundError` when the installation is broken."""
    for path in (_PACKAGE / "data" / "config.toml", _PACKAGE.parent / "config.toml"):
        if path.is_file():
            return path
    raise FileNotFoundError("config.toml is missing from this installation of gateway")
