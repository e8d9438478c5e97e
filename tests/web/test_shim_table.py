"""One table of Zendesk's calls: sound, complete against what pages are known to use, and the source of the document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.app.scripts import static_dir
from gateway.web.shim_table import HOW_FAR, UNKNOWN, as_markdown, labels_of, read_table

ROOT = Path(__file__).resolve().parents[2]
ROWS = read_table(static_dir())
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"


def test_the_document_holds_the_table() -> None:
    """`python -m tests.web.test_shim_table` writes it."""
    text = (ROOT / "docs" / "zendesk-shim.md").read_text()
    assert text.partition(BEGIN)[2].partition(END)[0] == as_markdown(ROWS)


def test_every_action_of_the_table_exists_in_the_script_and_the_other_way_round() -> None:
    source = (static_dir() / "shim-actions.js").read_text()
    body = source[source.index("  const actions = {") : source.index("  return actions;")]
    made = set(re.findall(r"^    (\w+)[:,]", body, re.MULTILINE))
    assert {row.does for row in ROWS} <= made
    assert made - {row.does for row in ROWS} <= {"readSettings"}


def test_every_listener_that_works_is_fired_by_the_script() -> None:
    source = (static_dir() / "shim-events.js").read_text()
    fired = set(re.findall(r'fire\("([^"]+)"', source))
    assert {row.call for row in ROWS if row.does == "on" and row.how_far != "lost"} == fired


@pytest.mark.parametrize("how_far", HOW_FAR)
def test_each_word_for_how_far_is_used(how_far: str) -> None:
    assert any(row.how_far == how_far for row in ROWS)


def test_the_labels_are_the_calls_and_one_for_all_others() -> None:
    assert labels_of(ROWS) == (UNKNOWN, *(row.call for row in ROWS))
    assert len(labels_of(ROWS)) <= 300  # the bound of the metric's label


@pytest.mark.parametrize(
    "text", ["", '  ["a", "b", "works", "c"],\n  ["a", "b", "works", "c"],\n', '  ["a", "b", "c", "d"],\n']
)
def test_a_table_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "zendesk-table.js").write_text(text)
    with pytest.raises(ValueError, match="zendesk-table"):
        read_table(tmp_path)


if __name__ == "__main__":
    document = ROOT / "docs" / "zendesk-shim.md"
    before, _, rest = document.read_text().partition(BEGIN)
    document.write_text(f"{before}{BEGIN}{as_markdown(ROWS)}{END}{rest.partition(END)[2]}")
