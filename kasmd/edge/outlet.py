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


#: Bytes that go through best at a time, measured: those that are copied once from
#: kernel to kernel, and those that are encrypted within the processor's cache.
PLAIN_PORTION, TLS_PORTION = 1 << 18, 1 << 17


@implementer(IPushProducer)
class Outlet:
    """Writes to TCP and unix sockets, with TLS or without; to others as they like it."""

    __slots__ = ("full", "portion", "_owner", "_transport", "_buffer", "_early", "_socket", "_tls")

    def __init__(self, transport: Any, owner: Owner, clock: IReactorTime) -> None:
        #: Whether bytes wait.
        self.full = False
        #: How many bytes it is best given at a time.
        self.portion = TLS_PORTION if isinstance(transport, TLSMemoryBIOProtocol) else PLAIN_PORTION
        self._owner = owner
        self._transport = self._buffer = transport
        #: What was written before the first turn; None from then on.
        self._early: Optional[bytes] = None
        self._socket: Optional[socket.socket] = None
        self._tls: Optional[SSL.Connection] = None
        raw = _socket_transport(transport)
        if raw is None:
            transport.registerProducer(self, True)
        elif raw is transport and _is_clear(raw):
            self._take(raw)
        else:
            # What was written before, a 101 say, waits for the next turn in one of
            # Twisted's buffers or another, and nothing is to overtake it.
            self.full = True
            self._early = b""
            clock.callLater(0, self._begin)

    def _begin(self) -> None:
        raw, early = _socket_transport(self._transport), self._early
        if raw is None or early is None or not raw.connected:
            return
        if raw is not self._transport:
            self._tls = self._transport.getHandle()
        self._early = None
        self._take(raw)
        self.full = True
        if early:
            self.write(early)
        raw.startWriting()

    def _take(self, raw: Connection) -> None:
        """Write to the socket from now on."""
        self._buffer = raw
        self._socket = raw.getHandle()
        # A pull producer is told whenever all is written, but first of all at once.
        self.full = False
        raw.registerProducer(self, False)

    def write(self, data: bytes) -> None:
        """Write; whatever the socket does not take waits."""
        if self._early is not None:
            self._early += data
            return
        try:
            if self._tls is not None:
                data = encrypted(self._tls, data)
            if self._socket is not None and not self.full:
                try:
                    sent = self._socket.send(data)
                except BlockingIOError:
                    sent = 0
                if sent == len(data):
                    return
                data = data[sent:]
                self.pauseProducing()
        except (OSError, SSL.Error):
            self._transport.abortConnection()
        else:
            self._buffer.write(data)

    def close(self) -> None:
        """Close the connection once all is written."""
        early, self._early = self._early, None
        if early:
            self._transport.write(early)
        self._buffer.unregisterProducer()
        self._transport.loseConnection()

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


def _socket_transport(transport: Any) -> Optional[Connection]:
    """Give the transport that has the socket, if there is one and all goes through it."""
    raw = transport.transport if isinstance(transport, TLSMemoryBIOProtocol) else transport
    return raw if isinstance(raw, Connection) and not raw.TLS else None


def _is_clear(raw: Connection) -> bool:
    """Tell whether it is there, and all that was written to it is gone."""
    return bool(raw.connected) and not raw._tempDataLen and not raw.dataBuffer


def encrypted(tls: SSL.Connection, data: bytes) -> bytes:
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
