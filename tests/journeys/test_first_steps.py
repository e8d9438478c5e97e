"""docs/first-steps.md leaves no row of the public surface out, and shows what the script of it runs."""

from __future__ import annotations

import re

import pytest

from gateway.web.surface import SURFACES, Surface
from tests.journeys.first_steps import PAGE_MD, SECTIONS

PAGE = PAGE_MD.read_text(encoding="utf-8")


def words_of(row: Surface) -> tuple[str, ...]:
    """The fixed words of a row's path."""
    return tuple(part for part in row.pattern if re.fullmatch(r"[a-z0-9._-]+", part))


@pytest.mark.parametrize("name", sorted({row.name for row in SURFACES}))
def test_every_service_of_the_surface_is_called_on_the_page(name: str) -> None:
    paths = ["/" + "/".join(words_of(row)) for row in SURFACES if row.name == name]
    wanted = ["$GATEWAY$PAYLOAD"] if name == "static" else paths
    commands = [line for line in PAGE.splitlines() if line.startswith(("$ ", "    "))]
    assert any(path in command for path in wanted for command in commands), f"{paths} not in docs/first-steps.md"


def test_every_command_of_the_script_stands_on_the_page_with_an_answer() -> None:
    for section in SECTIONS:
        assert f"## {section.title}\n" in PAGE
        for step in section.steps:
            _, found, rest = PAGE.partition(f"$ {step.command}\n")
            assert found, step.command
            assert step.sets or not rest.startswith(("$ ", "```")), f"no answer below {step.command}"
