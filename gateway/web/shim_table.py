"""Zendesk's calls and what happens to them now, read from the table that the script on the page acts by.

Leaves acting to static/shim.js. The rule: one table. The script, the metric's label, the report and the document
(docs/zendesk-shim.md) all come from static/zendesk-table.js.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNKNOWN: Final = "unknown"
"""The label of a call that the table does not name."""
HOW_FAR: Final = ("works", "partly", "accepted", "lost")
_ROW: Final = re.compile(r"^  (\[.+\]),$", re.MULTILINE)
_HEADINGS: Final = (
    ("zE ", "`zE` itself"),
    ("messenger", "Messaging: `zE(group, name, ...)`"),
    ("webWidget", "Web Widget (Classic): `zE('webWidget', name, ...)`"),
    ("zESettings", "`window.zESettings`, below `webWidget`"),
    ("genesyscloud", "`window.genesyscloud.widget.init({...})`"),
    ("", "`$zopim`, and below `$zopim.livechat`"),
)


@dataclass(frozen=True, slots=True)
class ShimRow:
    """One call: its name, the action of the script, how far it works, and what happens now."""

    call: str
    does: str
    how_far: str
    now: str


def read_table(static_dir: Path) -> tuple[ShimRow, ...]:
    """The rows in their order. Raises ValueError for a row that says nothing sensible, FileNotFoundError without it."""
    text = (static_dir / "zendesk-table.js").read_text(encoding="utf-8")
    rows = tuple(ShimRow(*json.loads(found)) for found in _ROW.findall(text))
    names = [row.call for row in rows]
    if not rows or len(set(names)) != len(names) or any(row.how_far not in HOW_FAR for row in rows):
        raise ValueError("static/zendesk-table.js has a row twice, one that no word fits, or none")
    return rows


def labels_of(rows: Iterable[ShimRow]) -> tuple[str, ...]:
    """The values of the metric's label `call`."""
    return (UNKNOWN, *(row.call for row in rows))


def as_markdown(rows: Iterable[ShimRow]) -> str:
    """The tables of docs/zendesk-shim.md: one for each way of calling."""
    groups: dict[str, list[str]] = {heading: [] for _, heading in _HEADINGS}
    for row in rows:
        heading = next(heading for start, heading in _HEADINGS if row.call.startswith(start))
        groups[heading].append(f"| `{row.call}` | {row.how_far} | {row.now} |")
    parts = []
    for heading, lines in groups.items():
        parts.append(
            "\n".join([f"### {heading}", "", "| call | how far | what happens now |", "|---|---|---|", *lines])
        )
    return "\n\n".join(parts) + "\n"
