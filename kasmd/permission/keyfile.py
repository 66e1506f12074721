"""A file of keys that two hops share: one a line, read again when it changes."""

from __future__ import annotations

import os
import re
import stat
import time
from secrets import token_hex
from typing import Any, Callable, Optional

from twisted.logger import Logger

from kasmd.errors import AccountsError
from kasmd.permission import durable
from kasmd.permission.watch import WatchedFile

_log = Logger(namespace="kasmd.permission")

#: Seconds between two looks at the file.
LOOK_INTERVAL = 1.0
#: Keys in one file: the one in use, and those that are on their way in or out.
MAX_KEYS = 4
_KEY = re.compile(rb"[0-9a-f]{64}\Z")

_Identity = Optional[tuple[int, int, int]]


def load_keys(path: str) -> tuple[bytes, ...]:
    """Read a file of keys, 0600, one of 64 hexadecimal digits a line (AccountsError).

    It is made with one key where there is none.
    """
    try:
        content = durable.read(path)
        if content is None:
            content = token_hex(32).encode("ascii") + b"\n"
            durable.replace(path, content)
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError as error:
        raise AccountsError(f"{path}: {error.strerror or error}") from error
    if mode & 0o077:
        raise AccountsError(f"{path}: is open to others (mode {mode:04o}); make it 0600")
    lines = content.split()
    if not 0 < len(lines) <= MAX_KEYS or not all(map(_KEY.match, lines)):
        raise AccountsError(f"{path}: must hold 64 hexadecimal digits a line, {MAX_KEYS} at most")
    return tuple(bytes.fromhex(line.decode("ascii")) for line in lines)


class KeyFile:
    """The keys of one file (AccountsError if it is wrong at first).

    One that becomes wrong later, or goes, is logged once, and the last good keys
    stay.  It looks at the file when it is asked, and at most once a second.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        before = self._look()
        self._keys = load_keys(path)
        self._identity = before or self._look()
        self._looked = clock()

    def keys(self) -> tuple[bytes, ...]:
        """Give the keys; the very same object as before unless the file was edited."""
        if self._clock() - self._looked >= LOOK_INTERVAL:
            self.look()
        return self._keys

    def look(self) -> bool:
        """Look at the file now; tell whether the keys are others than before."""
        self._looked = self._clock()
        before, identity = self._keys, self._look()
        if identity != self._identity:
            self._identity = identity
            self._renew(identity)
        return self._keys is not before

    def _look(self) -> _Identity:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_mode

    def _renew(self, identity: _Identity) -> None:
        try:
            if identity is None:
                raise AccountsError(f"{self.path}: is gone")
            self._keys = load_keys(self.path)
        except AccountsError as error:
            _log.warn("{error}; the keys stay as they were", error=error)
        else:
            _log.info("{path} was read again: {count} keys", path=self.path,
                      count=len(self._keys))


class WatchedKeys(WatchedFile):
    """Looks at ``keys`` as soon as their file is edited, and says when they ``changed``.

    For whoever remembers what was signed or believed by them.
    """

    def __init__(self, reactor: Any, keys: KeyFile, changed: Callable[[], None]) -> None:
        self._keys = keys
        self._changed = changed
        super().__init__(reactor, keys.path)

    def look(self) -> None:
        """Read the keys again if they were edited, and tell."""
        if self._keys.look():
            self._changed()
