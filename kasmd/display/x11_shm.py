"""System V shared memory, by which an X server of this machine gives pixels."""

from __future__ import annotations

import ctypes
import os

import numpy as np
from numpy.typing import NDArray

_IPC_PRIVATE = 0
_IPC_CREAT = 0o1000
_IPC_RMID = 0

_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmget.argtypes = ctypes.c_int, ctypes.c_size_t, ctypes.c_int
_libc.shmat.argtypes = ctypes.c_int, ctypes.c_void_p, ctypes.c_int
_libc.shmat.restype = ctypes.c_void_p
_libc.shmdt.argtypes = (ctypes.c_void_p,)
_libc.shmctl.argtypes = ctypes.c_int, ctypes.c_int, ctypes.c_void_p


class Segment:
    """``size`` bytes, ours alone (0600); OSError where there are none.

    ``memory`` must not be used after `close`.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.ident = _checked(_libc.shmget(_IPC_PRIVATE, size, _IPC_CREAT | 0o600))
        self._address = _libc.shmat(self.ident, None, 0)
        if self._address in (None, ctypes.c_void_p(-1).value):
            self.forget()
            _checked(-1)
        array = (ctypes.c_uint8 * size).from_address(self._address)
        self.memory: NDArray[np.uint8] = np.ctypeslib.as_array(array)

    def forget(self) -> None:
        """Let it vanish when the last process detaches, so that none can leak it."""
        _libc.shmctl(self.ident, _IPC_RMID, None)

    def close(self) -> None:
        """Detach."""
        self.memory = np.empty(0, np.uint8)
        _libc.shmdt(self._address)


def _checked(result: int) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"shared memory: {os.strerror(code)}")
    return result
