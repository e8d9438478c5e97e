"""The document of metrics is written from the table."""

from pathlib import Path

from gateway.observe.metrics_doc import BEGIN, END, main, table_as_markdown
from gateway.observe.metrics_table import TABLE


def test_every_metric_has_its_line() -> None:
    text = table_as_markdown()
    assert all(f"| `{row.name}` | {row.kind} |" in text for row in TABLE)


def test_only_what_is_between_the_marks_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.md"
    path.write_text(f"before\n{BEGIN}old\n{END}\nafter\n")
    main(path)
    assert path.read_text() == f"before\n{BEGIN}{table_as_markdown()}{END}\nafter\n"
