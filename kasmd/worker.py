"""python -m kasmd.worker: one of several processes that share the port of an edge.

It is started by the daemon, with a pair of sockets to it as descriptor 3 and the
socket to accept on as descriptor 4.  When the daemon is gone it ends at once.
"""

from __future__ import annotations

import socket
from typing import Any, Optional

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import globalLogBeginner

from kasmd.carriage import Carriage, Terms
from kasmd.edge.census import SharedCrowd
from kasmd.edge.delegate import Delegate
from kasmd.edge.messages import (
    Begin,
    Begun,
    Bound,
    Counted,
    Here,
    Level,
    Logged,
    Message,
    Wire,
)
from kasmd.http.acceptor import Acceptor
from kasmd.http.tls import CertificateFiles
from kasmd.log.output import Observer, set_level
from kasmd.log.retold import as_message
from kasmd.reactor import settle, take_reactor

#: Descriptors.
WIRE, LISTENING = 3, 4
#: Seconds between two looks at what is over, and two reports of what was counted.
BEAT = 1.0
#: Seconds beyond an upstream's, in which the daemon answers.
PATIENCE = 15.0


class Worker:
    """Carries what the daemon lets pass, and ends with it."""

    def __init__(self, reactor: Any, listening: socket.socket) -> None:
        self._reactor = reactor
        reactor.addSystemEventTrigger("before", "shutdown", self._end)
        self._listening = listening
        self.wire = Wire(self._received, self._lost)
        self._delegate: Optional[Delegate] = None
        self._crowd: Optional[SharedCrowd] = None
        self._ending = False
        self._counted: list[tuple[str, tuple[str, ...], float]] = []

    def _received(self, message: Message) -> None:
        if isinstance(message, Begin):
            self._begin(Terms.unsealed(message))
        elif isinstance(message, Level):
            set_level(message.level)
        elif isinstance(message, Bound) and self._crowd is not None:
            self._crowd.bound(message)
        elif self._delegate is not None:
            self._delegate.received(message)

    def _begin(self, terms: Terms) -> None:
        reactor, edge = self._reactor, terms.edge
        set_level(terms.log_level)
        globalLogBeginner.beginLoggingTo(
            [Observer(as_message, self._write)], redirectStandardIO=False
        )
        carriage = Carriage(reactor, edge)
        delegate = self._delegate = Delegate(
            reactor, self.wire, name=edge.name.encode("ascii"), forward=carriage.relay.forward,
            prefix=edge.prefix.encode("ascii"), seconds=edge.timeouts.answer + PATIENCE,
        )
        certificate = CertificateFiles(reactor, *terms.certificate)
        crowd = self._crowd = SharedCrowd(
            reactor, self._report, carriage.limits, counts=carriage.counts,
            exempt=carriage.proxies.trusts,
        )
        face = carriage.face(
            delegate.respond, delegate.room, delegate.present, certificate, crowd
        )
        acceptor = Acceptor(reactor, self._listening, face)
        acceptor.startReading()
        self.wire.send(Begun())
        settle()
        LoopingCall(self._look, delegate, carriage).start(BEAT, now=False)
        reactor.addSystemEventTrigger("before", "shutdown", acceptor.stopListening)
        reactor.addSystemEventTrigger("before", "shutdown", carriage.sockets.stopService)

    def _look(self, delegate: Delegate, carriage: Carriage) -> None:
        delegate.leaves.look()
        counted = [(each.family.name, each.labels, each.value) for each in carriage.samples()]
        if counted != self._counted and not self.wire.clogged:
            self._counted = counted
            self.wire.send(Counted(counted))

    def _report(self, here: Here) -> bool:
        if self.wire.clogged:
            return False
        self.wire.send(here)
        return True

    def _write(self, level: int, line: str) -> None:
        """Send a line of the log; what the daemon does not take is lost, and counted."""
        if self.wire.clogged:
            raise OSError("the daemon does not take it")
        self.wire.send(Logged(line))

    def _lost(self) -> None:
        """The daemon is gone, or this process ends."""
        if self._delegate is not None:
            self._delegate.lost()
        if not self._ending:
            self._reactor.stop()

    def _end(self) -> None:
        self._ending = True


class _Once(Factory[Wire]):
    """Builds the one protocol."""

    noisy = False

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def buildProtocol(self, addr: Optional[IAddress]) -> Wire:
        return self._wire


def adopt(reactor: Any, pair: socket.socket, wire: Wire) -> None:
    """Let ``wire`` talk over one of a pair of sockets, which is closed here."""
    with pair:
        pair.setblocking(False)
        reactor.adoptStreamConnection(pair.fileno(), socket.AF_UNIX, _Once(wire))


def main() -> None:
    """Run until the daemon says, or is gone."""
    reactor = take_reactor()
    worker = Worker(reactor, socket.socket(fileno=LISTENING))
    adopt(reactor, socket.socket(fileno=WIRE), worker.wire)
    reactor.run()


if __name__ == "__main__":
    main()
