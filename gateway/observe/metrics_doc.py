"""The table of metrics as Markdown, for docs/metrics.md. Pure; a test keeps the document true.

Run as a module it writes the table into the document that is named.
"""

import sys
from pathlib import Path
from typing import Final

from gateway.observe.metrics_table import CONFIGURED, SETS, TABLE, Row

BEGIN: Final = "<!-- table: begin -->\n"
END: Final = "<!-- table: end -->"
_MANY: Final = 9


def table_as_markdown() -> str:
    """Return the table: one line per metric, labels with their sets of values."""
    lines = ["| metric | type | meaning | labels |", "|---|---|---|---|"]
    lines += [f"| `{row.name}` | {row.kind} | {row.says} | {_labels(row)} |" for row in TABLE]
    lines += ["", "| label set | values |", "|---|---|"]
    used = sorted({of for row in TABLE for _, of in row.labels if of in SETS})
    lines += [f"| {of} | {', '.join(f'`{value}`' for value in SETS[of])} |" for of in used]
    return "\n".join(lines) + "\n"


def _labels(row: Row) -> str:
    said = []
    for name, of in row.labels:
        if of in CONFIGURED:
            said.append(f"`{name}` (configuration)")
        elif of in SETS and len(SETS[of]) < _MANY:
            said.append(f"`{name}` ({', '.join(SETS[of])})")
        else:
            said.append(f"`{name}` ({of})")
    return "; ".join(said) or "none"


def main(document: Path) -> None:
    """Write the table into the document."""
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    document.write_text(f"{before}{BEGIN}{table_as_markdown()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
