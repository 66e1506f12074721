"""An upstream that says what a test wants, byte by byte, and keeps what it hears."""

from __future__ import annotations

import re
import socket

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)\r\n")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Still:
    """The reactor, whose time stands still until `advance`, and whose names are a table.

    What is to be done at once is; None is a name that is never resolved.
    """

    def __init__(self, names=()):
        self._clock = Clock()
        self._names = dict(names)
        self.seconds, self.advance = self._clock.seconds, self._clock.advance
        self.nameResolver = self

    def __getattr__(self, name):
        return getattr(reactor, name)

    def callLater(self, seconds, *call, **named):
        return (self._clock if seconds else reactor).callLater(seconds, *call, **named)

    def resolveHostName(self, receiver, host, **more):
        receiver.resolutionBegan(self)
        addresses = self._names[host]
        if addresses is not None:
            for address in addresses:
                receiver.addressResolved(IPv4Address("TCP", address, 0))
            receiver.resolutionComplete()
        return self

    def cancel(self):
        """The resolution is given up."""


class Line(Protocol):
    """One connection to the far end."""

    def __init__(self, factory):
        self.factory = factory
        self.heard = b""
        self.raw = False
        self.lost = Deferred()

    def connectionMade(self):
        self.factory.lines.append(self)
        self.factory.tell()

    def dataReceived(self, data):
        self.heard += data
        self.factory.tell()
        while not self.raw and b"\r\n\r\n" in self.heard:
            end = self.heard.index(b"\r\n\r\n") + 4
            asks = b"\r\nExpect: " in self.heard[:end]
            match = None if asks else _LENGTH.search(self.heard[:end])
            end += int(match[1]) if match else 0
            if len(self.heard) < end:
                return
            request, self.heard = self.heard[:end], self.heard[end:]
            self.factory.requests.append(request)
            self.factory.tell()
            self.factory.answer(self, request)

    def connectionLost(self, reason):
        self.lost.callback(None)
        self.factory.gone += 1
        self.factory.tell()


class Far(ServerFactory):
    """``answer(line, request)`` is called for each request once it is whole.

    A body that has no length, or waits to be asked for, is not waited for.
    """

    noisy = False

    def __init__(self, answer=lambda line, request: line.transport.write(OK)):
        self.answer = answer
        self.lines = []
        self.requests = []
        self.gone = 0
        self._waiting = []

    def buildProtocol(self, addr):
        return Line(self)

    def tell(self):
        for wanted, fired in list(self._waiting):
            if wanted():
                self._waiting.remove((wanted, fired))
                fired.callback(None)

    async def hang_up(self):
        """Cut what is still connected, and wait until it is."""
        for line in self.lines:
            if not line.lost.called:
                line.transport.abortConnection()
                await line.lost

    def until(self, wanted):
        """Fire once ``wanted()`` is true, looked at whenever something happens here."""
        fired = Deferred().addTimeout(60, reactor)
        self._waiting.append((wanted, fired))
        self.tell()
        return fired


def says(*pieces, close=False):
    """Give an answer that is the same for every request."""

    def answer(line, request):
        line.transport.writeSequence(pieces)
        if close:
            line.transport.loseConnection()

    return answer


def heads(request):
    """Give a request's first line and its fields, names in lower case, values in lists."""
    first, *lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    fields = {}
    for line in lines:
        name, _, value = line.partition(b": ")
        fields.setdefault(name.lower(), []).append(value)
    return first, fields


def talk(port, *pieces):
    """Send ``pieces`` and give all that comes until the other side closes, or breaks."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        for piece in pieces:
            client.sendall(piece)
        answer = b""
        try:
            while data := client.recv(65536):
                answer += data
        except ConnectionResetError:
            answer += b"<reset>"
        return answer
