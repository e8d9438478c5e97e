"""docs/credentials.md lists every belief of the data file; `python -m tests.test_beliefs_document` writes the table."""

from __future__ import annotations

from pathlib import Path

from gateway.config import genesys

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "credentials.md"
BEGIN = "<!-- beliefs: begin; written by `python -m tests.test_beliefs_document` -->\n"
END = "<!-- beliefs: end -->"


def table() -> str:
    """One line per belief."""
    lines = ["| believed | what is so | what to use | we |", "|---|---|---|---|"]
    lines += [
        f"| `{row.pattern}` | {row.truth} | {row.instead} | {row.does} |".replace("{}", "{id}")
        for row in genesys.beliefs().rows
    ]
    return "\n".join(lines) + "\n"


def test_every_belief_is_documented() -> None:
    assert f"{BEGIN}{table()}{END}" in DOCUMENT.read_text(encoding="utf-8")


if __name__ == "__main__":
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}", encoding="utf-8")
