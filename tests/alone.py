"""What `make unit` does with tests that failed while others ran beside them: each is run once more, alone.

A browser, a disk or a store that other tests keep busy can make a sound test late. The rule: it is told loudly, more
than a handful is never excused, and a test that fails alone fails the build.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

FAILED: Final = Path(".pytest_cache/whole/v/cache/lastfailed")
"""Written by the run with `-o cache_dir=.pytest_cache/whole --cache-clear`."""
AT_MOST: Final = 3


def main(status: int) -> int:
    """After pytest ended with `status`, run the few that failed once more; the exit status of the build."""
    if status != pytest.ExitCode.TESTS_FAILED:  # interrupted, or broken in itself
        return status
    try:
        failed = sorted(json.loads(FAILED.read_text()))
    except (OSError, ValueError):
        failed = []
    if not 0 < len(failed) <= AT_MOST:
        sys.stderr.write(f"{len(failed)} tests failed; only 1 to {AT_MOST} are run once more.\n")
        return 1
    sys.stderr.write("\n  ".join(("UNSTABLE: failed beside other tests, run once more alone:", *failed)) + "\n")
    alone = subprocess.call([sys.executable, "-m", "pytest", "-n", "0", "-v", *failed])
    sys.stderr.write("They passed alone: mend them.\n" if alone == 0 else "They fail alone too.\n")
    return alone


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
