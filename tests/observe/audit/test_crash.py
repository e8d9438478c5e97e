"""Processes that are killed, and several at once: no acknowledged grant is missing, and what is left verifies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.verify import Options, verify
from tests.observe.audit.making import key

_WORKER = """
import asyncio, sys
from pathlib import Path
from gateway.observe.audit import records
from gateway.observe.audit.log import AuditLog
from tests.observe.audit.making import START, settings_for, use

async def main(directory, first, count):
    log = AuditLog(settings_for(Path(directory)))
    await log.open()
    print("open", flush=True)
    who = records.subject(site="shop")
    async def grants(lane):
        number = first + lane
        while number < first + count:
            ref = f"h:{number:032x}"
            named = {"auth_method": "oidc", "session_ref": ref, "expires_at": START + 60}
            await log.grant(records.session_issued(at=START, who=who, **named))
            print(ref, flush=True)
            log.try_use(use(number))
            number += 8
    await asyncio.gather(*(grants(lane) for lane in range(8)))
    await log.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


def start(directory: Path, first: int, count: int = 10**9) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(directory), str(first), str(count)], stdout=subprocess.PIPE, text=True
    )


def granted(directory: Path) -> set[str]:
    return {
        item.document["gateway.ref.session"]
        for item in search([directory], Filter(actions=frozenset(["session.issued"])))
    }


@pytest.mark.timeout(300)
def test_no_acknowledged_grant_is_missing_after_kill_9(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for turn in range(6):
        process = start(tmp_path, turn * 10**9)
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        enough = 20 + 60 * turn
        while len(lines) < enough:
            lines.append(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
        process.stdout.close()
        process.wait()
        acknowledged |= {
            line.strip() for line in lines if line.startswith("h:") and line.endswith("\n") and len(line) == 35
        }
    assert len(acknowledged) > 500
    assert acknowledged <= granted(tmp_path)
    last = start(tmp_path, 9 * 10**9, 8)
    last.communicate()
    assert last.returncode == 0
    report = verify([tmp_path], Options(keys=[key()]))
    assert report.verdict == "intact", [item for item in report.findings if item.severity != "information"]
    assert len(report.writers) == 7
    assert {item.kind for item in report.findings} <= {"RECOVERED", "TORN_TAIL"}


def test_three_processes_at_once_write_three_logs(tmp_path: Path) -> None:
    processes = [start(tmp_path, number * 1_000, 200) for number in range(3)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert len(granted(tmp_path)) == 600
    report = verify([tmp_path], Options(keys=[key()]))
    assert (report.verdict, len(report.writers), report.findings) == ("intact", 3, [])
