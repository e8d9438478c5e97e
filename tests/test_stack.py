"""The stack that other tests stand on runs, and answers."""

from __future__ import annotations

from pathlib import Path

from tests.stack import whole_stack


async def test_the_stack_answers(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        session = await stack.session()
        assert session["guest"]["verified"] is False
        assert (await stack.actions())[-1] == "session.issued"
