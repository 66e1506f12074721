"""What a viewer is owed, against a model that keeps every pixel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kasmd.screen.geometry import Move, Rect
from kasmd.screen.region import Region
from kasmd.viewer.updates import MAX_MOVES, Owed, Wish

WIDTH, HEIGHT = 12, 10


@st.composite
def rects(draw: st.DrawFn) -> Rect:
    x, y = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    return Rect(x, y, draw(st.integers(1, WIDTH - x)), draw(st.integers(1, HEIGHT - y)))


@st.composite
def moves(draw: st.DrawFn) -> Move:
    target = draw(rects())
    dx = draw(st.integers(target.right - WIDTH, target.x))
    dy = draw(st.integers(target.bottom - HEIGHT, target.y))
    return Move(target, dx, dy)


class Picture:
    """A display and a viewer of it, pixel by pixel."""

    def __init__(self) -> None:
        self.display = np.zeros((HEIGHT, WIDTH), int)
        self.viewer = self.display.copy()
        self.next = 1

    def paint(self, rect: Rect) -> None:
        part = self.display[rect.y : rect.bottom, rect.x : rect.right]
        part[:] = np.arange(self.next, self.next + part.size).reshape(part.shape)
        self.next += part.size

    @staticmethod
    def move(pixels: np.ndarray, move: Move) -> None:
        source, target = move.source, move.target
        pixels[target.y : target.bottom, target.x : target.right] = pixels[
            source.y : source.bottom, source.x : source.right
        ].copy()

    def send(self, owed: Owed, area: Rect) -> None:
        for move in owed.take_moves():
            self.move(self.viewer, move)
        for rect in owed.within(area).rects:
            self.viewer[rect.y : rect.bottom, rect.x : rect.right] = self.display[
                rect.y : rect.bottom, rect.x : rect.right
            ]
            owed.sent([rect])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("paint"), rects()),
        st.tuples(st.just("move"), moves()),
        st.tuples(st.just("send"), rects()),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.booleans())
def test_a_viewer_ends_with_the_displays_pixels(steps: list, copying: bool) -> None:
    picture, owed = Picture(), Owed()
    for what, value in steps:
        if what == "paint":
            picture.paint(value)
            owed.changed(Region([value]), (), copying)
        elif what == "move":
            picture.move(picture.display, value)
            owed.changed(Region(), (value,), copying)
        else:
            picture.send(owed, value)
    picture.send(owed, Rect(0, 0, WIDTH, HEIGHT))
    assert (picture.viewer == picture.display).all()
    assert not owed


def test_a_move_of_right_pixels_is_owed_as_a_move_only() -> None:
    owed = Owed()
    move = Move(Rect(0, 0, 12, 9), 0, -1)
    owed.changed(Region([Rect(0, 9, 12, 1)]), (move,), True)
    assert owed.take_moves() == (move,)
    assert owed.region == Region([Rect(0, 9, 12, 1)])


def test_moves_are_bounded_and_then_owed_as_pixels() -> None:
    owed = Owed()
    for _ in range(MAX_MOVES + 5):
        owed.changed(Region(), (Move(Rect(0, 0, 4, 4), 0, -1),), True)
    assert len(owed.moves) == MAX_MOVES
    assert owed.region == Region([Rect(0, 0, 4, 4)])


def test_moves_that_cannot_be_made_are_owed_as_pixels() -> None:
    owed = Owed()
    owed.changed(Region(), (Move(Rect(0, 0, 4, 4), 0, -1),), True)
    owed.forget_moves()
    assert owed.moves == [] and owed.region == Region([Rect(0, 0, 4, 4)])


def test_a_request_is_answered_once() -> None:
    wish = Wish()
    assert wish.area is None
    wish.requested(Rect(0, 0, 5, 5), incremental=False)
    wish.requested(Rect(5, 5, 5, 5), incremental=True)
    assert wish.area == Rect(0, 0, 10, 10)
    wish.answered()
    assert wish.area is None


def test_continuous_updates_are_a_standing_request() -> None:
    wish = Wish()
    wish.continuous_set(Rect(0, 0, 10, 10))
    wish.requested(Rect(0, 0, 1, 1), incremental=True)
    wish.answered()
    assert wish.continuous and wish.area == Rect(0, 0, 10, 10)
    wish.continuous_set(None)
    assert wish.area is None


def test_what_was_asked_for_fits_the_new_size() -> None:
    wish = Wish()
    wish.requested(Rect(0, 0, 100, 100), incremental=True)
    wish.continuous_set(Rect(0, 0, 100, 100))
    wish.resized(50, 40)
    assert wish.area == Rect(0, 0, 50, 40)
    wish.answered()
    assert wish.area == Rect(0, 0, 50, 40)
