"""Runs the benchmark, prints one table, and writes JSON. What each part measures stands in parts.py."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench.parts import PARTS
from tests.bench.plan import Plan
from tests.bench.report import Report


def main() -> int:
    """Parse the arguments and run. Exit code 1 when a request failed anywhere."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measurement (default 4)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, interleaved (default 3)")
    parser.add_argument("--sockets", type=int, default=1000, help="idle WebSockets (default 1000)")
    parser.add_argument("--json", type=Path, default=Path(".bench.json"), help="where the figures go (.bench.json)")
    given = parser.parse_args()
    if unknown := [name for name in given.parts if name not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as directory:
        plan = Plan(Path(directory), given.seconds, given.rounds, given.sockets)
        for name in given.parts or PARTS:
            print(f"... {name}", file=sys.stderr, flush=True)  # noqa: T201 - a program's own output
            home = plan.directory / name
            home.mkdir()
            PARTS[name](plan.within(home), report)
    print(report.table())  # noqa: T201
    given.json.write_text(report.json())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
