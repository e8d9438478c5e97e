"""The gateway's own secrets: configured by reference, or, in development only, made once and kept under [keys] dir."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from gateway.config.secrets import Secret
from gateway.errors import ConfigFault

KEY_BYTES: Final = 32


def own_key(configured: Secret | None, directory: Path, name: str, *, dev: bool) -> bytes:
    """The bytes of an own key.

    `directory`: where a made one is kept (mode 0700, the key 0600). Raises ConfigFault when the key is absent outside
    development, too short, or cannot be kept.
    """
    if configured is not None:
        value = configured.reveal_bytes()
        if len(value) < KEY_BYTES:
            raise ConfigFault([(f"keys.{name}", f"has {len(value)} bytes; at least {KEY_BYTES} are needed")])
        return value
    if not dev:
        raise ConfigFault([(f"keys.{name}", "is not set; made without asking only with dev = true")])
    return _kept(directory / f"{name}.key", f"keys.{name}")


def _kept(path: Path, key: str) -> bytes:
    """Read the made key, or make it; of several processes that start at once, one makes it and all read that."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{os.getpid()}")
        if not path.exists():
            made.write_bytes(b"")
            made.chmod(0o600)
            made.write_bytes(os.urandom(KEY_BYTES))
            try:
                os.link(made, path)
            except FileExistsError:
                pass
            finally:
                made.unlink()
        value = path.read_bytes()
    except OSError as exc:
        raise ConfigFault([(key, f"cannot be kept at {path}: {exc.strerror}")]) from exc
    if len(value) != KEY_BYTES:
        raise ConfigFault([(key, f"{path} holds {len(value)} bytes, not {KEY_BYTES}; it was altered")])
    return value
