"""RFB servers for an `UpstreamDisplay`: a true one over a display, and one that says anything."""

from __future__ import annotations

import zlib
from typing import Any, Callable, Optional

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.display.recorder import Recorder
from kasmd.display.upstream import UpstreamDisplay
from kasmd.display.upstream_line import Place, Terms
from kasmd.display.upstream_wire import Patience
from kasmd.interfaces import IDisplay, Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.permission.seat import Seat
from kasmd.rfb import update
from kasmd.rfb.limits import Limits
from kasmd.rfb.standard import server_init
from kasmd.rights import WRITE
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import BGRX
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.native import ViewerFactory
from kasmd.viewer.protocol import Surroundings, Viewer
from kasmd.viewer.roster import Roster
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.streams import Streams
from kasmd.viewer.turns import Turns
from kasmd.viewer.worker import InlineWorker

SECONDS = 60
SIZE = (40, 30)
VERSION = b"RFB 003.008\n"
#: Security None, taken.
NO_LOGIN = b"\x01\x01" + bytes(4)
WHOLE = Rect(0, 0, *SIZE)
QUICK = Patience(retry=0.01, longest_retry=0.05)
#: Inflates to 40 MiB.
BOMB = zlib.compress(bytes(40 << 20))


def colour(value: int) -> bytes:
    """Give the pixels of a desktop of `SIZE` in one grey."""
    return bytes([value, value, value, 0]) * (SIZE[0] * SIZE[1])


def init(width: int = SIZE[0], height: int = SIZE[1]) -> bytes:
    """Give ServerInit."""
    return server_init(width, height, BGRX, "far")


def picture(value: int) -> bytes:
    """Give an update of all in one grey."""
    return one(WHOLE, 0, colour(value))


def one(rect: Rect, encoding: int, payload: bytes = b"") -> bytes:
    """Give an update of one rectangle."""
    return update.update_header(1) + update.rectangle(rect, encoding, payload)


def greeting(value: int) -> bytes:
    """Give all that an honest server says up to its first picture."""
    return VERSION + NO_LOGIN + init() + picture(value)


class Talker(Protocol):
    """One connection of a `Liar`; ``heard`` is what came."""

    def __init__(self, says: bytes, gone: Callable[[], None]) -> None:
        self.heard = bytearray()
        self._says = says
        self._gone = gone
        self._waiting: list[tuple[bytes, Deferred[None]]] = []

    def connectionMade(self) -> None:
        self.say(self._says)

    def say(self, data: bytes) -> None:
        """Send anything."""
        self.transport.write(data)

    def hears(self, data: bytes) -> Deferred[None]:
        """Fire once ``data`` was among what came."""
        heard: Deferred[None] = Deferred()
        self._waiting.append((data, heard))
        self._look()
        return heard.addTimeout(SECONDS, reactor)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._gone()

    def _look(self) -> None:
        for entry in list(self._waiting):
            if entry[0] in self.heard:
                self._waiting.remove(entry)
                entry[1].callback(None)


class Liar(Factory):
    """Says ``greetings`` to those who connect, the last of them from then on."""

    noisy = False

    def __init__(self, *greetings: bytes) -> None:
        self.talkers: list[Talker] = []
        self._greetings = list(greetings)
        self._open = 0
        self._closed: Optional[Deferred[None]] = None
        port: Any = reactor
        self._port = port.listenTCP(0, self, interface="127.0.0.1")
        self.place = Place("127.0.0.1", self._port.getHost().port)

    def buildProtocol(self, addr: Optional[IAddress]) -> Talker:
        says = self._greetings.pop(0) if len(self._greetings) > 1 else self._greetings[0]
        talker = Talker(says, self._gone)
        self._open += 1
        self.talkers.append(talker)
        return talker

    def _gone(self) -> None:
        self._open -= 1
        if not self._open and self._closed is not None:
            self._closed.callback(None)

    async def close(self) -> None:
        """Stop listening, and wait for the ends of all connections."""
        await maybeDeferred(self._port.stopListening)
        if self._open:
            self._closed = Deferred()
            for talker in self.talkers:
                if talker.transport is not None:
                    talker.transport.loseConnection()
            await self._closed.addTimeout(SECONDS, reactor)


def serve(case: Any, display: IDisplay) -> Place:
    """Serve ``display`` to native viewers for as long as the test runs; they may all."""
    roster = Roster()
    registry = MemoryRegistry({"all": WRITE})
    clock: Any = reactor
    around = Surroundings(
        admit=lambda principal: Seat(display, registry.admit(principal, "desktop")),
        authenticate=lambda name, password, address: Deferred(),
        roster=roster,
        encodings=Encodings(),
        turns=Turns(clock),
        clock=clock,
        limits=Limits(),
        handshake_time=SECONDS,
        patience=SECONDS,
        max_viewers=5,
        streams=Streams(Encoders(clock)),
        frame=1 / 60,
    )
    factory = ViewerFactory(
        lambda transport, principal: Viewer(transport, principal, around),
        Principal("all"), {}, clock,
    )
    port = clock.listenTCP(0, factory, interface="127.0.0.1")

    async def close() -> None:
        await maybeDeferred(port.stopListening)
        await roster.when_alone().addTimeout(SECONDS, clock)

    case.addCleanup(lambda: Deferred.fromCoroutine(close()))
    return Place("127.0.0.1", port.getHost().port)


def upstream(case: Any, place: Place, terms: Terms = Terms(patience=QUICK)) -> UpstreamDisplay:
    """Give a display that is left with the test."""
    display = UpstreamDisplay(reactor, place, InlineWorker(), terms, size=SIZE)
    case.addCleanup(display.disconnect)
    return display


def pixel(display: UpstreamDisplay, x: int = 0, y: int = 0) -> int:
    """Give the blue of a pixel."""
    return int(display.snapshot(Rect(x, y, 1, 1)).pixels[0, 0, 0])


class Case(TestCase):
    """Displays over liars; `lines` are the log's."""

    timeout = 120

    def setUp(self) -> Any:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self._log)
        self.addCleanup(globalLogPublisher.removeObserver, self._log)

    def _log(self, event: LogEvent) -> None:
        self.lines.append(formatEvent(event))

    def watch(self, display: UpstreamDisplay) -> Recorder:
        recorder = Recorder()
        self.addCleanup(display.observe(recorder))
        return recorder

    def lie(self, *greetings: bytes) -> Liar:
        liar = Liar(*greetings)
        self.addCleanup(lambda: Deferred.fromCoroutine(liar.close()))
        return liar

    def display(self, place: Place, **patience: float) -> UpstreamDisplay:
        return upstream(self, place, Terms(patience=QUICK._replace(**patience)))

    async def connected(self, *greetings: bytes) -> tuple[Liar, UpstreamDisplay, Recorder]:
        """Give a liar who said these, its display, and who watches."""
        liar = self.lie(*greetings)
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        return liar, display, recorder
