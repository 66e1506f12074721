"""A small file that is read whole and replaced whole, or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager
from typing import Iterator, Optional

from twisted.logger import Logger

#: No file that is read here needs more; 8,000 accounts fit.
SIZE_LIMIT = 1 << 20
#: Another writer needs milliseconds; one that takes longer hangs.
LOCK_SECONDS = 0.25
_LOCK_STEP = 0.01

_log = Logger()


def read(path: str) -> Optional[bytes]:
    """Give the content, or None where there is no such file.

    Raises OSError, also for what is no regular file or over SIZE_LIMIT.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("not a regular file")
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise OSError(f"larger than {SIZE_LIMIT} bytes")
    return content


def warn_if_open(path: str) -> None:
    """Tell the log where everybody on this machine may read a file."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return
    if mode & stat.S_IROTH:
        _log.warn("{path}: everybody on this machine may read it (mode {mode}); make it 0600",
                  path=path, mode=f"{mode:04o}")


@contextmanager
def exclusive(path: str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Keep other writers of ``path`` out, by a lock on ``path``.lock, which stays.

    Raises TimeoutError (an OSError) after ``seconds``; with 0 it never blocks.
    """
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _lock(fd, seconds)
        yield
    finally:
        os.close(fd)


def replace(path: str, content: bytes, signature: str = "") -> None:
    """Replace a file by ``content``, mode 0600, so that a power cut leaves old or new.

    Call it under `exclusive` where others write too.  Raises OSError; then the
    old file is untouched and nothing is left beside it.  `signed` gives the
    ``signature`` until somebody else writes the file.
    """
    if len(content) > SIZE_LIMIT:
        raise OSError(f"larger than {SIZE_LIMIT} bytes")
    directory, name = os.path.split(path)
    new = os.path.join(directory, f".{name}.new")
    try:
        _write(new, content)
        if signature:
            _sign(path, new, signature)
        os.rename(new, path)
    except OSError:
        _unlink(new)
        raise
    _sync_directory(directory or ".")


def signed(path: str) -> str:
    """Give the signature of whoever wrote the file as it is now, if there is one."""
    try:
        identity, _, signature = (read(f"{path}.lock") or b"").partition(b" ")
        if identity != _identity(path):
            return ""
    except OSError:
        return ""
    return signature.decode("utf-8", "replace")


def _sign(path: str, new: str, signature: str) -> None:
    # Into the lock, which only its holder writes, and before the rename, which keeps the identity.
    with open(f"{path}.lock", "wb", buffering=0) as file:
        file.write(_identity(new) + b" " + signature.encode("utf-8", "replace"))


def _identity(path: str) -> bytes:
    status = os.stat(path)
    return b"%d.%d" % (status.st_ino, status.st_mtime_ns)


def _lock(fd: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError("another program is writing it") from None
        time.sleep(_LOCK_STEP)


def _write(path: str, content: bytes) -> None:
    # A writer that was killed may have left one, and the lock says it is not in use.
    _unlink(path)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "wb", buffering=0) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(fd)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _sync_directory(directory: str) -> None:
    """Make the rename durable; the change is made already, so a failure is only told."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        warning = "{directory}: a power cut may undo the last change: {error}"
        _log.warn(warning, directory=directory, error=error)
