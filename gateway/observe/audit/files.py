"""The few file operations of the audit log, in one place so that tests can make each of them fail.

Leaves what to do about a failure to the ledger. Keeps two rules:
never through a symbolic link, never over an existing file.
"""

import fcntl
import os
from pathlib import Path

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_MODE = 0o640
_DIR_MODE = 0o750


class FileSystem:
    """The real file system."""

    def make_dir(self, path: Path) -> None:
        """Make the directory with its parents, mode 0750; raises OSError."""
        path.mkdir(mode=_DIR_MODE, parents=True, exist_ok=True)

    def create(self, path: Path) -> int:
        """Create a new file for appending, locked for this process, and make its name durable; raises OSError."""
        fd = os.open(path, _CREATE, _FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.sync_dir(path.parent)
        except OSError:
            os.close(fd)
            raise
        return fd

    def write(self, fd: int, data: bytes) -> int:
        """Write once; returns how many bytes were taken; raises OSError."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Return when the data are on the disk; raises OSError."""
        os.fdatasync(fd)

    def sync_dir(self, path: Path) -> None:
        """Return when the directory's entries are on the disk; raises OSError."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self, fd: int) -> None:
        """Close; raises OSError."""
        os.close(fd)

    def remove(self, path: Path) -> None:
        """Remove the file if it is there; raises OSError."""
        path.unlink(missing_ok=True)

    def is_same(self, fd: int, path: Path) -> bool:
        """Does the path still lead to the open file?"""
        try:
            there = path.lstat()
        except OSError:
            return False
        here = os.fstat(fd)
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def free_bytes(self, path: Path) -> int:
        """Bytes that may still be written below the path; raises OSError."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def total_bytes(self, path: Path) -> int:
        """Bytes that the file system below the path holds in all; raises OSError."""
        found = os.statvfs(path)
        return found.f_blocks * found.f_frsize

    def is_abandoned(self, path: Path) -> bool:
        """Is no process holding the file's lock? False also when the file is gone."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True

    def size(self, fd: int) -> int:
        """Bytes in the open file; raises OSError."""
        return os.fstat(fd).st_size
