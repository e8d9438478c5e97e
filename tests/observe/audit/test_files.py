"""The file operations: modes, links, locks."""

import os
from pathlib import Path

import pytest

from gateway.observe.audit.files import FileSystem

FILES = FileSystem()


def test_a_created_file_is_locked_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    fd = FILES.create(path)
    assert not FILES.is_abandoned(path)
    FILES.close(fd)
    assert FILES.is_abandoned(path)
    assert not FILES.is_abandoned(tmp_path / "none")


def test_what_is_written_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "a"
    fd = FILES.create(path)
    assert FILES.write(fd, b"one") == 3
    path.write_bytes(b"other")
    FILES.write(fd, b"two")
    FILES.sync(fd)
    assert FILES.size(fd) == 8
    FILES.close(fd)
    assert path.read_bytes() == b"othertwo"


def test_an_existing_file_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(FileExistsError):
        FILES.create(tmp_path / "a")


def test_a_replaced_file_is_not_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a"
    fd = FILES.create(path)
    assert FILES.is_same(fd, path)
    path.rename(tmp_path / "b")
    assert not FILES.is_same(fd, path)
    path.symlink_to(tmp_path / "b")
    assert not FILES.is_same(fd, path)
    os.close(fd)


def test_directories_are_private(tmp_path: Path) -> None:
    FILES.make_dir(tmp_path / "x")
    assert (tmp_path / "x").stat().st_mode & 0o007 == 0
    assert FILES.free_bytes(tmp_path) > 0
    FILES.remove(tmp_path / "none")
