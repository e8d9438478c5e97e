"""Disks that fail: what was acknowledged is there, the log goes on in a new segment, and still verifies."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.ledger import AuditWriteFailedError
from gateway.observe.audit.verify import verify
from tests.observe.audit.making import Made, lines_of, settings_for, trusting, use


class Faulty(FileSystem):
    """A file system that fails on demand: `fail` is asked with the name of each operation, and raises."""

    def __init__(self) -> None:
        self.fail: Callable[[str], None] = lambda operation: None
        self.short = False

    def create(self, path: Path) -> int:
        self.fail("create")
        return super().create(path)

    def write(self, fd: int, data: bytes) -> int:
        self.fail("write")
        if self.short:
            self.short = False
            return super().write(fd, data[: len(data) // 2])
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self.fail("sync")
        super().sync(fd)


def once(operation: str, error: int) -> Callable[[str], None]:
    """Fail the next such operation."""
    left = [1]

    def fail(name: str) -> None:
        if name == operation and left[0]:
            left[0] -= 1
            raise OSError(error, os.strerror(error))

    return fail


def always(operation: str, error: int) -> Callable[[str], None]:
    """Fail every such operation."""

    def fail(name: str) -> None:
        if name == operation:
            raise OSError(error, os.strerror(error))

    return fail


def request_ids(made: Made) -> list[str]:
    """Every request id that verifies, in order, as a reader finds it."""
    import orjson

    from gateway.observe.audit.plan import plan_of
    from gateway.observe.audit.prune import _valid_lines

    steps = plan_of(made.segments).steps
    documents = [orjson.loads(line) for step in steps for line in _valid_lines(step)]
    return [item["http.request.id"] for item in documents if "http.request.id" in item]


@pytest.mark.parametrize(
    ("operation", "error", "reason"),
    [
        ("write", errno.ENOSPC, "enospc"),
        ("write", errno.EIO, "eio"),
        ("sync", errno.EIO, "fsync"),
        ("write", errno.EPERM, "other"),
    ],
)
def test_a_failed_write_goes_to_a_new_segment_and_nothing_is_lost_or_doubled(
    tmp_path: Path, operation: str, error: int, reason: str
) -> None:
    files = Faulty()
    made = Made(tmp_path, files=files).add(3)
    files.fail = once(operation, error)
    made.add(3).close()
    assert made.faults == [reason]
    assert len(made.segments) == 2
    assert request_ids(made) == [f"r{n}" for n in range(6)]
    assert verify([tmp_path], trusting()).verdict == "intact"


def test_a_short_write_is_a_failed_write(tmp_path: Path) -> None:
    files = Faulty()
    made = Made(tmp_path, files=files).add(3)
    files.short = True
    made.add(2).close()
    assert made.faults == ["enospc"]
    assert request_ids(made) == [f"r{n}" for n in range(5)]
    report = verify([tmp_path], trusting())
    assert (report.verdict, [item.kind for item in report.findings]) == ("intact", ["VOID"])


def test_a_failed_descriptor_is_never_written_again(tmp_path: Path) -> None:
    files = Faulty()
    made = Made(tmp_path, files=files).add(2)
    before = made.path.read_bytes()
    files.fail = once("write", errno.EIO)
    made.add(5).close()
    assert made.segments[0].path.read_bytes() == before


def test_the_other_directory_is_tried_next_and_left_again(tmp_path: Path) -> None:
    files = Faulty()
    other = tmp_path / "other"
    made = Made(tmp_path / "log", files=files, settings=settings_for(tmp_path / "log", fallback_dir=other)).add(2)
    (tmp_path / "log").rename(tmp_path / "gone")
    (tmp_path / "log").write_text("in the way")
    made.hand.move(1)
    made.ledger.tick()
    assert [path.suffix for path in other.iterdir()] == [".jsonl"]
    (tmp_path / "log").unlink()
    (tmp_path / "gone").rename(tmp_path / "log")
    made.hand.move(61)
    made.ledger.tick()
    made.add(1).close()
    assert len(list(other.iterdir())) == 1
    assert len(made.segments) == 2
    report = verify([tmp_path / "log", other], trusting())
    assert "MISSING" not in [item.kind for item in report.findings]
    assert report.verdict == "intact"


def test_when_no_directory_takes_it_the_caller_hears_and_may_try_again(tmp_path: Path) -> None:
    files = Faulty()
    made = Made(tmp_path, files=files).add(1)
    files.fail = always("write", errno.ENOSPC)
    with pytest.raises(AuditWriteFailedError) as caught:
        made.ledger.append([use(1)])
    assert caught.value.reason == "enospc"
    files.fail = lambda operation: None
    made.number = 1
    made.add(1).close()
    assert request_ids(made) == ["r0", "r1"]
    assert verify([tmp_path], trusting()).verdict == "intact"


@pytest.mark.parametrize("how", ["unlinked", "replaced", "cut", "appended"])
def test_a_live_file_that_somebody_touches_is_left_within_a_second(tmp_path: Path, how: str) -> None:
    made = Made(tmp_path).add(5, seconds=0.5)
    path = made.path
    data = path.read_bytes()
    if how == "cut":
        os.truncate(path, 100)
    elif how == "appended":
        path.write_bytes(data + b"x")
    else:
        path.unlink()
        if how == "replaced":
            path.write_bytes(data)
    made.hand.move(1)
    made.ledger.tick()
    made.add(1).close()
    assert made.faults == ["unlinked"]
    last = made.segments[-1].path
    assert b'"event.action":"audit.gap"' in lines_of(last)[1]
    report = verify([tmp_path], trusting())
    expected = {"unlinked": "MISSING", "replaced": "intact", "cut": "EDITED", "appended": "intact"}[how]
    if expected == "intact":
        assert report.verdict == "intact"
    else:
        assert report.exit_code == 5


def test_segments_end_by_size_and_by_age(tmp_path: Path) -> None:
    made = Made(tmp_path, settings=settings_for(tmp_path, segment_max_bytes=4_000, segment_max_age_s=100.0))
    made.add(3)
    made.ledger.tick()
    made.add(1)
    assert len(made.segments) == 2
    made.hand.move(101)
    made.ledger.tick()
    made.add(1).close()
    assert len(made.segments) == 3
    assert [b'"gateway.segment.cause":"%b"' % cause in lines_of(item.path)[0] for cause, item in
            zip((b"start", b"size", b"age"), made.segments, strict=True)] == [True, True, True]  # fmt: skip


def test_checkpoints_come_by_count_by_time_and_when_idle(tmp_path: Path) -> None:
    made = Made(tmp_path, settings=settings_for(tmp_path, checkpoint_max_records=10))
    made.write([use(n) for n in range(9)])
    assert made.ledger.tick() is None
    written = made.ledger.append([use(n) for n in range(12)])
    assert written.sealed is not None
    assert made.ledger.append([use(1)]).sealed is None
    made.hand.move(1)
    assert made.ledger.tick() is not None
    made.hand.move(30)
    assert made.ledger.tick() is None
    made.hand.move(31)
    assert made.ledger.tick() is not None
    made.close()


def test_files_are_readable_by_the_group_only_and_never_through_a_link(tmp_path: Path) -> None:
    made = Made(tmp_path / "log").add(1).close()
    assert made.path.stat().st_mode & 0o777 == 0o640
    target = tmp_path / "elsewhere"
    link = tmp_path / "log" / f"{made.writer}.000001.jsonl"
    link.symlink_to(target)
    with pytest.raises(FileExistsError):
        FileSystem().create(link)
    assert not target.exists()


def test_a_full_device_is_a_failed_write() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="No space left") as caught:
            FileSystem().write(fd, b"x")
        assert caught.value.errno == errno.ENOSPC
    finally:
        os.close(fd)


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from tests.observe.audit.making import Made, use
from gateway.observe.audit.ledger import AuditWriteFailedError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
made = Made(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
done = 0
for number in range(40):
    made.ledger.append([use(number)])
    done += 1
made.close()
print(done, *sorted(set(made.faults)))
"""


def test_a_file_size_limit_moves_the_log_to_new_segments(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE is not None
    result = subprocess.run([sys.executable, "-c", _LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["40", "enospc"]
    report = verify([tmp_path], trusting())
    assert report.verdict == "intact"
    from gateway.observe.audit.query import Filter, search

    assert (
        len(
            {
                item.document["http.request.id"]
                for item in search([tmp_path], Filter(actions=frozenset(["proxy.allowed"])))
            }
        )
        == 40
    )
