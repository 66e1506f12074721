"""What the processes of one edge tell one another, over a private pair of sockets.

    worker  -> Begun    it accepts connections
    worker  -> Ask      a request that it has no leave for
    decider -> Given    leave to pass, or
    decider -> Said     the very answer for the client
    decider -> Ended    that leave is over: whatever was opened with it is to be closed
    decider -> Stale    no leave is remembered any more; what is open may stay
    worker  -> Done     nothing is open with that leave, and nothing will be
    worker  -> Logged   a line for the log
    worker  -> Counted  what it counted since its start
    worker  -> Here     how many connections it has, in all and of an address
    decider -> Bound    how many it may have (`kasmd.edge.census`)
    decider -> Level    what is written in the log from now on

One stream keeps their order, so an end never comes before the leave that it ends.
Each is a length (4 bytes) and JSON; bytes are objects in it.
"""

from __future__ import annotations

import json
from typing import Any, Callable, NamedTuple, Optional, Sequence, Union

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.edge.asking import Reach, Upstream
from kasmd.errors import ProtocolError
from kasmd.h1.fields import Field
from kasmd.http.prompt import PromptWriter
from kasmd.permission.slices import SLICE
from kasmd.trust import Trust

_log = Logger(namespace="kasmd.edge")

#: Bytes of one message.  A list of 5,000 desktops is a tenth of it.
MAX_MESSAGE = 16 << 20


class Begin(NamedTuple):
    """The first message to a worker: what it is to do, as its program reads it."""

    terms: bytes


class Begun(NamedTuple):
    """Whoever connects is heard now."""


class Ask(NamedTuple):
    """A request, and who sent it as far as is believed."""

    number: int
    method: bytes
    uri: bytes
    version: bytes
    fields: Sequence[Field]
    body: bytes
    address: str
    port: int
    secure: bool
    request_id: str
    #: The connection's number, for the log.
    connection: int


class Said(NamedTuple):
    """The answer to a request that may not pass, or that goes to no desktop."""

    number: int
    #: Whose request it was, as far as it was proven; else nothing.
    name: str
    status: int
    headers: Sequence[Field]
    body: bytes


class Given(NamedTuple):
    """Leave for a request, and perhaps for others by the same proof."""

    number: int
    #: Of this leave alone.
    ident: int
    name: str
    #: Of the proof, as in `kasmd.interfaces.Principal`.
    kind: str
    rights: int
    session: str
    upstream: Upstream
    target: bytes
    fields: Sequence[Field]
    reach: Optional[Reach]
    #: For which it is remembered.
    seconds: float
    #: Set-Cookie values for this request's answer.
    cookies: Sequence[bytes]

    @classmethod
    def read(cls, *parts: Any) -> Given:
        """Give the tuples of which JSON makes lists."""
        given = cls(*parts)
        host, port, path, tls = given.upstream
        return given._replace(
            upstream=Upstream(host, port, path, Trust(*tls) if tls is not None else None),
            fields=tuple((name, value) for name, value in given.fields),
            reach=Reach(*given.reach) if given.reach is not None else None,
        )


class Ended(NamedTuple):
    """Leave is over."""

    ident: int


class Stale(NamedTuple):
    """Something changed: ask again."""


class Done(NamedTuple):
    """Leave is not used any more."""

    ident: int


class Logged(NamedTuple):
    """A line of the log, as `kasmd.log.retold` has it."""

    line: str


class Counted(NamedTuple):
    """Numbers: (a metric's name, the values of its labels, a value) of each."""

    samples: Sequence[tuple[str, Sequence[str], float]]


class Here(NamedTuple):
    """Connections: (an address, or nothing for all together; how many) where that changed."""

    counts: Sequence[tuple[str, int]]


class Bound(NamedTuple):
    """All processes together have as many connections as there may be, of an address or in all."""

    address: str
    #: Those that this one keeps; None: there is room again.
    most: Optional[int]


class Level(NamedTuple):
    """KasmVNC's number up to which lines are written."""

    level: int


Message = Union[
    Begin, Begun, Ask, Said, Given, Ended, Stale, Done, Logged, Counted, Here, Bound, Level
]
_KINDS: dict[str, Callable[..., Message]] = {
    kind.__name__: kind
    for kind in (
        Begin, Begun, Ask, Said, Ended, Stale, Done, Logged, Counted, Here, Bound, Level,
    )
}
_KINDS[Given.__name__] = Given.read


def encode(message: Message) -> bytes:
    """Give the bytes of a message, without its length."""
    return _encoded((type(message).__name__, *message)).encode("ascii")


def decode(data: bytes) -> Message:
    """Read a message (ProtocolError)."""
    try:
        kind, *parts = json.loads(data, object_hook=_unboxed)
        return _KINDS[kind](*parts)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProtocolError(f"not a message: {error}") from None


def _boxed(data: bytes) -> dict[str, str]:
    return {"": data.decode("latin-1")}


#: Made once: `json.dumps` would make one each time.
_encoded = json.JSONEncoder(default=_boxed, separators=(",", ":")).encode


def _unboxed(value: dict[str, str]) -> bytes:
    return value[""].encode("latin-1")


@implementer(IPushProducer)
class Wire(Int32StringReceiver):
    """One end of the pair; ``lost`` is called when the other is gone, or talks nonsense."""

    MAX_LENGTH = MAX_MESSAGE
    transport: Any
    #: Whether what was sent waits for the other end to take it.
    clogged = False
    #: Whether there is another end.
    open = False
    #: Until when messages are acted on, by the reactor's clock; others have their turns, too.
    _ends = 0.0

    def __init__(self, received: Callable[[Any], None], lost: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost

    def send(self, message: Message) -> None:
        """Send a message; to nobody, if the other end is gone."""
        if self.open:
            data = encode(message)
            self._write(len(data).to_bytes(self.prefixLength, "big") + data)

    def close(self) -> None:
        """End it at once."""
        if self.open:
            self.transport.abortConnection()

    def connectionMade(self) -> None:
        self.open = True
        self._write = PromptWriter(self.transport).write
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self._ends = self.transport.reactor.seconds() + SLICE
        super().dataReceived(data)

    def stringReceived(self, string: bytes) -> None:
        try:
            message = decode(string)
        except ProtocolError as error:
            _log.error("the other process is left: {error}", error=str(error))
            self.close()
        else:
            self._received(message)
            if self.open and self.transport.reactor.seconds() >= self._ends:
                self._rest()

    def _rest(self) -> None:
        self.paused = True
        self.transport.pauseProducing()
        self.transport.reactor.callLater(0, self._go_on)

    def _go_on(self) -> None:
        if self.open:
            self.paused = False
            self.transport.resumeProducing()
            self.dataReceived(b"")

    def lengthLimitExceeded(self, length: int) -> None:
        _log.error("the other process is left: a message of {length} bytes", length=length)
        self.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.open = False
        self._lost()

    def pauseProducing(self) -> None:
        self.clogged = True

    def resumeProducing(self) -> None:
        self.clogged = False

    def stopProducing(self) -> None:
        """The connection is lost; `connectionLost` follows."""
