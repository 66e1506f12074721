"""A file on its way into a folder: under a hidden name, until all of it is on the disk.

All of this blocks, and is done on a worker; `Arriving.wanted` alone is set from outside.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from secrets import token_hex
from typing import Optional

from twisted.logger import Logger

from kasmd.web.file_names import numbered

#: What a file is called before it has its name; no name that is allowed begins so.
PREFIX = ".kasmd-upload-"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LEFT = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_log = Logger(namespace="kasmd.uploads")


class Arriving:
    """A file of ours in ``folder``, which is made where there is none; 0600.

    Every member raises OSError: ENOSPC where the disk has no room for ``length``
    bytes, EEXIST where the name is taken.  `close` must be called at last.
    """

    def __init__(self, folder: str, name: str, length: int, number: bool) -> None:
        #: While it is not, the file is written no further, gets no name, and loses one.
        self.wanted = True
        self._name = name
        self._number = number
        self._kept: Optional[str] = None
        self._temporary = PREFIX + token_hex(8)
        with suppress(FileExistsError):
            os.makedirs(folder, 0o700)
        self._directory = os.open(folder, _DIRECTORY)
        try:
            self._look(length)
            self._file = os.open(self._temporary, _NEW, 0o600, dir_fd=self._directory)
        except OSError:
            os.close(self._directory)
            raise
        # For `sweep`: this one is in use.  Where nothing can be locked, nothing is swept.
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def _look(self, length: int) -> None:
        """Find out now what would be in vain after all of it came."""
        if not self._number and _is_there(self._name, self._directory):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        disk = os.fstatvfs(self._directory)
        if length > disk.f_bavail * disk.f_frsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        rest = memoryview(data)
        while rest and self.wanted:
            rest = rest[os.write(self._file, rest) :]

    def keep(self) -> str:
        """Give it a name that was free until now, durably; gives the name."""
        os.fsync(self._file)
        names = numbered(self._name) if self._number else (self._name,)
        for name in names:
            with suppress(FileExistsError):
                self._give(name)
                os.fsync(self._directory)
                return name
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _give(self, name: str) -> None:
        # A rename would replace what has the name.
        if not self.wanted:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        os.link(
            self._temporary, name, src_dir_fd=self._directory, dst_dir_fd=self._directory,
            follow_symlinks=False,
        )
        self._kept = name

    def close(self) -> None:
        """Remove what it was called until now, and all of it unless it is kept and wanted."""
        try:
            os.unlink(self._temporary, dir_fd=self._directory)
            if self._kept is not None and not self.wanted:
                os.unlink(self._kept, dir_fd=self._directory)
        except OSError as error:
            _log.error("What came of {name} stays: {error}", name=self._name, error=error)
        finally:
            os.close(self._file)
            os.close(self._directory)


def _is_there(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def sweep(folder: str) -> None:
    """Remove what a daemon that was killed left in ``folder``."""
    with suppress(FileNotFoundError):
        directory = os.open(folder, _DIRECTORY)
        try:
            for name in os.listdir(directory):
                if name.startswith(PREFIX):
                    _remove(name, directory)
        finally:
            os.close(directory)


def _remove(name: str, directory: int) -> None:
    # Of what is no file of ours, or in use by another daemon, nothing is touched.
    with suppress(OSError), open(os.open(name, _LEFT, dir_fd=directory), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=directory)
