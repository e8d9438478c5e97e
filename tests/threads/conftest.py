"""The stage of the threads: a whole gateway as shipped, over a mock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stack import Stack, whole_stack


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """A whole gateway with a mock behind it."""
    async with whole_stack(tmp_path) as running:
        yield running
