"""Programs that are kept alive."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.display.programs import Pace, Program

SECONDS = 60


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; nobody may have reaped it yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class ProgramTests(TestCase):
    """With sh."""

    timeout = 120

    def setUp(self) -> None:
        """Hear of ends, and of the log."""
        self.ends = 0
        self.waiting: list[tuple[int, Deferred[None]]] = []
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.logged)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged)

    def logged(self, event: LogEvent) -> None:
        """Collect what programs say."""
        if event.get("log_namespace", "").startswith("kasmd.display.programs"):
            self.lines.append(str(event.get("line", event["log_format"])))

    def ended(self) -> None:
        """Count."""
        self.ends += 1
        for count, deferred in self.waiting:
            if count == self.ends:
                deferred.callback(None)

    def until_ended(self, count: int) -> Deferred[None]:
        """Wait for the count-th end."""
        deferred: Deferred[None] = Deferred()
        self.waiting.append((count, deferred))
        return deferred.addTimeout(SECONDS, reactor)

    def program(self, script: str) -> Program:
        """Start a script."""
        program = Program(reactor, ("sh", "-c", script), self.ended)
        self.addCleanup(program.stop)
        program.start(os.environ)
        return program

    async def test_a_crash_loop_slows_down(self) -> None:
        """Each delay is twice the last, up to a limit."""
        program = Program(reactor, ("false",), self.ended, pace=Pace(first=0.02, longest=0.08))
        self.addCleanup(program.stop)
        before = reactor.seconds()
        program.start({"PATH": os.environ["PATH"]})
        await self.until_ended(4)
        self.assertGreaterEqual(reactor.seconds() - before, 0.02 + 0.04 + 0.08)
        self.assertEqual(program._delay, 0.08)

    async def test_health_is_rewarded(self) -> None:
        """A program that lived long is started again soon."""
        program = Program(reactor, ("false",), self.ended, pace=Pace(first=0.01, healthy=0.0))
        program._delay = 30.0
        self.addCleanup(program.stop)
        program.start({"PATH": os.environ["PATH"]})
        await self.until_ended(3)

    async def test_one_that_will_not_end_is_killed(self) -> None:
        """After a while."""
        said: Deferred[bytes] = Deferred()
        program = Program(
            reactor,
            ("sh", "-c", "trap '' TERM; echo ready >&3; while :; do sleep 1; done"),
            self.ended, said.callback, Pace(patience=0.2),
        )
        program.start(os.environ)
        await said.addTimeout(SECONDS, reactor)
        await program.stop().addTimeout(SECONDS, reactor)
        self.assertIsNone(program.pid)

    async def test_it_has_what_it_is_lent(self) -> None:
        """At each start anew, and one that is killed is started again."""
        lent = 0
        said: list[Deferred[bytes]] = [Deferred(), Deferred()]

        @contextmanager
        def lend() -> Iterator[dict[int, int]]:
            nonlocal lent
            lent += 1
            reading, writing = os.pipe()
            os.write(writing, b"%d" % lent)
            os.close(writing)
            try:
                yield {4: reading}
            finally:
                os.close(reading)

        program = Program(
            reactor, ("sh", "-c", "cat <&4 >&3; sleep 1000"), self.ended,
            lambda data: said[lent - 1].callback(data), Pace(first=0.01), lend,
        )
        self.addCleanup(program.stop)
        program.start(os.environ)
        self.assertEqual(await said[0].addTimeout(SECONDS, reactor), b"1")
        program.kill()
        self.assertEqual(await said[1].addTimeout(SECONDS, reactor), b"2")

    async def test_what_it_started_ends_with_it(self) -> None:
        """Even what holds its pipes open."""
        said: Deferred[bytes] = Deferred()
        program = Program(
            reactor, ("sh", "-c", "sleep 1000 & echo $! >&3; wait"), self.ended, said.callback
        )
        program.start(os.environ)
        child = int(await said.addTimeout(SECONDS, reactor))
        await program.stop().addTimeout(SECONDS, reactor)
        while is_alive(child):
            await deferLater(reactor, 0.01)

    async def test_its_last_words_are_logged_within_bounds(self) -> None:
        """Twenty lines at most, none longer than 500 characters; the last may be cut off."""
        end = self.until_ended(1)
        self.program("seq 1000; head -c 3000 /dev/zero | tr '\\0' x; echo; printf 'no display'")
        await end
        await deferLater(reactor, 0)
        words = self.lines[1:]
        self.assertEqual(words[0], "982")
        self.assertEqual(words[-2:], [500 * "x", "no display"])
        self.assertEqual(len(words), 21)

    async def test_words_of_one_that_is_stopped_are_dropped(self) -> None:
        """Nobody asked."""
        said: Deferred[bytes] = Deferred()
        program = Program(
            reactor, ("sh", "-c", "echo chatter; echo ready >&3; exec sleep 1000"),
            self.ended, said.callback,
        )
        program.start(os.environ)
        await said.addTimeout(SECONDS, reactor)
        await program.stop().addTimeout(SECONDS, reactor)
        self.assertEqual(self.lines, [])
