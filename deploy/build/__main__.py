"""Writes every generated file of deploy/ and docs/runbook/: `python -m deploy.build`."""

from __future__ import annotations

from pathlib import Path

from deploy.build import grafana, prometheus

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Write the files, and remove pages of alerts that are gone."""
    made = prometheus.files() | grafana.files()
    for path in (ROOT / "docs" / "runbook").glob("*.md"):
        if str(path.relative_to(ROOT)) not in made:
            path.unlink()
    for name, text in made.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
