"""Layouts: what may be asked for, and what is made of what cannot be believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.display.layout import (
    DONE,
    INVALID_LAYOUT,
    MAX_SCREENS,
    NO_RESOURCES,
    Layout,
    fitting,
    judge,
)
from kasmd.screen.geometry import Rect, Screen

sides = st.integers(1, 3000)
#: Few idents and small numbers, that they meet now and then; and any that the wire has.
numbers = st.integers(0, 3000) | st.integers(0, 65535)
idents = st.integers(0, 5) | st.integers(0, 0xFFFFFFFF)
anything = st.lists(
    st.builds(Screen, idents, numbers, numbers, numbers, numbers, idents), max_size=6
)


@st.composite
def valid(draw: st.DrawFn) -> tuple[int, int, list[Screen]]:
    """Give a size, and one to four screens inside it."""
    width, height = draw(sides), draw(sides)
    screens = []
    for ident in draw(st.lists(idents, min_size=1, max_size=MAX_SCREENS, unique=True)):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        size = draw(st.integers(1, width - x)), draw(st.integers(1, height - y))
        screens.append(Screen(ident, x, y, *size, draw(idents)))
    return width, height, screens


@given(valid())
def test_what_is_valid_is_taken_as_it_is(asked: tuple[int, int, list[Screen]]) -> None:
    """Overlapping or not, sorted."""
    width, height, screens = asked
    assert judge(width, height, screens) == DONE
    assert fitting(width, height, screens) == tuple(sorted(screens))
    assert judge(width, height, screens, len(screens) - 1) == NO_RESOURCES


def is_layout(width: int, height: int, layout: Layout) -> bool:
    """Tell, in other words, whether a viewer may be told this layout."""
    for number, screen in enumerate(layout):
        pixels = screen.width * screen.height
        right, bottom = screen.x + screen.width, screen.y + screen.height
        if not pixels or screen.x < 0 or screen.y < 0 or right > width or bottom > height:
            return False
        if number and layout[number - 1].ident >= screen.ident:
            return False
    return 0 < len(layout) <= MAX_SCREENS


@given(sides, sides, anything)
def test_what_is_shown_is_always_a_layout(width: int, height: int, screens: list[Screen]) -> None:
    layout = fitting(width, height, screens)
    assert is_layout(width, height, layout)
    assert fitting(width, height, layout) == layout
    assert judge(width, height, layout) == DONE


@given(sides, sides, anything)
def test_what_is_judged_well_is_a_layout(width: int, height: int, screens: list[Screen]) -> None:
    layout = tuple(sorted(screens))
    assert (judge(width, height, screens) == DONE) == (
        not screens or is_layout(width, height, layout)
    ) or judge(width, height, screens) == NO_RESOURCES


@pytest.mark.parametrize(("width", "height", "screens", "status"), [
    (32767, 1, (), DONE),
    (32768, 1, (), INVALID_LAYOUT),
    (1, 32768, (), INVALID_LAYOUT),
    (0, 1, (), INVALID_LAYOUT),
    (8192, 4096, (), DONE),
    (8193, 4096, (), NO_RESOURCES),
    (7680, 4320, tuple(Screen(n, n % 2 * 3840, n // 2 * 2160, 3840, 2160) for n in range(4)), DONE),
    (9, 9, (Screen(1, 0, 0, 9, 9), Screen(1, 0, 0, 9, 9)), INVALID_LAYOUT),
    (9, 9, (Screen(1, 0, 0, 10, 9),), INVALID_LAYOUT),
    (9, 9, (Screen(1, 0, 9, 9, 1),), INVALID_LAYOUT),
    (9, 9, (Screen(1, 0, 0, 9, 0),), INVALID_LAYOUT),
    (9, 9, tuple(Screen(n, 0, 0, 9, 9) for n in range(5)), NO_RESOURCES),
])
def test_the_edges(width: int, height: int, screens: Layout, status: int) -> None:
    assert judge(width, height, screens) == status


def test_what_is_outside_is_cut_off_and_doubles_are_dropped() -> None:
    screens = [
        Screen(7, 50, 50, 100, 100, 3), Screen(2, 0, 0, 9, 9), Screen(7, 0, 0, 1, 1),
        Screen(9, 100, 0, 5, 5), Screen(10, -5, -5, 15, 15),
    ]
    assert fitting(100, 80, screens) == (
        Screen(2, 0, 0, 9, 9), Screen(7, 50, 50, 50, 30, 3), Screen(10, 0, 0, 10, 10)
    )
    whole = Rect(0, 0, 100, 80)
    assert [screen.rect for screen in fitting(100, 80, [])] == [whole]
