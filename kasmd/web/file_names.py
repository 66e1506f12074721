"""What a file may be called that somebody brings: one name, the same on every system."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import Iterator

#: Bytes of a name (NAME_MAX of Linux's file systems).
MAX_NAME = 255
#: Names that are tried where the first is taken.
MAX_NUMBER = 999
#: Control characters, formats (among them bidirectional overrides and zero width),
#: surrogates, and what breaks lines.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_DRIVE = re.compile(r"[A-Za-z]:")
#: Windows opens a device by these, whatever follows the first dot.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\..*)?", re.IGNORECASE)


def checked(name: str) -> str:
    """Give ``name`` back; ValueError says what is wrong with it."""
    if any(unicodedata.category(character) in _UNSEEN for character in name):
        raise ValueError("has a character that cannot be seen")
    if "/" in name or "\\" in name or _DRIVE.match(name):
        raise ValueError("must be a name, not a path")
    if not name or name.startswith("."):
        raise ValueError("must not be empty or begin with a dot")
    if name != name.strip() or name.endswith("."):
        raise ValueError("must not begin or end with a space, nor end with a dot")
    if _DEVICE.fullmatch(name):
        raise ValueError("is the name of a device on Windows")
    if len(name.encode()) > MAX_NAME:
        raise ValueError(f"must have at most {MAX_NAME} bytes")
    return name


def numbered(name: str) -> Iterator[str]:
    """Give ``name`` and those to try next: ``a (2).txt``, ``a (3).txt``..."""
    yield name
    stem, suffix = os.path.splitext(name)
    for number in range(2, MAX_NUMBER + 1):
        tail = f" ({number}){suffix}"
        room = MAX_NAME - len(tail.encode())
        # A suffix that leaves no room is none.
        yield _cut(stem, room) + tail if room > 0 else _cut(name, MAX_NAME - 6) + f" ({number})"


def _cut(text: str, size: int) -> str:
    """Give as much of the beginning as has ``size`` bytes at most."""
    return text.encode()[:size].decode(errors="ignore")
