"""A slice at a time, in order, whatever fails."""

from __future__ import annotations

from typing import Iterator

from twisted.trial.unittest import SynchronousTestCase

from kasmd.permission.slices import SLICE, Slices
from tests.permission.turns import Turns


class SlicesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.turns = Turns()
        self.slices = Slices(self.turns)
        self.done: list[str] = []

    def steps(self, name: str, number: int, seconds: float = 0.0) -> Iterator[None]:
        """Do something ``number`` times that takes so many seconds each."""
        for count in range(number):
            self.done.append(f"{name}{count}")
            self.turns.now += seconds
            yield

    def test_what_is_soon_done_is_done_at_once(self) -> None:
        self.slices.run(self.steps("a", 1000))
        self.assertEqual(len(self.done), 1000)
        self.assertEqual(self.turns.due, [])

    def test_the_rest_waits_for_the_next_turn(self) -> None:
        self.slices.run(self.steps("a", 5, SLICE / 2))
        self.assertEqual(self.done, ["a0", "a1"])
        self.slices.run(self.steps("b", 1))
        self.turns.turn()
        self.assertEqual(self.done, ["a0", "a1", "a2", "a3"])
        self.turns.turn()
        self.assertEqual(self.done[4:], ["a4", "b0"])
        self.assertEqual(self.turns.due, [])

    def test_what_is_begun_meanwhile_comes_after(self) -> None:
        def outer() -> Iterator[None]:
            self.slices.run(self.steps("inner", 1))
            self.done.append("outer")
            yield

        self.slices.run(outer())
        self.assertEqual(self.done, ["outer", "inner0"])

    def test_a_failure_ends_its_own(self) -> None:
        def fails() -> Iterator[None]:
            yield
            raise ValueError("no")

        self.slices.run(fails())
        self.slices.run(self.steps("a", 1))
        self.assertEqual((self.done, len(self.flushLoggedErrors(ValueError))), (["a0"], 1))
