"""Lines of a text are found by their base lines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec.lines import MOST, tops_of
from kasmd.screen.pixels import as_values
from tests.written import PITCH, written


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("lost", [0, 5, 13])
def test_lines_of_one_height(smooth, lost):
    tops = tops_of(as_values(written(320, 800, smooth)[lost:]))
    assert set(np.diff(tops[1:-1])) == {PITCH}
    # None goes through a letter: what is above each is as empty as the margin.
    text = as_values(written(320, 800, smooth)[lost:])
    turns = np.count_nonzero(text[:, 1:] != text[:, :-1], axis=1)
    assert max(turns[top - 1] for top in tops[1:-1]) <= turns.mean() / 4


def test_paragraphs_apart_and_a_bar_beside():
    pages = [written(PITCH * lines, 800, seed=lines) for lines in (3, 4, 2)]
    gap = np.full((9, 800, 4), pages[0][0, 0], np.uint8)
    text = np.vstack([pages[0], gap, pages[1], gap, gap, pages[2]])
    text[:, 790:795] = 77
    tops = tops_of(as_values(text))
    begins = [0, 3 * PITCH + 9, 7 * PITCH + 27]
    for begin, lines in zip(begins, (3, 4, 2)):
        inner = [top for top in tops if begin + 9 < top < begin + lines * PITCH - 9]
        assert len({(top - begin) % PITCH for top in inner}) == 1, (tops, begin)
    assert max(np.diff(tops)) == PITCH


def test_one_line():
    assert tops_of(as_values(written(PITCH, 800))) == [0, PITCH]


def test_no_text():
    ramp = np.arange(300 * 400, dtype=np.uint32).reshape(300, 400)
    assert tops_of(ramp) is None
    assert tops_of(np.zeros((300, 400), np.uint32)) is None
    # Lines that are too high to be lines.
    high = np.zeros((400, 400), np.uint32)
    high[100:200, ::2] = high[300:, ::2] = 1
    assert tops_of(high) is None


@given(st.integers(1, 200), st.integers(1, 60), st.integers(1, 4), st.integers(0, 99))
def test_bands_are_the_picture(height, width, colours, seed):
    random = np.random.default_rng(seed)
    rows = random.integers(0, 2, (height, 1), np.uint8)
    tops = tops_of(random.integers(0, colours, (height, width), np.uint8) * rows)
    if tops is not None:
        heights = np.diff(tops)
        assert (tops[0], tops[-1]) == (0, height)
        assert 1 <= heights.min() <= heights.max() <= MOST
