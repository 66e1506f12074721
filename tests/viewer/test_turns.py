"""Turns: fair, in order, and a little in each round of the reactor."""

from typing import Callable

from twisted.trial.unittest import TestCase

from kasmd.viewer.turns import ROUND, Turns


class Rounds:
    """A reactor's rounds, one at a time (task.Clock runs those to come in the same go)."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def callLater(self, delay: float, call: Callable[[], None]) -> Callable[[], None]:
        assert delay == 0
        self.calls.append(call)
        return call

    def next(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class TurnsTests(TestCase):
    def setUp(self) -> None:
        self.clock, self.now = Rounds(), 0.0
        self.turns = Turns(self.clock, lambda: self.now)
        self.done: list[str] = []

    def work(self, name: str, cost: float = 0.0) -> None:
        self.done.append(name)
        self.now += cost

    def ask(self, name: str, cost: float = 0.0) -> None:
        self.turns.ask(name, lambda: self.work(name, cost))

    def test_cheap_work_is_done_at_once(self) -> None:
        for name in "abc":
            self.ask(name)
        self.assertEqual(self.done, ["a", "b", "c"])

    def test_after_costly_work_the_rest_wait_their_turn(self) -> None:
        for name in "abc":
            self.ask(name, 2 * ROUND)
        self.assertEqual(self.done, ["a"])
        self.clock.next()
        self.assertEqual(self.done, ["a", "b"])
        self.clock.next()
        self.assertEqual(self.done, ["a", "b", "c"])

    def test_a_round_takes_as_much_as_fits(self) -> None:
        self.ask("a", 2 * ROUND)
        for name in "bcdef":
            self.ask(name, ROUND / 2)
        self.clock.next()
        self.assertEqual(self.done, ["a", "b", "c"])
        self.clock.next()
        self.assertEqual(self.done, ["a", "b", "c", "d", "e"])

    def test_nobody_overtakes_one_who_waits(self) -> None:
        self.ask("a", 2 * ROUND)
        self.ask("b", 2 * ROUND)
        self.clock.next()
        self.ask("c")
        self.assertEqual(self.done, ["a", "b"])
        self.clock.next()
        self.assertEqual(self.done, ["a", "b", "c"])

    def test_one_turn_however_often_it_is_asked_for(self) -> None:
        self.ask("a", 2 * ROUND)
        self.ask("b")
        self.ask("b")
        self.clock.next()
        self.assertEqual(self.done, ["a", "b"])

    def test_one_who_asks_in_its_turn_comes_after_those_who_wait(self) -> None:
        self.turns.ask("a", lambda: (self.work("a", 2 * ROUND), self.ask("a again")))
        self.ask("b")
        self.assertEqual(self.done, ["a"])
        self.clock.next()
        self.assertEqual(self.done, ["a", "a again", "b"])

    def test_one_who_left_has_no_turn(self) -> None:
        self.ask("a", 2 * ROUND)
        self.ask("b")
        self.turns.leave("b")
        self.turns.leave("nobody")
        self.clock.next()
        self.assertEqual(self.done, ["a"])

    def test_a_failure_ends_nobody_elses_turn(self) -> None:
        self.ask("a", 2 * ROUND)
        self.turns.ask("b", lambda: 1 / 0)
        self.ask("c")
        self.assertRaises(ZeroDivisionError, self.clock.next)
        self.clock.next()
        self.assertEqual(self.done, ["a", "c"])

    def test_time_without_work_is_time_for_work(self) -> None:
        self.ask("a", 2 * ROUND)
        self.now += ROUND / 2
        self.ask("b")
        self.assertEqual(self.done, ["a"])
        self.clock.next()
        self.ask("c", 2 * ROUND)
        self.now += 2 * ROUND
        self.ask("d")
        self.assertEqual(self.done, ["a", "b", "c", "d"])
        self.assertEqual(self.clock.calls, [])

    def test_nothing_is_left_when_nobody_waits(self) -> None:
        self.ask("a")
        self.clock.next()
        self.assertEqual(self.clock.calls, [])
