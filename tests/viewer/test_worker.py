"""Workers: in order, failures kept apart; the suite runs over both kinds."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from kasmd.interfaces import IWorker
from kasmd.viewer.worker import InlineWorker, ThreadWorker


class WorkerContract:
    """What every IWorker does."""

    def make(self) -> Any:
        raise AssertionError("a suite makes its worker")

    def test_provides(self: Any) -> None:
        self.assertTrue(IWorker.providedBy(self.make()))

    def test_result(self: Any) -> Deferred[None]:
        return self.make().do(divmod, 7, 2).addCallback(self.assertEqual, (3, 1))

    def test_failure(self: Any) -> Deferred[Any]:
        return self.assertFailure(self.make().do(divmod, 1, 0), ZeroDivisionError)

    def test_in_order_and_on_after_a_failure(self: Any) -> Deferred[Any]:
        worker, seen = self.make(), list[int]()
        failing = self.assertFailure(worker.do(divmod, 1, 0), ZeroDivisionError)
        rest = [worker.do(seen.append, number) for number in range(20)]
        done = gatherResults([failing, *rest])
        return done.addCallback(lambda _: self.assertEqual(seen, list(range(20))))


class InlineTests(WorkerContract, TestCase):
    def make(self) -> InlineWorker:
        return InlineWorker()

    def test_done_at_once(self) -> None:
        self.assertEqual(self.successResultOf(self.make().do(len, "ab")), 2)


class ThreadTests(WorkerContract, TestCase):
    def make(self) -> ThreadWorker:
        return ThreadWorker(reactor)
