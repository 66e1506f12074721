"""A timer runs only while something waits for it."""

from __future__ import annotations

from twisted.internet.task import Clock

from kasmd.viewer.rhythm import Rhythm


def rhythm() -> tuple[Clock, Rhythm, list[float]]:
    """Give a rhythm, its clock, and when it woke."""
    clock, woken = Clock(), []
    return clock, Rhythm(clock, lambda: woken.append(clock.seconds())), woken


def test_after_a_rest_it_is_at_once() -> None:
    clock, beat, _ = rhythm()
    beat.interval = 0.1
    assert beat.may_begin()
    beat.begun()
    clock.advance(5)
    assert beat.may_begin() and clock.getDelayedCalls() == []


def test_a_frame_rate_is_kept_and_the_newest_not_forgotten() -> None:
    clock, beat, woken = rhythm()
    beat.interval = 0.1
    beat.begun()
    clock.advance(0.04)
    assert not beat.may_begin() and not beat.may_begin()
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(0.06)
    assert woken == [0.1] and beat.may_begin()


def test_a_link_that_is_busy_wakes_when_it_is_not() -> None:
    clock, beat, woken = rhythm()
    beat.pacing.limit(100_000)
    beat.begun()
    beat.pacing.cap.sent(50_000, clock.seconds())
    assert not beat.may_begin()
    clock.advance(0.5)
    assert len(woken) == 1 and beat.may_begin()


def test_the_last_look_counts() -> None:
    """Sooner or later than the one before; what time brings besides stays."""
    clock, beat, woken = rhythm()
    beat.wake_in(0.2)
    for seconds in (0.1, 1.0, 0.5):
        beat.look_in(seconds)
    clock.advance(0.4)
    assert len(woken) == 1
    beat.look_in(0.3)
    for _ in range(7):
        clock.advance(0.1)
    assert len(woken) == 2 and not clock.getDelayedCalls()
    beat.look_in(1.0)
    beat.close()
    assert clock.getDelayedCalls() == []


def test_the_sooner_of_two_wakes() -> None:
    clock, beat, woken = rhythm()
    beat.wake_in(1.0)
    beat.wake_in(0.2)
    beat.wake_in(0.5)
    clock.advance(2)
    assert woken == [2.0]
    beat.wake_in(1.0)
    beat.close()
    assert clock.getDelayedCalls() == []
