"""What is large, sent as fast as its client takes it, and no slower than it must."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from twisted.internet.interfaces import IPullProducer, IReactorTime
from zope.interface import implementer

from kasmd.http.deadline import Deadline

if TYPE_CHECKING:
    from kasmd.http.request import Request

#: Bytes that are read and given to the transport at a time.
PORTION = 1 << 16
#: Seconds in which a client takes that; for which it may take nothing.
PATIENCE = 60.0


@implementer(IPullProducer)
class Sending:
    """Sends ``size`` bytes of ``content`` from ``offset`` on, after the head, and ends the answer.

    Who takes too little is cut off, and so is the answer to a file that becomes shorter
    meanwhile.  The file is closed at last.
    """

    def __init__(
        self, reactor: IReactorTime, request: Request, content: IO[bytes], offset: int, size: int
    ) -> None:
        self._request = request
        self._content = content
        self._left = size
        self._deadline = Deadline(reactor)
        content.seek(offset)

    def start(self) -> None:
        """Send the first part."""
        self._request.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """Send the next part, for the one before was taken."""
        data = self._content.read(min(PORTION, self._left))
        if not data:
            self._request.abort()
            return
        self._left -= len(data)
        self._request.write(data)
        if self._left:
            self._deadline.move(PATIENCE, self._request.abort)
        else:
            self.stopProducing()
            self._request.unregisterProducer()
            self._request.finish()

    def stopProducing(self) -> None:
        """All is sent, or the client is gone."""
        self._deadline.stop()
        self._content.close()
