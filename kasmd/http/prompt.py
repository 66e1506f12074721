"""Bytes that go out at once: to the socket in the turn that made them.

Twisted's transports write in the reactor's next turn, which costs that turn and
two calls of the system.  A short answer needs neither.
"""

from __future__ import annotations

import socket
from typing import Any, Optional

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection


class PromptWriter:
    """Writes to ``transport``, in order with all else that is written to it.

    What a socket does not take waits in the transport, and so does what comes
    before that is gone.
    """

    __slots__ = ("_transport", "_socket")

    def __init__(self, transport: ITransport) -> None:
        self._transport = transport
        self._socket: Optional[socket.socket] = None
        if isinstance(transport, Connection) and not transport.TLS:
            self._socket = transport.getHandle()

    def write(self, *parts: bytes) -> None:
        """Write ``parts``, one after the other: what is large is not copied to be joined."""
        transport: Any = self._transport
        left = sum(map(len, parts))
        if self._socket is not None and not (transport.dataBuffer or transport._tempDataLen):
            try:
                left -= self._socket.sendmsg(parts)
            except OSError:
                # It is full; or it is gone, and Twisted's own attempt finds out why.
                pass
        if left:
            transport.write(b"".join(parts)[-left:])
