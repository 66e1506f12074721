"""Scores of processor and link, in KasmVNC's units."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from kasmd.viewer.measures import (
    MAX_ASKING,
    RECENT,
    UNKNOWN_PING,
    Figures,
    Measures,
    Network,
    Scores,
)

FRAME = 0.1


def updates(measures: Measures, *frames: float, at: float = 0.0) -> None:
    """Make updates that took so many frames to encode."""
    for taken in frames:
        measures.encoded(taken * FRAME)
        measures.updated(at)


def test_before_anything() -> None:
    assert Measures(FRAME).scores(0) == Scores(10, 10, 10, 10)


def test_fast_updates_are_perfect() -> None:
    measures = Measures(FRAME)
    updates(measures, 0.1, 0.79)
    assert measures.scores(0) == Scores(10, 10, 10, 10)


def test_the_parts_of_an_update_count_together() -> None:
    measures = Measures(FRAME)
    for _ in range(4):
        measures.encoded(FRAME / 4)
    measures.updated(0)
    assert measures.scores(0).cpu == 0


def test_slow_and_nearly_slow_updates() -> None:
    measures = Measures(FRAME)
    updates(measures, 0.8, 0.9)
    assert measures.scores(0).cpu == 8.0
    updates(measures, 0.1, 1.0)
    assert measures.scores(0).cpu == 6.5
    slower = Measures(FRAME)
    updates(slower, 3.5, 0.1)
    # It took the time of three frames: three of four were too slow.
    assert slower.scores(0).cpu == 2.5


def test_what_is_recent() -> None:
    measures = Measures(FRAME)
    updates(measures, 1.0, at=5)
    updates(measures, 0.1, at=9)
    assert measures.scores(9) == Scores(5, 5, 10, 10)
    assert measures.scores(5.5 + RECENT) == Scores(10, 5, 10, 10)
    assert measures.scores(1e9) == Scores(10, 5, 10, 10)


def test_frames_that_the_link_held_back() -> None:
    measures = Measures(FRAME)
    updates(measures, *[0.1] * 10)
    measures.link(True, 1.0)
    measures.link(True, 1.2)
    measures.link(False, 1.41)
    measures.link(False, 2.0)
    assert measures.scores(2) == Scores(10, 10, 6, 6)


def test_shorter_than_a_frame_is_not_held_back() -> None:
    measures = Measures(FRAME)
    updates(measures, 0.1)
    measures.link(True, 1.0)
    measures.link(False, 1.09)
    assert measures.scores(2).network == 10


def test_a_link_that_is_stalled_now() -> None:
    measures = Measures(FRAME)
    updates(measures, 0.1)
    measures.link(True, 1.0)
    assert measures.scores(60.0) == Scores(10, 10, 0, 0)
    nothing_yet = Measures(FRAME)
    nothing_yet.link(True, 1.0)
    assert nothing_yet.scores(60.0) == Scores(10, 10, 0, 0)


def test_memory_is_bounded() -> None:
    measures = Measures(FRAME)
    for second in range(1000):
        updates(measures, 0.1, at=second)
    assert len(measures._recent) <= RECENT + 1


def test_a_clients_own_figures() -> None:
    measures = Measures(FRAME)
    answers: list[Figures] = []
    for _ in range(2):
        asked = measures.asked()
        assert asked is not None
        asked.addCallback(answers.append)
    assert measures.network() == Network(0, UNKNOWN_PING, 0)
    measures.linked(0.0204, 1e6, 0.0031)
    assert measures.network() == Network(3, 20, 1_000_000)
    measures.answered(60, 3)
    measures.answered(61, 3)
    assert answers == [Figures(60, 3, 20)] * 2 and measures.rate == 1e6


def test_who_waits_no_more_makes_room() -> None:
    measures = Measures(FRAME)
    asked = [measures.asked() for _ in range(MAX_ASKING)]
    assert measures.asked() is None
    assert asked[3] is not None
    asked[3].addErrback(lambda failure: failure.trap(CancelledError))
    asked[3].cancel()
    assert measures.asked() is not None
