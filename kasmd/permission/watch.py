"""Tells when a file was edited, in whatever way, and is likely to be whole again.

Editors truncate and write, rename over, delete and create.  So the folder is
watched (inotify), and the file is left alone until its writer seems to be done.
Where the file is a link its target's folder is watched too, and every sign in
either counts, since a link on the way may have changed.

That something is written is watched for the file alone: a log in the same folder
is written to all the time, and each line would wake us.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Callable, Optional

from twisted.application.service import Service
from twisted.internet.error import ConnectionDone
from twisted.internet.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    INotify,
    INotifyError,
)
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

_FINISHED = IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB
_MISSING = IN_DELETE | IN_MOVED_FROM
_FOLDER_GONE = IN_DELETE_SELF | IN_MOVE_SELF
_OF_FOLDER = _FINISHED | _MISSING | _FOLDER_GONE | IN_CREATE

#: Seconds from the last sign of an edit to the call: after the writer closed
#: the file; while he may be busy, or has deleted it to make it anew.
SETTLED = 0.05
UNSETTLED = 0.4
#: An edit that goes on and on is told all the same.
LATEST = 0.8
#: A folder that is not there is looked for this often.
RETRY = 1.0


class _Kept(INotify):
    """Stays when what it watched is deleted.

    Where the machine is busy, the kernel takes 20 ms to close a descriptor of inotify.
    """

    def loseConnection(self, _reason: object = None) -> None:
        """What Twisted calls at the deletion."""


class FileWatch:
    """Calls ``edited`` after each edit of ``path``, also of its making and deletion."""

    def __init__(self, reactor: Any, path: str, edited: Callable[[], None]) -> None:
        self._reactor = reactor
        self._path = path
        self._edited = edited
        self._folders: dict[str, INotify] = {}
        #: Watches the file that has the name now.
        self._file: Optional[INotify] = None
        self._pending: Optional[IDelayedCall] = None
        self._first = 0.0

    def start(self) -> None:
        """Watch until `stop`."""
        self._follow()

    def stop(self) -> None:
        """Call no more."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        for folder in list(self._folders):
            self._leave(folder)
        self._leave_file()

    def _follow(self) -> None:
        """Watch the folders that matter now; look again where one is missing."""
        wanted = {os.path.dirname(self._path), os.path.dirname(os.path.realpath(self._path))}
        for folder in self._folders.keys() - wanted:
            self._leave(folder)
        for folder in wanted - self._folders.keys():
            if not self._watch(folder) and self._pending is None:
                self._first = self._reactor.seconds()
                self._pending = self._reactor.callLater(RETRY, self._settle)
        self._follow_file()

    def _follow_file(self) -> None:
        if self._file is None:
            self._file = _Kept(self._reactor)
            self._file.startReading()
        with suppress(KeyError):
            self._file.ignore(FilePath(self._path))
        with suppress(INotifyError):
            self._file.watch(FilePath(self._path), IN_MODIFY, callbacks=[self._written])

    def _leave_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.connectionLost(Failure(ConnectionDone()))

    def _watch(self, folder: str) -> bool:
        """Watch a folder; tell whether it is there."""
        notify = INotify(self._reactor)
        try:
            notify.watch(FilePath(folder), _OF_FOLDER, callbacks=[self._stirred])
        except INotifyError:
            notify.connectionLost(Failure(ConnectionDone()))
            return False
        notify.startReading()
        self._folders[folder] = notify
        return True

    def _leave(self, folder: str) -> None:
        self._folders.pop(folder).connectionLost(Failure(ConnectionDone()))

    def _stirred(self, _watch: object, path: FilePath[bytes], mask: int) -> None:
        where = os.fsdecode(path.path)
        if mask & IN_DELETE_SELF:
            self._folders.pop(where, None)  # Twisted closes this one itself
        elif mask & IN_MOVE_SELF:
            self._leave(where)
        elif where != self._path and not self._is_link():
            return
        if mask & (IN_CREATE | IN_MOVED_TO):
            self._follow_file()
        self._expect(mask)

    def _written(self, _watch: object, path: FilePath[bytes], mask: int) -> None:
        # Of its deletion the folder tells.
        if not mask & IN_DELETE_SELF:
            self._expect(mask)

    def _expect(self, mask: int) -> None:
        """Tell of an edit once its writer seems to be done."""
        now = self._reactor.seconds()
        due = now + (SETTLED if mask & _FINISHED else UNSETTLED)
        if self._pending is None:
            self._first = now
        if not mask & _MISSING:
            due = min(due, self._first + LATEST)
        self._put_off(max(0.0, due - now))

    def _put_off(self, seconds: float) -> None:
        if self._pending is not None:
            self._pending.cancel()
        self._pending = self._reactor.callLater(seconds, self._settle)

    def _is_link(self) -> bool:
        return len(self._folders) > 1 or os.path.islink(self._path)

    def _is_fresh(self, now: float) -> bool:
        """Tell whether the file was written to a moment ago."""
        try:
            return 0 <= now - os.stat(self._path).st_mtime < SETTLED
        except OSError:
            return False

    def _settle(self) -> None:
        self._pending = None
        now = self._reactor.seconds()
        if self._is_fresh(now) and now - self._first < LATEST:
            # Somebody is at it and inotify has not said so yet.
            self._put_off(SETTLED)
            return
        self._follow()
        self._edited()


class WatchedFile(Service):
    """Something of the file ``path``; as a service, what others write there, too."""

    def __init__(self, reactor: Any, path: str) -> None:
        self._watch = FileWatch(reactor, path, self.look)

    def startService(self) -> None:
        """Look at the file, and watch it from now on."""
        super().startService()
        self._watch.start()
        self.look()

    def stopService(self) -> None:
        """Watch no longer."""
        super().stopService()
        self._watch.stop()

    def look(self) -> None:
        """Take what is in the file now: at the start, and after each edit."""
        raise NotImplementedError
