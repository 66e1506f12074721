"""Where Xvfb keeps its screen: memory that we lend it, and read without asking.

Xvfb keeps the screen in a file of a directory of our choice, as a window dump.  There is
only a link there, to a descriptor that Xvfb inherits: the memory has no name by which
others could open it, ends with those who have it, and cannot be cut short under us.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
from contextlib import contextmanager, suppress
from functools import partial
from typing import Callable, Iterator, Mapping, Optional

import numpy as np
from twisted.logger import Logger

from kasmd.errors import ProtocolError
from kasmd.screen import xwd
from kasmd.screen.pixels import Pixels

#: The descriptor by which the X server has the memory.
_NUMBER = 4
_LINK = "Xvfb_screen0"
#: FALLOC_FL_PUNCH_HOLE, which must go with FALLOC_FL_KEEP_SIZE.
_PUNCH_HOLE = 2 | 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64


class ScreenMemory:
    """The memory of one Xvfb after the other; ``folder`` must be ours alone."""

    log = Logger()

    def __init__(self, folder: str) -> None:
        self.options = "-fbdir", folder
        self._folder = folder
        self._link = os.path.join(folder, _LINK)
        self._descriptor: Optional[int] = None

    @contextmanager
    def lend(self) -> Iterator[Mapping[int, int]]:
        """Make new memory for the X server that is started within."""
        self.close()
        os.makedirs(self._folder, 0o700, exist_ok=True)
        self._descriptor = os.memfd_create(_LINK, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        os.symlink(f"/proc/self/fd/{_NUMBER}", self._link)
        yield {_NUMBER: self._descriptor}

    def view(self) -> Optional[Pixels]:
        """Give the whole screen as the X server has it, which runs now, to be read only.

        None where it is not as we expect.  The fourth byte of a pixel may be anything.
        """
        if self._descriptor is None:
            return None
        self._unlink()
        try:
            return _mapped(self._descriptor, _dump(self._descriptor))
        except (OSError, ProtocolError) as error:
            self.log.info("the X server's memory cannot be read: {error}", error=error)
            self.close()
            return None

    def trimming(self, width: int, height: int) -> Callable[[], None]:
        """Give what makes all outside of this size black, and gives its memory back.

        Xvfb has written to all of it, for the largest size there may be.  It takes
        milliseconds, so call it on a thread.
        """
        if self._descriptor is None:
            return lambda: None
        return partial(_trim, os.dup(self._descriptor), _dump(self._descriptor), width, height)

    def close(self) -> None:
        """Let go of it; what is viewed, by us and the X server, stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._unlink()

    def _unlink(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._link)
        with suppress(OSError):  # what somebody else put there stays
            os.rmdir(self._folder)


def _dump(descriptor: int) -> xwd.Dump:
    head = os.pread(descriptor, xwd.HEAD_BYTES, 0)
    return xwd.parse(head, os.fstat(descriptor).st_size)


def _mapped(descriptor: int, dump: xwd.Dump) -> Pixels:
    length = dump.offset + dump.stride * dump.height
    memory = mmap.mmap(descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ)
    rows = np.frombuffer(memory, np.uint8, dump.stride * dump.height, dump.offset)
    return rows.reshape(dump.height, dump.stride)[:, : 4 * dump.width].reshape(
        dump.height, dump.width, 4
    )


def _trim(descriptor: int, dump: xwd.Dump, width: int, height: int) -> None:
    """Make holes in the dump, below and beside, and close it; what must be whole stays so."""
    stride, beside = dump.stride, dump.stride - 4 * width
    _punch(descriptor, dump.offset + stride * height, stride * (dump.height - height))
    if beside >= mmap.PAGESIZE:
        for row in range(height):
            _punch(descriptor, dump.offset + stride * row + 4 * width, beside)
    os.close(descriptor)


def _punch(descriptor: int, start: int, length: int) -> None:
    if length > 0:
        _libc.fallocate(descriptor, _PUNCH_HOLE, start, length)
