"""Which modules are compiled, as pyproject.toml lists them."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def compiled_files() -> list[str]:
    """Their paths below the root, in the order of the list."""
    hooks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]
    return [str(path) for path in hooks["custom"]["modules"]]


def compiled_modules() -> list[str]:
    """Their names."""
    return [path.removesuffix(".py").replace("/", ".") for path in compiled_files()]
