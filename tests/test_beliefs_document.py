"""docs/credentials.md lists every belief and every removed operation; what people are told to use instead is there.

`python -m tests.test_beliefs_document` writes the tables.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.config import genesys
from gateway.web.surface import find_surface

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "credentials.md"
BEGIN = "<!-- beliefs: begin; written by `python -m tests.test_beliefs_document` -->\n"
END = "<!-- beliefs: end -->"
REMOVED_BEGIN = "<!-- removed: begin; written by the same -->\n"
REMOVED_END = "<!-- removed: end -->"


def table() -> str:
    """One line per belief."""
    lines = ["| believed | what is so | what to use | we |", "|---|---|---|---|"]
    lines += [
        f"| `{row.pattern}` | {row.truth} | {row.instead} | {row.does} |".replace("{}", "{id}")
        for row in genesys.beliefs().rows
    ]
    return "\n".join(lines) + "\n"


def removed_table() -> str:
    """One line for each operation that Genesys has removed."""
    lines = ["| removed in August 2026 | what stands in for it |", "|---|---|"]
    lines += [f"| `{operation.key}` | {instead} |" for operation, instead in genesys.catalogue().removed]
    return "\n".join(lines) + "\n"


def written(text: str) -> str:
    """The document with both tables as the data says."""
    for begin, end, body in ((BEGIN, END, table()), (REMOVED_BEGIN, REMOVED_END, removed_table())):
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{body}{end}{rest.partition(end)[2]}"
    return text


def test_every_belief_and_every_removed_operation_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == written(text)
    assert text.count("\n| `") >= len(genesys.beliefs().rows) + 41


def promised() -> list[tuple[str, str]]:
    """Every `METHOD /path` that an answer tells people to use instead."""
    told = [*(row.instead for row in genesys.beliefs().rows), *(instead for _, instead in genesys.catalogue().removed)]
    return sorted({pair for text in told for pair in re.findall(r"\b([A-Z]{3,6}) (/[^\s,)]+)", text)})


@pytest.mark.parametrize(("method", "path"), promised())
def test_what_people_are_told_to_use_is_there(method: str, path: str) -> None:
    if path.startswith("/api/v2/"):
        assert genesys.catalogue().find(method, path) is not None
        return
    segments = tuple(path.partition("?")[0].strip("/").split("/"))
    below = segments[:2] == ("sites", "{site}")
    assert method in find_surface(segments[2:] if below else segments, below_site=below).methods


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
