"""The painter: whatever happens on the way, a viewer ends with the display's pixels."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kasmd.rfb.client import UpdateReceived
from kasmd.rfb.numbers import Encoding
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import BGRX, PixelFormat
from kasmd.rights import Right
from tests.viewer.scene import RIGHTS, SMALL_SLICES, Scene, Watcher

BIG_ENDIAN = PixelFormat(32, 24, True, True, 255, 255, 255, 16, 8, 0)
RGB565 = PixelFormat(16, 16, False, True, 31, 63, 31, 11, 5, 0)
RGB565_BIG = RGB565._replace(big_endian=True)
BGR233 = PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6)
FORMATS = (BGRX, BIG_ENDIAN, RGB565, RGB565_BIG, BGR233)
SIZES = ((320, 240), (200, 300), (333, 127), (16, 16))


class Kind(NamedTuple):
    """A sort of viewer program."""

    encodings: tuple[int, ...]
    kasm: bool = False


FENCES = Encoding.FENCE, Encoding.CONTINUOUS_UPDATES
RICH = *FENCES, Encoding.COPY_RECT, Encoding.LAST_RECT, Encoding.EXTENDED_DESKTOP_SIZE
POOR = Encoding.FENCE, Encoding.DESKTOP_SIZE
KINDS = {
    "Raw": Kind((Encoding.RAW, *RICH)),
    "Raw, counted": Kind((Encoding.RAW, *POOR)),
    "Hextile": Kind((Encoding.HEXTILE, *RICH)),
    "Hextile, counted": Kind((Encoding.HEXTILE, *POOR, Encoding.COPY_RECT)),
    "ZRLE": Kind((Encoding.ZRLE, SMALL_SLICES, *RICH)),
    "ZRLE, counted": Kind((Encoding.ZRLE, SMALL_SLICES, *POOR, *FENCES)),
    "Tight": Kind((Encoding.TIGHT, SMALL_SLICES, *RICH)),
    "Tight, counted": Kind((Encoding.TIGHT, SMALL_SLICES, *POOR, Encoding.COPY_RECT)),
    "Kasm": Kind((Encoding.TIGHT, SMALL_SLICES, *RICH), kasm=True),
}

FRACTIONS = st.tuples(*[st.integers(0, 15)] * 4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), FRACTIONS),
        st.tuples(st.just("noise"), FRACTIONS),
        st.tuples(st.just("scroll"), st.integers(1, 40) | st.integers(-40, -1)),
        st.tuples(st.just("request"), st.booleans()),
        st.tuples(st.just("request part"), FRACTIONS),
        st.tuples(st.just("continuous"), FRACTIONS | st.none()),
        st.tuples(st.just("pause after"), st.integers(0, 3)),
        st.tuples(st.just("resume"), st.none()),
        st.tuples(st.just("tick"), st.none()),
        st.tuples(st.just("resize"), st.sampled_from(SIZES)),
        st.tuples(st.just("format"), st.sampled_from(FORMATS)),
        st.tuples(st.just("blind"), st.booleans()),
    ),
    max_size=25,
)


def part(scene: Scene, fractions: tuple[int, int, int, int]) -> Rect:
    """Give a rectangle inside the display, from sixteenths of what is possible."""
    width, height = scene.display.size
    x, y = fractions[0] * width // 16, fractions[1] * height // 16
    return Rect(x, y, 1 + fractions[2] * (width - x - 1) // 15,
                1 + fractions[3] * (height - y - 1) // 15)


def play(scene: Scene, watcher: Watcher, what: str, value: object, continuous: bool) -> None:
    """Let one thing happen."""
    display, line = scene.display, watcher.line
    if what == "fill":
        display.fill((value[0] * 16, value[1] * 16, value[2] * 16), part(scene, value))
    elif what == "noise":
        display.noise(part(scene, value), sum(value))
    elif what == "scroll":
        display.scroll(max(1 - display.size[1], min(value, display.size[1] - 1)))
    elif what == "request":
        watcher.request(incremental=value)
    elif what == "request part":
        watcher.request(incremental=True, rect=part(scene, value))
    elif what == "continuous" and continuous:
        watcher.client.send_continuous_updates(
            value is not None, part(scene, value or (0, 0, 0, 0))
        )
    elif what == "pause after":
        line.room = value
        if value == 0:
            line.pause()
    elif what == "resume":
        line.resume()
    elif what == "tick":
        scene.tick()
    elif what == "resize":
        display.resize(*value, ())
    elif what == "format":
        watcher.change_format(value)
        watcher.request()
    elif what == "blind":
        scene.registry.set("writer", Right.ENTER if value else RIGHTS["writer"])
    watcher.exchange()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_a_viewer_ends_with_the_displays_pixels(kind: Kind, steps: list) -> None:
    scene = Scene()
    scene.display.noise(Rect(10, 10, 300, 200), 1)
    watcher = scene.watch(*kind.encodings, kasm=kind.kasm)
    continuous = Encoding.CONTINUOUS_UPDATES in kind.encodings
    watcher.request()
    for what, value in steps:
        play(scene, watcher, what, value, continuous)
    watcher.line.resume()
    play(scene, watcher, "blind", False, continuous)
    play(scene, watcher, "continuous", None, continuous)
    scene.tick(watcher)
    scene.settle(watcher)
    assert (watcher.line.closed, watcher.line.aborted) == (None, False)
    assert watcher.shows(scene.display.picture)
    watcher.leave()
    assert scene.left_behind() == (0, 0, 0, 0)
