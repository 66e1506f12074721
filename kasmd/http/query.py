"""What follows the question mark: names and values, decoded once and strictly.

Values mean what KasmVNC takes them to mean, so its callers can stay as they are.
"""

from __future__ import annotations

import re
from typing import AbstractSet as Set
from typing import Optional
from urllib.parse import unquote_to_bytes

from kasmd.errors import ProtocolError

#: Digits of a number that are read; more than this is beyond every size there is.
MAX_DIGITS = 9

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_DIGITS = re.compile("[0-9]+")


class Query:
    """``key=value`` pairs between ampersands; of several of one key the first counts.

    A plus sign is no space.  ProtocolError where an escape is none, or what it
    gives is not UTF-8.
    """

    def __init__(self, raw: bytes) -> None:
        self._values: dict[str, str] = {}
        for pair in raw.split(b"&") if raw else ():
            key, _, value = pair.partition(b"=")
            self._values.setdefault(_decoded(key), _decoded(value))

    @property
    def keys(self) -> Set[str]:
        """Every key that comes."""
        return self._values.keys()

    def text(self, key: str) -> str:
        """Give a value, or an empty text."""
        return self._values.get(key, "")

    def number(self, key: str, default: int) -> int:
        """Give the number a value begins with, or ``default`` where it begins with none."""
        digits = _DIGITS.match(self.text(key))
        return int(digits[0][:MAX_DIGITS]) if digits else default

    def flag(self, key: str) -> Optional[bool]:
        """Tell what a value that begins with a letter says, None for any other.

        ``true`` and its beginnings (``t``, ``tr``) are true, all else is false.
        """
        value = self.text(key)
        if not (value[:1].isascii() and value[:1].isalpha()):
            return None
        return "true".startswith(value)


def _decoded(value: bytes) -> str:
    if _BAD_ESCAPE.search(value):
        raise ProtocolError("the query has a percent sign that begins no escape")
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("the query is not UTF-8") from None
