"""The services around the parts: the state directory, a watched display, the end."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import stat
from pathlib import Path
from typing import Any, Sequence, Union

from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

from kasmd.display.upstream import UpstreamDisplay
from kasmd.display.x11 import X11Display
from kasmd.errors import AccountsError, ConfigError, DisplayLost
from kasmd.interfaces import Account, IRoster
from kasmd.permission import durable
from kasmd.permission.accounts import rewrite
from kasmd.permission.kasmpasswd import hash_password
from kasmd.rights import OWNER, WRITE, Right

#: The account made at the first start, named as in KasmVNC's documents.
FIRST_ACCOUNT = "kasm_user"
#: Where its password is kept for whoever missed it on the terminal.
FIRST_PASSWORD_FILE = "initial-password"
#: How long the viewers have to hear that the daemon stops.
FAREWELL_SECONDS = 2.0
#: A websocket close code (RFC 6455 section 7.4.1).
GOING_AWAY = 1001

_log = Logger(namespace="kasmd")


class StateDirectory(Service):
    """The one directory that is kept: 0700, and of one daemon at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigError(f"state_directory: {path}: {error.strerror}") from None
        self._claim()

    def _claim(self) -> None:
        status = os.fstat(self._descriptor)
        if status.st_uid != os.geteuid():
            os.close(self._descriptor)
            raise ConfigError(f"state_directory: {self.path} belongs to user {status.st_uid}")
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.fchmod(self._descriptor, 0o700)
            _log.warn("{path} was open to others; it is 0700 now", path=str(self.path))
        try:
            # A lock without a file of its own: the kernel drops it with us.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise ConfigError(
                f"state_directory: {self.path} is in use by another kasmd"
            ) from None

    def stopService(self) -> None:
        """Let another daemon have it."""
        super().stopService()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Watching(Service):
    """A running display of somebody else's, watched while the service runs."""

    def __init__(self, display: Union[X11Display, UpstreamDisplay]) -> None:
        self._display = display

    def startService(self) -> None:
        """Connect, and keep trying."""
        super().startService()
        # It says itself why it is not there, and when it is.
        self._display.connect().addErrback(lambda failure: failure.trap(DisplayLost))

    def stopService(self) -> Deferred[None]:
        """Leave the display alone."""
        super().stopService()
        return self._display.disconnect()


class Ending(Service):
    """Lets SIGTERM end the daemon with status 0, and SIGHUP not at all.

    Twistd would end by either signal itself.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._former: dict[signal.Signals, Any] = {}

    def startService(self) -> None:
        """Take the signal once the reactor has taken it."""
        super().startService()
        self._reactor.callWhenRunning(self._take)

    def _take(self) -> None:
        taken = {signal.SIGTERM: self._end, signal.SIGHUP: self._go_on}
        self._former = {number: signal.signal(number, take) for number, take in taken.items()}

    def _go_on(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._say_so)

    @staticmethod
    def _say_so() -> None:
        _log.info("SIGHUP: the files that may change were read as they were edited")

    def _end(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._reactor.stop)

    def stopService(self) -> None:
        """Give the signal back."""
        super().stopService()
        former, self._former = self._former, {}
        for number, taken in former.items():
            signal.signal(number, taken)


class Farewell(Service):
    """Tells the viewers that the daemon stops."""

    def __init__(self, reactor: Any, roster: IRoster) -> None:
        self._reactor = reactor
        self._roster = roster

    def stopService(self) -> Deferred[None]:
        """Close every viewer's connection in order, and let them hear it."""
        super().stopService()
        for viewer in self._roster.viewers():
            viewer.disconnect(GOING_AWAY, "the server is stopping")
        heard = self._roster.when_alone().addTimeout(FAREWELL_SECONDS, self._reactor)
        return heard.addErrback(lambda failure: failure.trap(TimeoutError) and None)


def tell(*words: str) -> None:
    """Say something on the terminal that does not belong into a log."""
    print("kasmd:", *words, flush=True)


def first_account(password_file: str, folder: Path) -> Sequence[str]:
    """Make the password file with one account, and give what its owner must be told.

    Raises AccountsError.
    """
    password = secrets.token_urlsafe(12)
    account = Account(FIRST_ACCOUNT, hash_password(password), Right.ENTER | WRITE | OWNER)
    kept = folder / FIRST_PASSWORD_FILE
    try:
        durable.replace(str(kept), f"{password}\n".encode())
    except OSError as error:
        raise AccountsError(f"{kept}: cannot be written: {error.strerror}") from None
    rewrite(password_file, lambda file: file.with_account(account))
    return (
        f"user {FIRST_ACCOUNT}",
        f"password {password}",
        f"(made now; kept in {kept})",
    )
