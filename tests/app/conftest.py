"""What a gateway changes in its whole process is undone after each test of this room."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _collected_as_before() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()
