"""What an update reports, applied to the old picture, must give the new one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kasmd.screen.framebuffer import AT_ONCE, Framebuffer
from kasmd.screen.geometry import Move, Rect, bounding
from kasmd.screen.region import Region
from tests.screen.pictures import HEIGHT, WIDTH, applied, at, pixels


@st.composite
def patches(draw):
    """Noise, flat colours, changes of few pixels, scrolls, overlapping."""
    x, y = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    rect = Rect(x, y, draw(st.integers(0, WIDTH - x)), draw(st.integers(0, HEIGHT - y)))
    seed = draw(st.integers(0, 9))
    kind = draw(st.sampled_from(["noise", "flat", "dots", "scroll", "aside", "same"]))
    return rect, kind, seed


def drawn(framebuffer, rect, kind, seed):
    now = framebuffer.pixels[at(rect)].copy()
    if kind == "noise":
        return pixels(rect.height, rect.width, seed)
    if kind == "flat":
        now[...] = seed * 20
    if kind == "dots":
        now[pixels(rect.height, rect.width, seed)[..., 0] < 2] += 9
    if kind == "scroll":
        now = np.roll(now, (seed - 5) * 3, axis=0)
    if kind == "aside":
        now = np.roll(now, (seed - 5) * 3, axis=1)
    now[..., 3] = seed
    return now


@settings(max_examples=300)
@given(st.lists(st.lists(patches(), min_size=1, max_size=3), min_size=2, max_size=6))
def test_changes_are_exact(updates):
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    framebuffer.update([(framebuffer.bounds, pixels(HEIGHT, WIDTH, 0, colours=2))])
    for update in updates:
        old = framebuffer.pixels.copy()
        given_ = [(rect, drawn(framebuffer, rect, kind, seed)) for rect, kind, seed in update]
        change = framebuffer.update(given_)
        wanted = old.copy()
        for rect, new in given_:
            wanted[at(rect)] = new
        wanted[..., 3] = 0
        assert (framebuffer.pixels == wanted).all()
        assert (applied(old, change, framebuffer.pixels) == wanted).all()
        touched = Region(rect for rect, _ in given_)
        assert not change.region.subtract(touched)
        if (wanted == old).all() and len(update) == 1:
            assert not change.region and not change.moves


@settings(max_examples=200)
@given(st.lists(st.lists(patches(), min_size=1, max_size=3), min_size=2, max_size=6))
def test_what_is_only_drawn_is_exact_and_told_patch_by_patch(updates):
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    framebuffer.update([(framebuffer.bounds, pixels(HEIGHT, WIDTH, 0, colours=2))])
    for update in updates:
        given_ = [(rect, drawn(framebuffer, rect, kind, seed)) for rect, kind, seed in update]
        wanted, told = framebuffer.pixels.copy(), []
        for rect, new in given_:
            if (wanted[at(rect)][..., :3] != new[..., :3]).any():
                told.append(rect)
            wanted[at(rect)] = new
            wanted[..., 3] = 0
        assert framebuffer.draw(given_) == (Region(told), ())
        assert (framebuffer.pixels == wanted).all()


@pytest.mark.parametrize("put", [Framebuffer.update, Framebuffer.draw])
@pytest.mark.parametrize(
    "rect, shape",
    [
        (Rect(-1, 0, 10, 10), (10, 10, 4)),
        (Rect(195, 0, 10, 10), (10, 10, 4)),
        (Rect(0, 145, 10, 10), (10, 10, 4)),
        (Rect(0, 0, 10, 10), (10, 11, 4)),
        (Rect(20, 20, -5, 10), (10, 0, 4)),
    ],
)
def test_wrong_patches_change_nothing(rect, shape, put):
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    good = (Rect(0, 0, 5, 5), np.full((5, 5, 4), 9, np.uint8))
    with pytest.raises(ValueError):
        put(framebuffer, [good, (rect, np.ones(shape, np.uint8))])
    assert not framebuffer.pixels.any()


def test_a_copy_is_alone_and_cannot_be_written_to():
    framebuffer = Framebuffer(WIDTH, HEIGHT)
    copy = framebuffer.copy(Rect(10, 20, 30, 40))
    framebuffer.update([(framebuffer.bounds, pixels(HEIGHT, WIDTH, 1))])
    assert copy.shape == (40, 30, 4) and not copy.any()
    assert copy.flags.c_contiguous
    with pytest.raises(ValueError):
        copy[0, 0] = 1
    with pytest.raises(ValueError):
        framebuffer.copy(Rect(190, 0, 30, 10))


steps = st.tuples(st.integers(-80, 80), st.integers(-80, 80), st.sampled_from([0, 0, 0, 1, 2]))


@settings(max_examples=40)
@given(st.lists(steps, min_size=1, max_size=12))
def test_a_window_that_is_dragged_about_is_exact_at_each_step(steps):
    """Over the edge, drawing in itself (1), and with another that is drawn on it (2)."""
    wall, window = pixels(400, 500, 1), pixels(280, 300, 2)
    framebuffer, place = Framebuffer(500, 400), Rect(120, 90, 300, 280)
    for dx, dy, what in [(0, 0, 0), *steps]:
        before, place = place, place.moved(dx, dy)
        window[9:19] ^= what == 1
        shown = place.intersection(framebuffer.bounds)
        if shown is None:
            break
        new = wall.copy()
        new[at(shown)] = window[at(shown.moved(-place.x, -place.y))]
        new[200:210, 200:300] ^= what == 2
        old = framebuffer.pixels.copy()
        around = bounding(before, place).intersection(framebuffer.bounds)
        patches = [(framebuffer.bounds, new)] if what == 2 else [(around, new[at(around)])]
        if before == place:
            patches = [(framebuffer.bounds, new)]
        change = framebuffer.update(patches, [Move(place, dx, dy)] if dx or dy else [])
        assert (framebuffer.pixels[..., :3] == applied(old, change, new)[..., :3]).all()
        for rect, _ in patches:
            assert (framebuffer.copy(rect)[..., :3] == new[at(rect)][..., :3]).all()


@settings(max_examples=60)
@given(st.integers(0, 119), st.integers(0, 159), st.integers(0, 2))
def test_a_pixel_that_does_not_move_with_its_window_is_doubtful_and_then_told_of(y, x, channel):
    """What moves is known by some of its rows, until all of it is given again."""
    framebuffer, window = Framebuffer(400, 300), Rect(10, 20, 160, 120)
    drawn, ground = pixels(120, 160, 7), pixels(300, 400, 8)
    screen = ground.copy()
    screen[at(window)] = drawn
    framebuffer.update([(framebuffer.bounds, screen)])
    moved_ = window.moved(40, 30)
    screen, old = ground.copy(), framebuffer.pixels.copy()
    screen[at(moved_)] = drawn
    screen[moved_.y + y, moved_.x + x, channel] ^= 1
    given = [(framebuffer.bounds, screen)]
    change = framebuffer.update(given, [Move(moved_, 40, 30)])
    wrong = (framebuffer.pixels != screen)[..., :3].any(axis=2)
    assert wrong.sum() <= 1 and not wrong[:, :moved_.x].any()
    assert (applied(old, change, framebuffer.pixels) == framebuffer.pixels).all()
    if wrong.any():
        assert change.moves and framebuffer.doubtful == moved_
        framebuffer.update([(moved_, screen[at(moved_)])])
    assert framebuffer.doubtful is None or change.moves
    assert (framebuffer.pixels == screen)[..., :3].all()


def test_each_row_of_what_moves_on_is_looked_at_soon():
    """A line that changed is told of after some moves, though nobody doubts it."""
    framebuffer, drawn, ground = Framebuffer(400, 300), pixels(160, 160, 7), pixels(300, 400, 8)
    for row in (0, 77, 159):
        place = Rect(10, 20, 160, 160)
        for number in range(10):
            screen = ground.copy()
            place = place.moved(5, 3)
            screen[at(place)] = drawn
            if number:
                screen[place.y + row] ^= 1
            hints = [Move(place, 5, 3)] if number else []
            framebuffer.update([(framebuffer.bounds, screen)], hints)
            if not number:
                assert (framebuffer.pixels == screen)[..., :3].all()
        assert (framebuffer.pixels == screen)[..., :3].all()


def test_doubt_goes_where_its_window_goes_and_ends_when_all_of_it_was_compared():
    framebuffer, ground = Framebuffer(400, 300), pixels(300, 400, 8)
    places = [Rect(10 + 30 * number, 20, 100, 80) for number in range(4)]
    for number, place in enumerate(places):
        screen = ground.copy()
        screen[at(place)] = pixels(80, 100, 7)
        hints = [Move(place, 30, 0)] if number else []
        framebuffer.update([(framebuffer.bounds, screen)], hints)
        assert framebuffer.doubtful == (place if number else None)
    above, below = Rect(0, 0, 400, 60), Rect(0, 60, 400, 240)
    framebuffer.update([(above, screen[at(above)])])
    assert framebuffer.doubtful == Rect(100, 60, 100, 40)
    framebuffer.draw([(below, screen[at(below)])])
    assert framebuffer.doubtful is None


def test_what_is_drawn_over_and_over_lies_exactly_among_the_rest():
    framebuffer = Framebuffer(400, 300)
    film, clock = Rect(20, 10, 320, 240), Rect(300, 200, 80, 60)
    wanted = framebuffer.pixels.copy()
    held = []
    for number in range(40):
        drawn_ = [film, film, clock, film, Rect(0, 0, 400, 300)][number * 7 % 5]
        new = pixels(drawn_.height, drawn_.width, number)
        framebuffer.update([(drawn_, new)])
        wanted[at(drawn_)] = new
        wanted[..., 3] = 0
        for rect in (film, clock, Rect(20, 40, 320, 99), Rect(100, 0, 77, 300)):
            copy = framebuffer.copy(rect)
            assert copy.flags.c_contiguous and not copy.flags.writeable
            held.append((copy, wanted[at(rect)].copy()))
        assert all((copy == then).all() for copy, then in held)
    assert (framebuffer.pixels == wanted).all()


def test_what_was_given_may_become_anything_afterwards():
    """Nor does the byte that means nothing make a change."""
    framebuffer = Framebuffer(400, 300)
    film = Rect(20, 10, 320, 240)
    for number in range(12):
        given_ = pixels(240, 320, number)
        wanted = given_.copy()
        framebuffer.update([(film, given_)])
        given_[...] = 77
        assert (framebuffer.copy(film)[..., :3] == wanted[..., :3]).all()
        assert not framebuffer.copy(film)[..., 3].any()
        wanted[..., 3] = number
        assert framebuffer.update([(film, wanted)]) == (Region(), ())


#: A picture that is just too large to be taken at once, and a window in it.
WIDE, HIGH = 2048, AT_ONCE // 2048 + 1
ALL, WINDOW = Rect(0, 0, WIDE, HIGH), Rect(300, 200, 900, 700)


def of_words(seed):
    """Few colours, as text has, so that not all of it changes from one to the next."""
    return pixels(HIGH, WIDE, seed, colours=2)


def windows_of(picture, shown):
    """The two halves of a picture, as where two windows are drawn on."""
    left, right = Rect(0, 0, WIDE // 2, HIGH), Rect(WIDE // 2, 0, WIDE // 2, HIGH)
    return [(rect, picture[at(rect)]) for rect in (left, right)]


def whole(picture, shown):
    return [(ALL, picture)]


def scrolled(picture, shown):
    return [(ALL, np.roll(shown, -40, axis=0))]


def dragged(picture, shown):
    moved = shown.copy()
    moved[at(WINDOW.moved(9, 5))] = shown[at(WINDOW)]
    moved[at(Rect(WINDOW.x, WINDOW.y, 900, 5))] = 1
    moved[at(Rect(WINDOW.x, WINDOW.y, 9, 700))] = 1
    return [(ALL, moved)]


@pytest.mark.parametrize("drawn_as, hints", [
    ((whole, whole, whole, whole, whole), ()),
    ((windows_of, windows_of, windows_of), ()),
    ((whole, scrolled, scrolled, scrolled, whole), ()),
    ((whole, dragged), (Move(WINDOW.moved(9, 5), 9, 5),)),
])
def test_what_is_large_is_taken_in_steps_of_which_only_the_last_is_seen(drawn_as, hints):
    """Each pixel is read in the first; who looks in between changes nothing."""
    at_once, stepping = Framebuffer(WIDE, HIGH), Framebuffer(WIDE, HIGH)
    for framebuffer in (at_once, stepping):
        for seed in (7, 8):  # drawn twice, the window lies apart
            framebuffer.update([(WINDOW, pixels(700, 900, seed))])
    for seed, patches_of in enumerate(drawn_as):
        before = stepping.pixels.copy()
        given_ = patches_of(of_words(seed), before)
        wanted = at_once.update(given_, hints)
        steps, taken = stepping.updating(given_, hints), 0
        with pytest.raises(StopIteration) as end:
            while True:
                next(steps)
                taken += 1
                for _, array in given_:
                    array[...] = 99
                assert (stepping.pixels == before).all()
        assert taken >= 2
        assert end.value.value == wanted
        assert (stepping.pixels == at_once.pixels).all()
        assert (applied(before, wanted, stepping.pixels) == stepping.pixels).all()
        assert stepping.doubtful == at_once.doubtful


def test_what_is_left_in_between_was_not_drawn():
    framebuffer = Framebuffer(WIDE, HIGH)
    steps = framebuffer.updating([(ALL, of_words(1))])
    next(steps)
    steps.close()
    assert not framebuffer.pixels.any()


def test_what_is_not_large_is_taken_at_once():
    framebuffer = Framebuffer(WIDE, HIGH)
    rect = Rect(0, 0, WIDE, HIGH - 1)
    assert rect.area == AT_ONCE
    steps = framebuffer.updating([(rect, of_words(1)[at(rect)])])
    with pytest.raises(StopIteration):
        next(steps)
    assert framebuffer.pixels[at(rect)].any()
