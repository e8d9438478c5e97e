"""Which form of the package runs: pure Python, or with its inner modules compiled (docs/performance.md, "Compiled").

Leaves choosing the modules to pyproject.toml and making them to hatch_build.py. The rule: told by what Python would
import, not by what was installed.
"""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from typing import Final, Literal

WITNESS: Final = "gateway.policy.decision"
"""One of the compiled modules: a wheel holds all of them or none."""
Form = Literal["compiled", "pure Python"]


def build_form(module: str = WITNESS) -> Form:
    """The form in which `module` is there, without importing it."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    return "compiled" if spec.origin.endswith(tuple(EXTENSION_SUFFIXES)) else "pure Python"
