"""Bytes on their way out of a splice: to the socket at once, in the turn that brought them.

Twisted's transports wait for a turn of the reactor before they write, and with
TLS copy each record several times.  Here only what the socket does not take is
given to the transport, and nothing may follow until that is gone.
"""

from __future__ import annotations

import socket
from typing import Any, Optional, Protocol

from OpenSSL import SSL
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.tcp import Connection
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer


class Owner(Protocol):
    """Whoever writes."""

    def filled(self) -> None:
        """Bytes wait: write no more than what is on its way."""

    def drained(self) -> None:
        """No bytes wait."""


@implementer(IPushProducer)
class Outlet:
    """Writes to TCP and unix sockets, with TLS or without; to others as they like it."""

    __slots__ = ("full", "_owner", "_transport", "_buffer", "_socket", "_tls")

    def __init__(self, transport: Any, owner: Owner, clock: IReactorTime) -> None:
        #: Whether bytes wait.
        self.full = False
        self._owner = owner
        self._transport = self._buffer = transport
        self._socket: Optional[socket.socket] = None
        self._tls: Optional[SSL.Connection] = None
        if isinstance(transport, TLSMemoryBIOProtocol):
            self._buffer = transport.transport
        if not isinstance(self._buffer, Connection) or self._buffer.TLS:
            self._buffer = transport
            transport.registerProducer(self, True)
            return
        self._socket = self._buffer.getHandle()
        if self._buffer is not transport:
            self._tls = transport.getHandle()
        # What was written before, a 101 say, may wait for the next turn; nothing overtakes it.
        self.full = True
        clock.callLater(0, self._begin)

    def _begin(self) -> None:
        if self._buffer.connected:
            # A pull producer is told whenever all is written, but first of all at once.
            self.full = False
            self._buffer.registerProducer(self, False)
            self.full = True
            self._buffer.startWriting()

    def write(self, data: bytes) -> None:
        """Write; whatever the socket does not take waits."""
        try:
            if self._tls is not None:
                data = _encrypted(self._tls, data)
            if self._socket is not None and not self.full:
                data = data[self._send(self._socket, data) :]
                if not data:
                    return
                self.pauseProducing()
        except (OSError, SSL.Error):
            self._transport.abortConnection()
        else:
            self._buffer.write(data)

    def close(self) -> None:
        """Close the connection once all is written."""
        self._buffer.unregisterProducer()
        self._transport.loseConnection()

    @staticmethod
    def _send(to: socket.socket, data: bytes) -> int:
        try:
            return to.send(data)
        except BlockingIOError:
            return 0

    # What the transport calls.

    def pauseProducing(self) -> None:
        self.full = True
        self._owner.filled()

    def resumeProducing(self) -> None:
        if self._buffer.disconnecting:
            # TLS was ended by the peer; a producer would keep the socket open.
            self._buffer.unregisterProducer()
        elif self.full:
            self.full = False
            self._owner.drained()

    def stopProducing(self) -> None:
        """The transport is gone, and says so to its protocol."""


def _encrypted(tls: SSL.Connection, data: bytes) -> bytes:
    """Give the TLS records that carry ``data`` (SSL.Error, also where the peer renegotiates)."""
    at, view = 0, memoryview(data)
    while at < len(data):
        at += tls.send(view[at:])
    # Room for the headers of full records; short ones, which a peer may ask for, take more.
    room = len(data) + (len(data) >> 6) + 1024
    records = tls.bio_read(room)
    if len(records) < room:
        return records
    pieces = [records]
    while len(pieces[-1]) == room:
        try:
            pieces.append(tls.bio_read(room))
        except SSL.WantReadError:
            break
    return b"".join(pieces)
