"""What lies apart is seen among the rest as if it did not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kasmd.screen.geometry import Rect
from kasmd.screen.layers import Layers
from kasmd.screen.pixels import Values

WIDTH, HEIGHT = 700, 500
WINDOW = Rect(100, 90, 320, 240)

places = st.builds(
    lambda x, y, width, height: Rect(x, y, min(width, WIDTH - x), min(height, HEIGHT - y)),
    st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1),
    st.sampled_from([1, 30, 320, WIDTH]), st.sampled_from([1, 30, 240, HEIGHT]),
)
windows = st.builds(WINDOW.moved, st.integers(-100, 280), st.integers(-90, 170))


def noise(rect: Rect, seed: int) -> Values:
    return np.random.default_rng(seed).integers(0, 1 << 24, (rect.height, rect.width), np.uint32)


@given(st.lists(
    st.one_of(
        st.tuples(st.just("drawn"), places), st.tuples(st.just("drawn"), windows),
        st.tuples(st.just("moved"), windows), st.tuples(st.just("seen"), places),
        st.tuples(st.just("there"), windows),
    ),
    max_size=12,
))
def test_each_pixel_is_what_was_drawn_last(events: list[tuple[str, Rect]]) -> None:
    layers = Layers(WIDTH, HEIGHT)
    wanted = np.zeros((HEIGHT, WIDTH), np.uint32)
    last = WINDOW
    for seed, (what, rect) in enumerate(events):
        if what == "there":
            wanted[rect.slices] = wanted[last.slices].copy()
            layers.move(last, rect)
            last = rect
        elif what != "seen":
            new = noise(rect, seed)
            wanted[rect.slices] = new
            layers.draw(rect, new, what == "moved")
            last = rect if what == "moved" else last
        found = layers.part(rect).view(np.uint32)[..., 0]
        assert (found == wanted[rect.slices]).all()
    everything = layers.part(Rect(0, 0, WIDTH, HEIGHT)).view(np.uint32)[..., 0]
    assert (everything == wanted).all()


def test_what_moves_lies_apart_and_leaves_nothing_behind() -> None:
    layers = Layers(WIDTH, HEIGHT)
    layers.draw(WINDOW, noise(WINDOW, 1), False)
    for step in range(1, 5):
        place = WINDOW.moved(8 * step, 5 * step)
        layers.move(WINDOW.moved(8 * step - 8, 5 * step - 5), place)
        assert layers.place == place
        trail = layers.part(Rect(WINDOW.x, WINDOW.y, 8, 5)).view(np.uint32)[..., 0]
        assert (trail == noise(WINDOW, 1)[:5, :8]).all()


def test_what_is_drawn_again_lies_apart_until_something_lies_on_it() -> None:
    layers = Layers(WIDTH, HEIGHT)
    layers.draw(WINDOW, noise(WINDOW, 1), False)
    assert not layers.place.area
    layers.draw(WINDOW, noise(WINDOW, 2), False)
    assert layers.place == WINDOW
    layers.draw(Rect(0, 0, 120, 120), noise(Rect(0, 0, 120, 120), 3), False)
    assert not layers.place.area


def test_nothing_small_nor_very_large_lies_apart() -> None:
    layers = Layers(4096, 1100)
    for rect in (Rect(5, 5, 99, 99), Rect(0, 0, 4096, 1100)):
        for seed in range(3):
            layers.draw(rect, noise(rect, seed), True)
            assert not layers.place.area


def test_what_all_of_it_becomes_is_taken_as_it_is_unless_it_must_stay_as_it_is() -> None:
    everything = Rect(0, 0, 4096, 1100)
    for stays in (False, True):
        layers = Layers(4096, 1100)
        new = noise(everything, 1)
        new.flags.writeable = not stays
        layers.draw(everything, new)
        before = new.copy()
        layers.draw(Rect(5, 5, 9, 9), noise(Rect(5, 5, 9, 9), 2))
        assert np.may_share_memory(layers.part(everything), new) != stays
        assert (new == before).all() == stays
        assert (layers.values(Rect(5, 5, 9, 9)) == noise(Rect(5, 5, 9, 9), 2)).all()
