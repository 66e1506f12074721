"""Motion: a film is found where it plays, and nothing else is taken for one."""

from __future__ import annotations

from typing import Optional, Sequence

import pytest
from twisted.internet.task import Clock

from kasmd.screen.framebuffer import Identity
from kasmd.screen.geometry import Rect
from kasmd.screen.region import Region
from kasmd.viewer.motion import STEADY, Motion

SIZE = 1280, 720
FILM = Rect(101, 67, 640, 360)
CURSOR = Rect(900, 600, 10, 20)


class Desktop:
    """What changes on it, and when."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.motion = Motion(self.clock)
        self.frame = 0

    def play(self, seconds: float, rate: float, *rects: Rect) -> Optional[Rect]:
        """Let ``rects`` change, ``rate`` times a second; give the film."""
        for _ in range(round(seconds * rate)):
            self.change(rects)
            self.clock.advance(1 / rate)
        return self.motion.film

    def change(self, rects: Sequence[Rect]) -> None:
        self.frame += 1
        self.motion.changed(Identity(1, self.frame), SIZE, Region(rects))


@pytest.fixture
def desktop() -> Desktop:
    return Desktop()


@pytest.mark.parametrize("rate", [15, 24, 30, 60])
def test_a_film_is_found_to_the_pixel(desktop: Desktop, rate: int) -> None:
    assert desktop.play(STEADY / 2, rate, FILM) is None
    assert desktop.play(1.5, rate, FILM) == FILM


def test_all_of_a_film_is_found_though_parts_of_it_stand_still(desktop: Desktop) -> None:
    top = FILM._replace(height=300)
    for number in range(60):
        desktop.play(1 / 30, 30, top if number % 3 else FILM)
    assert desktop.motion.film == FILM


@pytest.mark.parametrize("rate,rects", [
    (2, [FILM]),
    (5, [FILM]),
    (30, [Rect(0, 0, 120, 120)]),
    (30, [Rect(32 * step, 32 * step, 32, 32) for step in range(22)]),
    (30, []),
])
def test_what_is_no_film(desktop: Desktop, rate: int, rects: list[Rect]) -> None:
    assert desktop.play(3, rate, *rects) is None


def test_a_window_that_is_dragged_is_no_film(desktop: Desktop) -> None:
    for step in range(60):
        assert desktop.play(1 / 30, 30, Rect(10 * step, 5 * step, 400, 300)) is None


def test_the_rest_of_the_screen_may_change_beside_a_film(desktop: Desktop) -> None:
    assert desktop.play(2, 30, FILM, CURSOR) == FILM
    desktop.change([Rect(0, 0, *SIZE)])
    assert desktop.play(2, 30, FILM, Rect(200, 600, 500, 20)) == FILM
    assert desktop.play(1, 30, FILM) == FILM


def test_what_changes_between_its_pictures_ends_no_film(desktop: Desktop) -> None:
    assert desktop.play(2, 30, FILM) == FILM
    for _ in range(120):
        for rect in (Rect(900, 600, 80, 80), FILM):
            desktop.change([rect])
            desktop.clock.advance(1 / 60)
    assert desktop.motion.film == FILM


def test_a_film_ends_when_it_stands(desktop: Desktop) -> None:
    assert desktop.play(2, 30, FILM) == FILM
    assert desktop.play(0.2, 10, CURSOR) == FILM
    assert desktop.play(2, 2, CURSOR) is None
    assert desktop.play(2, 30, FILM) == FILM


def test_a_film_that_grows_is_found_anew(desktop: Desktop) -> None:
    full = Rect(0, 0, *SIZE)
    assert desktop.play(2, 30, FILM) == FILM
    assert desktop.play(2, 30, full) == full
    assert desktop.play(3, 30, FILM) == FILM


def test_a_change_counts_once_however_many_tell_of_it(desktop: Desktop) -> None:
    for _ in range(15):
        for _ in range(20):
            desktop.motion.changed(Identity(1, desktop.frame), SIZE, Region([FILM]))
        desktop.clock.advance(0.2)
        desktop.frame += 1
    assert desktop.motion.film is None


def test_another_size_is_another_desktop(desktop: Desktop) -> None:
    assert desktop.play(2, 30, FILM) == FILM
    desktop.motion.changed(Identity(1, 0), (640, 480), Region([Rect(0, 0, 640, 480)]))
    assert desktop.motion.film is None


def test_the_last_line_of_a_text_that_scrolls_is_none(desktop: Desktop) -> None:
    """It touches two rows of cells, which are large enough together."""
    assert desktop.play(3.0, 20, Rect(100, 692, 760, 16)) is None
