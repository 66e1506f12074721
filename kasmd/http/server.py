"""A face: a port that speaks HTTP, with its limits and the fields of its answers."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Callable, NamedTuple, Optional

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory

from kasmd.h1.fields import render_lines
from kasmd.h1.head import Limits as HeadLimits
from kasmd.http.body import STREAM, BodyReader, Room
from kasmd.http.channel import Channel
from kasmd.http.counts import Counts
from kasmd.http.crowd import Crowd
from kasmd.http.problems import Headers, Problem
from kasmd.http.proxies import Proxies
from kasmd.http.request import Answer, Request, Respond, Response

__all__ = [
    "STREAM", "Answer", "BodyReader", "HttpFactory", "Limits", "Present", "Request", "Respond",
    "Response",
]

OWN_HEADERS = (
    (b"Server", b"kasmd"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
)


class Limits(NamedTuple):
    """The ceilings of one HTTP face."""

    #: Seconds for a whole request to arrive.
    head_timeout: float = 30
    #: Seconds between an answer and the first byte of the next request.
    idle_timeout: float = 30
    #: Seconds between a polite close and a rude one.
    abort_timeout: float = 5
    #: Bytes of a body that no route reads, which is dropped.
    body: int = 65536
    #: Bytes of all bodies that are kept at one time for the routes that read them.
    bodies: int = 64 << 20
    #: Seconds in which a client that still sends can take its answer.
    linger: float = 1.0
    #: Connections at one time, websockets among them.
    connections: int = 2000
    #: Of one address that connects and is no trusted proxy's; 0: any number.
    connections_per_address: int = 0
    #: What a request's head may be.
    head: HeadLimits = HeadLimits()

    def crowd(self, counts: Optional[Counts] = None,
              exempt: Callable[[str], bool] = lambda address: False) -> Crowd:
        """Give what counts the connections, into ``counts``."""
        return Crowd(self.connections, self.connections_per_address, counts, exempt)


#: Gives the problem that is shown in place of one.
Present = Callable[[Problem, Request], Problem]


def as_it_is(problem: Problem, request: Request) -> Problem:
    """Show a problem in the standard's words."""
    return problem


class HttpFactory(ServerFactory[Channel]):
    """Listens for HTTP and gives each request to ``respond``.

    ``headers`` go with every answer; ``room`` tells what becomes of the body of a
    request for a method and a path; ``present`` gives the words for what went wrong,
    be it before the request could be read.  Faces of one port have one ``crowd``.
    """

    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        respond: Respond,
        headers: Headers,
        limits: Limits,
        room: Callable[[bytes, bytes], Room] = lambda method, path: 0,
        proxies: Proxies = Proxies(),
        present: Present = as_it_is,
        crowd: Optional[Crowd] = None,
        name: str = "http",
    ) -> None:
        self.reactor = reactor
        self.present = present
        self.respond = respond
        self.room = room
        self.proxies = proxies
        self.limits = limits
        self.crowd = limits.crowd() if crowd is None else crowd
        self.counts = self.crowd.counts
        #: Bytes of the bodies that are kept.
        self.bodies = 0
        self._fields = (*OWN_HEADERS, *headers)
        self._block = (0, b"")
        self._name = name

    def logPrefix(self) -> str:
        """Give what the log calls the port."""
        return self._name

    def buildProtocol(self, addr: Optional[IAddress]) -> Optional[Channel]:
        return Channel(self, addr) if self.crowd.has_room() else None

    @property
    def lines(self) -> bytes:
        """The lines that every answer of this face has in its head, Date among them."""
        now = int(time.time())
        if self._block[0] != now:
            date = formatdate(now, usegmt=True).encode("ascii")
            self._block = now, render_lines((*self._fields, (b"Date", date)))
        return self._block[1]
