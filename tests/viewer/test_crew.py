"""A crew: each of it does one thing at a time."""

from __future__ import annotations

from threading import Event
from typing import Any, Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from kasmd.viewer.crew import Crew, crew_for
from tests.viewer.slowcoach import Slowcoach
from tests.viewer.test_worker import WorkerContract


class Hasty(Slowcoach):
    """Is told to at once: for the contract."""

    def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Do it."""
        done = super().do(work, *args)
        self.finish()
        return done


class SlowcoachTests(WorkerContract, TestCase):
    def make(self) -> Hasty:
        return Hasty()


class CrewTests(TestCase):
    def test_each_does_one_thing_at_a_time(self) -> None:
        workers = Slowcoach(), Slowcoach()
        crew = Crew(workers)
        first, second = crew.do(lambda: 1), crew.do(lambda: 1 // 0)
        self.assertFalse(crew.idle)
        for worker in workers:
            worker.finish()
        self.assertEqual(self.successResultOf(first), 1)
        self.failureResultOf(second, ZeroDivisionError)
        self.assertTrue(crew.idle)

    def test_nobody_is_never_idle(self) -> None:
        self.assertFalse(Crew().idle)

    def test_it_has_threads_of_its_own_of_the_reactors_pool(self) -> Deferred[Any]:
        before = reactor.getThreadPool().max  # type: ignore[attr-defined]
        self.addCleanup(reactor.suggestThreadPoolSize, before)  # type: ignore[attr-defined]
        crew, gate, busy = crew_for(reactor), Event(), []
        while crew.idle:
            busy.append(crew.do(gate.wait))
        gate.set()
        after = reactor.getThreadPool().max  # type: ignore[attr-defined]
        self.assertEqual(after - before, len(busy))
        return gatherResults(busy).addCallback(lambda _: self.assertEqual(crew.idle, bool(busy)))
