"""Text of strangers made harmless for a log: one line of printable ASCII.

Line breaks would forge lines, escape codes would act on the reader's terminal,
bidirectional controls would turn a line round; so nothing but ASCII from space
to tilde stays, and the rest is written as Python writes it (``\\x1b``).
"""

from __future__ import annotations

import re
from functools import lru_cache

#: What of a path or a name is worth a line.
FIELD_LIMIT = 256
#: No line is longer than this before its escapes.
LINE_LIMIT = 4096

_UNPRINTABLE = re.compile(r"[^ -~]")
_UNQUOTABLE = re.compile(r'[^ -~]|["\\]')
_BREAKING = re.compile(r'[^!-~]|["\\]')


def neutral(text: str, limit: int = LINE_LIMIT) -> str:
    """Give ``text`` for the end of a line, where quotes mean nothing."""
    return _UNPRINTABLE.sub(_escape, _cut(text, limit))


def quoted(text: str, limit: int = FIELD_LIMIT) -> str:
    """Give ``text`` for between two quotes, which it cannot end."""
    text = _cut(text, limit)
    # Most are harmless, which this finds ten times faster than the pattern.
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return _UNQUOTABLE.sub(_escape, text)


def word(text: str, limit: int = FIELD_LIMIT) -> str:
    """Give ``text`` as one field of a line, without spaces; ``-`` for nothing."""
    return _word(text if len(text) <= limit else _cut(text, limit))


@lru_cache(maxsize=1024)
def _word(text: str) -> str:
    """Addresses and names come again and again."""
    return _BREAKING.sub(_escape, text) or "-"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
