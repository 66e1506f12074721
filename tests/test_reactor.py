"""kasmd.reactor: Twisted's with a shorter way for events, over real sockets."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from functools import partial
from typing import Any, Callable, Optional

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.reactor import YOUNG, Reactor, settle

PATIENCE = 30.0


class Echo(Protocol):
    """Sends back what comes, and breaks at once or at its end if it is told to."""

    breaks = False

    def dataReceived(self, data: bytes) -> None:
        self.breaks = data == b"break later"
        if data == b"break":
            raise ValueError("broken by its client")
        assert self.transport is not None, "it is connected"
        self.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.breaks:
            raise RuntimeError("broken at its end")


class Echoes(Factory[Echo]):
    noisy = False

    def buildProtocol(self, addr: Optional[IAddress]) -> Echo:
        return Echo()


class Asks(Protocol):
    """Sends one thing; ``answer`` is what comes, or nothing where the connection ends."""

    def __init__(self, asked: bytes) -> None:
        self.asked = asked
        self.answer: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None, "it is connected"
        self.transport.write(self.asked)

    def dataReceived(self, data: bytes) -> None:
        self.answer.callback(data)
        assert self.transport is not None, "it is connected"
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answer.called:
            self.answer.callback(b"")


class AskFactory(Factory[Asks]):
    noisy = False

    def __init__(self, asked: bytes) -> None:
        self.asked = asked

    def buildProtocol(self, addr: Optional[IAddress]) -> Asks:
        return Asks(self.asked)


class ReactorTests(TestCase):
    """Each test runs a reactor of its own, to its end."""

    def setUp(self) -> None:
        self.reactor: Any = Reactor()

    def run_until(self, begun: Callable[[], Deferred[Any]]) -> Any:
        results: list[Any] = []

        def begin() -> None:
            ended = begun().addTimeout(PATIENCE, self.reactor).addBoth(results.append)
            ended.addCallback(lambda _: self.reactor.stop())

        self.reactor.callWhenRunning(begin)
        self.reactor.run(installSignalHandlers=False)
        self.assertEqual(len(results), 1)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    async def ask(self, asked: bytes, port: int) -> bytes:
        there = TCP4ClientEndpoint(self.reactor, "127.0.0.1", port)
        asks = await there.connect(AskFactory(asked))
        assert isinstance(asks, Asks)
        return await asks.answer

    def asked(self, *questions: bytes) -> list[bytes]:
        """Ask an echo, each over a connection of its own; give what it answers."""

        async def ask_all() -> list[bytes]:
            port = await TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1").listen(Echoes())
            address = port.getHost()
            assert isinstance(address, IPv4Address)
            return [await self.ask(question, address.port) for question in questions]

        return self.run_until(lambda: Deferred.fromCoroutine(ask_all()))

    def failures(self) -> list[str]:
        logged = self.flushLoggedErrors(ValueError, RuntimeError)
        return [failure.getErrorMessage() for failure in logged]

    def test_what_comes_is_acted_on(self) -> None:
        self.assertEqual(self.asked(b"one", b"two"), [b"one", b"two"])

    def test_a_protocol_that_breaks_loses_its_connection_only(self) -> None:
        self.assertEqual(self.asked(b"break", b"two"), [b"", b"two"])
        self.assertEqual(self.failures(), ["broken by its client"])

    def test_one_that_breaks_at_its_end_is_logged_and_the_rest_go_on(self) -> None:
        self.assertEqual(self.asked(b"break later", b"two"), [b"break later", b"two"])
        self.assertEqual(self.failures(), ["broken at its end"])

    def test_what_was_closed_in_the_same_turn_gets_no_event(self) -> None:
        first, second = os.pipe(), os.pipe()
        heard: Deferred[None] = Deferred()
        readers = {ours: _Reader(ours, heard) for ours, _ in (first, second)}
        for (ours, _), (theirs, _) in ((first, second), (second, first)):
            # Whichever is first, the other one is not read any more.
            readers[ours].acted = partial(self.reactor.removeReader, readers[theirs])

        def begin() -> Deferred[None]:
            for ours, far in (first, second):
                os.write(far, b"x")
                self.reactor.addReader(readers[ours])
            return heard

        self.run_until(begin)
        self.assertEqual(sorted(reader.reads for reader in readers.values()), [0, 1])
        for descriptor in (*first, *second):
            os.close(descriptor)


class _Reader:
    """A descriptor that is read as far as that it is noticed."""

    def __init__(self, descriptor: int, heard: Deferred[None]) -> None:
        self._descriptor = descriptor
        self._heard = heard
        self.reads = 0
        self.acted: Callable[[], object] = lambda: None

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "reader"

    def doRead(self) -> None:
        self.reads += 1
        os.read(self._descriptor, 1)
        self.acted()
        self._heard.callback(None)

    def connectionLost(self, reason: Failure) -> None:
        pass


class ProcessTests(TestCase):
    def printed(self, script: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True,
            timeout=PATIENCE,
        ).stdout.strip()  # fmt: skip

    def test_a_process_without_a_reactor_gets_this_one(self) -> None:
        script = "from kasmd.reactor import take_reactor; print(type(take_reactor()).__module__)"
        self.assertEqual(self.printed(script), "kasmd.reactor")

    def test_one_that_was_chosen_stays(self) -> None:
        script = (
            "from twisted.internet import selectreactor; selectreactor.install();"
            "from kasmd.reactor import take_reactor; print(type(take_reactor()).__module__)"
        )
        self.assertEqual(self.printed(script), "twisted.internet.selectreactor")

    def test_nothing_that_the_daemon_imports_chooses_another_before(self) -> None:
        script = (
            "import sys, kasmd.tap, kasmd.worker; print('twisted.internet.reactor' in sys.modules)"
        )
        self.assertEqual(self.printed(script), "False")

    def test_what_is_loaded_is_not_garbage(self) -> None:
        before = gc.get_threshold()
        self.addCleanup(gc.set_threshold, *before)
        self.addCleanup(gc.unfreeze)
        settle()
        self.assertGreater(gc.get_freeze_count(), 0)
        self.assertEqual(gc.get_threshold()[0], YOUNG)
