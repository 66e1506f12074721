"""SHA-256 crypt: by the system's libcrypt, or by passlib where there is none.

A check takes milliseconds.  In C it is made without Python's lock, so that a
storm of wrong passwords on one thread does not hold up pictures on another.
"""

from __future__ import annotations

import ctypes
from typing import Callable, Optional

from passlib.hash import sha256_crypt

#: (password, salt, rounds) to the 43 characters after the last ``$``.
Checksum = Callable[[bytes, str, int], str]

#: libxcrypt's struct crypt_data has 32 KiB, glibc's had 128.
_DATA_SIZE = 1 << 18
_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
_KNOWN_CHECKSUM = "M.z5TLjdOq8hLv4c3HJaD5mKBkD6uIV8a1mkEVonCq/"


def by_passlib(password: bytes, salt: str, rounds: int) -> str:
    """Work in Python."""
    made = sha256_crypt.using(salt=salt, rounds=rounds).hash(password)
    return str(made).rpartition("$")[2]


def by_libcrypt() -> Optional[Checksum]:
    """Give what works in C, or None where it is not there or gives something else."""
    for name in _LIBRARIES:
        try:
            crypt_r = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        crypt_r.argtypes = ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p
        crypt_r.restype = ctypes.c_char_p

        def checksum(password: bytes, salt: str, rounds: int) -> str:
            setting = f"$5$rounds={rounds}${salt}$".encode("ascii")
            made = crypt_r(password, setting, ctypes.create_string_buffer(_DATA_SIZE)) or b""
            # A setting that it does not take gives ``*0``, which is no checksum.
            return made.rpartition(b"$")[2].decode("ascii")

        if checksum(b"password", "kasm", 5000) == _KNOWN_CHECKSUM:
            return checksum
    return None


checksum: Checksum = by_libcrypt() or by_passlib
