"""What left, what came and what was refused, as KasmVNC's DLP lines tell it.

``info`` tells sizes and kinds; ``verbose`` also what was copied and typed, and
is to be kept as a secret then.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Callable, Optional
from urllib.parse import quote_from_bytes

from twisted.logger import Logger

from kasmd.interfaces import ClipboardContent

#: Keys that are told at once, and seconds after which the next key tells those before it.
MAX_KEYS = 100
KEYS_SECONDS = 60.0
#: Bytes of what was copied that are told.
MAX_CONTENT = 1024

_RETURN, _KP_ENTER = 0xFF0D, 0xFF8D

_log = Logger()


class Level(IntEnum):
    """How much is written down."""

    OFF = 0
    INFO = 1
    VERBOSE = 2


class Witness:
    """Writes down what ``name`` does; ``now`` is seconds that never jump."""

    def __init__(self, level: Level, name: str, now: Callable[[], float]) -> None:
        self._level = level
        self._name = name
        self._now = now
        self._keys: list[str] = []
        self._first_at = 0.0

    def transferred(self, verb: str, content: Optional[ClipboardContent]) -> None:
        """Tell that ``content`` was ``sent`` or ``received``."""
        if self._level is Level.OFF:
            return
        for kind, data in (content or {}).items():
            shown = ""
            if self._level is Level.VERBOSE:
                shown = f": {quote_from_bytes(data[:MAX_CONTENT])}"
            self._tell(f"{verb} {kind}, {len(data)} bytes{shown}")

    def refused(self, verb: str, kind: str, why: str) -> None:
        """Tell that something was not to ``send`` or ``receive``."""
        if self._level is not Level.OFF:
            self._tell(f"refused to {verb} {kind}, {why}")

    def typed(self, keysym: int) -> None:
        """Tell of a key, together with others."""
        if self._level is not Level.VERBOSE:
            return
        now = self._now()
        if self._keys and now - self._first_at >= KEYS_SECONDS:
            self.close()
        if not self._keys:
            self._first_at = now
        self._keys.append(_shown(keysym))
        if keysym in (_RETURN, _KP_ENTER) or len(self._keys) >= MAX_KEYS:
            self.close()

    def close(self) -> None:
        """Tell the keys that were not told yet."""
        if self._keys:
            self._tell(f"typed {''.join(self._keys)}")
            self._keys.clear()

    def _tell(self, text: str) -> None:
        _log.info("DLP: client {name}: {text}", name=ascii(self._name), text=text)


def _shown(keysym: int) -> str:
    character = chr(keysym) if keysym < 0x7F else ""
    return character if character.isalnum() else f"%{keysym:04X}"
