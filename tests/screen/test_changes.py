"""Scrolls, hints and films, as a framebuffer finds them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kasmd.screen.framebuffer import Framebuffer
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.region import Region
from tests.screen.pictures import HEIGHT, WIDTH, applied, at, pixels


@given(st.integers(-60, 60).filter(bool), st.integers(0, 99))
def test_a_scroll_is_a_move_and_the_rest(dy, seed):
    page = pixels(HEIGHT + 120, WIDTH, seed)
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    framebuffer.update([(framebuffer.bounds, page[60:60 + HEIGHT])])
    change = framebuffer.update([(framebuffer.bounds, page[60 - dy:60 - dy + HEIGHT])])
    top = max(dy, 0)
    assert change.moves == (Move(Rect(0, top, WIDTH, HEIGHT - abs(dy)), 0, dy),)
    uncovered = Rect(0, 0 if dy > 0 else HEIGHT - abs(dy), WIDTH, abs(dy))
    assert change.region == Region([uncovered])


@given(st.integers(-90, 90).filter(bool), st.integers(0, 99))
def test_a_scroll_aside_is_a_move_and_the_rest(dx, seed):
    page = pixels(HEIGHT, WIDTH + 180, seed)
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    framebuffer.update([(framebuffer.bounds, page[:, 90:90 + WIDTH])])
    change = framebuffer.update([(framebuffer.bounds, page[:, 90 - dx:90 - dx + WIDTH])])
    left = max(dx, 0)
    assert change.moves == (Move(Rect(left, 0, WIDTH - abs(dx), HEIGHT), dx, 0),)
    uncovered = Rect(0 if dx > 0 else WIDTH - abs(dx), 0, abs(dx), HEIGHT)
    assert change.region == Region([uncovered])


def test_a_scroll_aside_goes_on_is_disturbed_and_turns():
    page = pixels(HEIGHT, WIDTH + 200, 5, colours=2) * 255
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    framebuffer.update([(framebuffer.bounds, page[:, :WIDTH])])
    left = 0
    for step in (10, 10, 10, -10, -10, 7, 7, 0, 7):
        old, left = framebuffer.pixels.copy(), left + step
        new = page[:, left:left + WIDTH].copy()
        new[40:50, 60:70] = 77
        change = framebuffer.update([(framebuffer.bounds, new)])
        assert (applied(old, change, framebuffer.pixels) == framebuffer.pixels).all()
        assert (framebuffer.pixels[..., :3] == new[..., :3]).all()
        assert {(move.dx, move.dy) for move in change.moves} == ({(-step, 0)} if step else set())


def test_a_scroll_told_line_by_line():
    page = pixels(HEIGHT + 10, WIDTH, 3)
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    framebuffer.update([(framebuffer.bounds, page[:HEIGHT])])
    new = page[10:HEIGHT + 10]
    lines = [Rect(0, y, WIDTH, 10) for y in range(0, HEIGHT, 10)]
    change = framebuffer.update([(line, new[at(line)]) for line in lines])
    assert [move.dy for move in change.moves] == [-10]
    assert change.region == Region([Rect(0, HEIGHT - 10, WIDTH, 10)])


def test_blank_paper_is_not_moved_about():
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    new = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    new[:60] = pixels(60, WIDTH, 1)
    assert framebuffer.update([(framebuffer.bounds, new)]).moves == ()


def test_nothing_is_reported_for_nothing():
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    change = framebuffer.update([(framebuffer.bounds, framebuffer.pixels.copy())])
    assert change == (Region(), ())
    assert framebuffer.update([]) == (Region(), ())


def test_a_small_change_is_small():
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    new = framebuffer.pixels.copy()
    new[70:80, 50:58] = 200
    change = framebuffer.update([(framebuffer.bounds, new)])
    assert not Region([Rect(50, 70, 8, 10)]).subtract(change.region)
    assert change.region.area <= 16 * 10


@pytest.mark.parametrize("dx, dy", [(7, -5), (-60, 0), (3, 64)])
def test_a_hint_that_is_true_is_a_move_and_the_rest(dx, dy):
    framebuffer = Framebuffer(400, 300)
    framebuffer.update([(framebuffer.bounds, pixels(300, 400, 1))])
    old, new = framebuffer.pixels.copy(), framebuffer.pixels.copy()
    source, target = Rect(120, 90, 150, 120), Rect(120 + dx, 90 + dy, 150, 120)
    new[at(source)] = 9
    new[at(target)] = old[at(source)]
    change = framebuffer.update([(framebuffer.bounds, new)], [Move(target, dx, dy)])
    assert change.moves == (Move(target, dx, dy),)
    assert not change.region.intersect(Region([target]))
    assert (applied(old, change, new)[..., :3] == new[..., :3]).all()


@given(st.integers(-90, 90), st.integers(-90, 90), st.integers(0, 99))
def test_a_hint_that_is_wrong_does_no_harm(dx, dy, seed):
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    framebuffer.update([(framebuffer.bounds, pixels(HEIGHT, WIDTH, 0, colours=2))])
    old, new = framebuffer.pixels.copy(), np.roll(framebuffer.pixels, 7, axis=1)
    new[20:25, 30:90] = seed
    hint = Move(Rect(60 + dx, 40 + dy, 100, 90), dx, dy)
    change = framebuffer.update([(framebuffer.bounds, new)], [hint])
    assert (applied(old, change, framebuffer.pixels)[..., :3] == new[..., :3]).all()


def test_a_scroll_goes_on_is_disturbed_turns_and_ends():
    page = pixels(HEIGHT + 200, WIDTH, 5, colours=2) * 255
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    framebuffer.update([(framebuffer.bounds, page[:HEIGHT])])
    top = 0
    for step in (10, 10, 10, 10, -10, -10, 7, 7, 0, 7):
        old, top = framebuffer.pixels.copy(), top + step
        new = page[top:top + HEIGHT].copy()
        new[40:50, 40 + top:50 + top] = 77
        change = framebuffer.update([(framebuffer.bounds, new)])
        assert (framebuffer.pixels[..., :3] == new[..., :3]).all()
        assert (applied(old, change, framebuffer.pixels) == framebuffer.pixels).all()
        assert [move.dy for move in change.moves][:1] == ([-step] if step else [])


@settings(max_examples=60)
@given(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1), st.integers(0, 2))
def test_what_goes_on_is_looked_at_to_the_last_pixel(y, x, channel):
    """One pixel that does not scroll along is told of."""
    page = pixels(HEIGHT + 40, WIDTH, 5)
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    for top in (0, 10, 20, 30):
        old, new = framebuffer.pixels.copy(), page[top:top + HEIGHT].copy()
        new[y, x, channel] ^= 1 if top == 30 else 0
        change = framebuffer.update([(framebuffer.bounds, new)])
        assert (applied(old, change, new)[..., :3] == new[..., :3]).all()
    assert change.moves


def test_a_look_at_nothing_new_does_not_end_a_scroll():
    page = pixels(HEIGHT + 40, WIDTH, 5)
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    for top in (0, 10, 10, 10, 13):
        change = framebuffer.update([(framebuffer.bounds, page[top:top + HEIGHT])])
    assert [move.dy for move in change.moves] == [-3]
    for top in (16, 16, 19):
        change = framebuffer.update([(framebuffer.bounds, page[top:top + HEIGHT])])
        assert [move.dy for move in change.moves] == ([-3] if change.region else [])


def test_a_film_that_halts_is_told_no_more():
    framebuffer = Framebuffer(400, 300)
    film = Rect(20, 10, 320, 240)
    for number in range(20):
        new = pixels(240, 320, number)
        assert framebuffer.update([(film, new)]).region == Region([film])
    for _ in range(20):
        assert framebuffer.update([(film, new)]) == (Region(), ())
    new[100:110, 50:60] ^= 1
    assert framebuffer.update([(film, new)]).region.area <= 16 * 16
    assert (framebuffer.copy(film)[..., :3] == new[..., :3]).all()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("lasted, found_after", [(20, 32), (140, 192)])
def test_a_film_is_searched_for_scrolls_only_now_and_then_and_a_scroll_is_found_again(
    axis: int, lasted: int, found_after: int,
) -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (lasted, 128, 128, 4), np.uint8)
    framebuffer = Framebuffer(128, 128)
    rect = Rect(0, 0, 128, 128)
    for frame in frames:
        framebuffer.update([(rect, frame)])
    found = []
    for _ in range(found_after - lasted + 5):
        scrolled = np.roll(framebuffer.pixels, -5, axis)
        scrolled.swapaxes(0, axis)[-5:] = rng.integers(0, 256, (5, 128, 4), np.uint8)
        found.append(bool(framebuffer.update([(rect, scrolled)]).moves))
    assert found == [number >= found_after for number in range(lasted + 1, lasted + 1 + len(found))]
