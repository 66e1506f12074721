"""A deadline that is moved runs out when it should, and costs one timer."""

from __future__ import annotations

from twisted.internet.task import Clock

from kasmd.http.deadline import LOOK, Deadline


class Counted(Clock):
    """Counts the timers that were made."""

    made = 0

    def callLater(self, *args, **kwargs):
        self.made += 1
        return super().callLater(*args, **kwargs)


def waiting():
    clock, said = Counted(), []
    return clock, Deadline(clock), said


def test_it_runs_out_in_time_and_once() -> None:
    clock, deadline, said = waiting()
    deadline.move(3 * LOOK, lambda: said.append(clock.seconds()))
    clock.pump([1] * int(4 * LOOK))
    assert said == [3 * LOOK]
    assert not clock.getDelayedCalls()


def test_what_is_moved_on_does_not_run_out() -> None:
    clock, deadline, said = waiting()
    for _ in range(50):
        deadline.move(2 * LOOK, lambda: said.append(clock.seconds()))
        clock.advance(LOOK)
    assert not said
    clock.pump([1] * int(LOOK))
    assert said == [51 * LOOK]


def test_it_may_be_moved_to_sooner_and_to_something_else() -> None:
    clock, deadline, said = waiting()
    deadline.move(100, lambda: said.append("late"))
    deadline.move(1, lambda: said.append("soon"))
    clock.advance(1)
    assert said == ["soon"]
    clock.advance(100)
    assert said == ["soon"]


def test_moving_makes_no_timers() -> None:
    clock, deadline, said = waiting()
    for _ in range(1000):
        deadline.move(60, said.clear)
        deadline.move(15, said.clear)
    assert clock.made == 1


def test_what_is_stopped_leaves_nothing_behind() -> None:
    clock, deadline, said = waiting()
    deadline.move(1, lambda: said.append("late"))
    deadline.stop()
    deadline.stop()
    assert not clock.getDelayedCalls()
    deadline.move(2, lambda: said.append("again"))
    clock.advance(2)
    assert said == ["again"]


def test_it_may_be_moved_from_inside() -> None:
    clock, deadline, said = waiting()

    def over() -> None:
        said.append(clock.seconds())
        if len(said) < 3:
            deadline.move(1, over)

    deadline.move(1, over)
    clock.pump([1] * 5)
    assert said == [1, 2, 3]
