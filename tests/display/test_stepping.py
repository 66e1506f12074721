"""Others have their turn between steps, and what is left goes no further."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kasmd.display.stepping import TURN_SECONDS, Stepping
from kasmd.screen.steps import Steps


class Tests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.stepping = Stepping(self.clock)
        self.seen: list[str] = []

    def work(self, *seconds: float) -> Steps[None]:
        """Take so long for each step; others ask for a turn in each."""
        for each in seconds:
            self.clock.callLater(0, self.seen.append, "others")
            self.clock.rightNow += each
            self.seen.append("step")
            yield

    def do(self, steps: Steps[None]) -> None:
        self.stepping.do(steps, lambda: self.seen.append("done"))

    def test_what_is_quick_is_done_at_once(self) -> None:
        self.do(self.work(TURN_SECONDS / 4, TURN_SECONDS / 4))
        self.assertEqual(self.seen, ["step", "step", "done"])

    def test_others_have_their_turn_after_what_took_long(self) -> None:
        self.do(self.work(TURN_SECONDS, TURN_SECONDS / 4, TURN_SECONDS))
        self.assertEqual(self.seen, ["step"])
        self.clock.advance(0)
        self.assertEqual(self.seen, [
            "step", "others", "step", "step", "others", "others", "done",
        ])

    def test_what_is_left_goes_no_further(self) -> None:
        self.stepping.stop()
        self.do(self.work(TURN_SECONDS, TURN_SECONDS))
        self.stepping.stop()
        self.clock.advance(1)
        self.assertEqual(self.seen, ["step", "others"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_failure_is_logged_and_ends_it(self) -> None:
        def failing() -> Steps[None]:
            yield
            raise RuntimeError("on purpose")

        self.do(failing())
        self.assertEqual(self.seen, ["done"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
