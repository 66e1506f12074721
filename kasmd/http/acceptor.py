"""Accepts connections on a socket that is not ours alone.

Twisted's own ports take as many at a time as there are, and think that a unix
socket's path is theirs: they change its mode and remove it.  Here one connection
goes to whoever is free, and the path is left alone.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

_log = Logger(namespace="kasmd.http")

#: Seconds after which it is tried again where there are no descriptors left.
PAUSE = 0.5
#: What becomes of an attempt when somebody else was quicker, or the peer is gone already.
_NOBODY = {errno.EAGAIN, errno.ECONNABORTED, errno.ENOTCONN, errno.EPERM, errno.EPROTO}


class Acceptor(FileDescriptor):
    """Listens on ``listening``, which is bound already, for ``factory``."""

    reactor: Any

    def __init__(self, reactor: Any, listening: socket.socket, factory: IProtocolFactory) -> None:
        super().__init__(reactor)
        self.socket = listening
        self._factory = factory
        listening.setblocking(False)

    def fileno(self) -> int:
        """Give the descriptor."""
        return self.socket.fileno()

    def doRead(self) -> None:
        """Accept one connection, if there is one."""
        try:
            connection, _ = self.socket.accept()
            with connection:
                connection.setblocking(False)
                self.reactor.adoptStreamConnection(
                    connection.fileno(), connection.family, self._factory
                )
        except OSError as error:
            if error.errno in _NOBODY:
                return
            _log.error("no connection can be accepted: {error}", error=str(error))
            self.stopReading()
            self.reactor.callLater(PAUSE, self._resume)

    def _resume(self) -> None:
        if self.socket.fileno() >= 0:
            self.startReading()

    def stopListening(self) -> None:
        """Accept no more."""
        self.stopReading()
        self.socket.close()
