"""What was shown with loss is known, moves with its pixels, and ripens with time."""

from __future__ import annotations

import numpy as np
import pytest

from kasmd.codec import choose
from kasmd.codec.base import TIGHT, Parameters
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.region import Region
from kasmd.viewer.refine import Refinement, is_lossy, rest

HERE, THERE = Rect(0, 0, 64, 64), Rect(128, 0, 64, 64)
HALF = rest(1 / 60) / 2


def ripe(refinement: Refinement, now: float) -> Region:
    """Let time go by until ``now``."""
    refinement.ripen(now, HALF)
    return refinement.ripe


@pytest.mark.parametrize("parameters, lossy", [
    (Parameters(TIGHT), False),
    (Parameters(TIGHT, jpeg_quality=80), True),
    (Parameters(TIGHT, jpeg_quality=100), True),
    (Parameters(TIGHT, jpeg_quality=80, webp_quality=80), True),
    (Parameters(TIGHT, jpeg_quality=80, qoi=True), False),
    (Parameters(16, jpeg_quality=80, jpeg_rectangles=True), True),
])
def test_what_loses_something(parameters: Parameters, lossy: bool) -> None:
    from kasmd.codec.deflate import ZlibStreams

    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 4), np.uint8)
    rectangles = choose.encode(pixels, HERE, parameters, ZlibStreams())
    assert [is_lossy(rectangle) for rectangle in rectangles] == [lossy]


def test_it_ripens_within_one_rest_and_a_half() -> None:
    refinement = Refinement()
    refinement.sent([HERE], [HERE])
    assert refinement.ripen(5.0, HALF) == pytest.approx(HALF)
    assert not ripe(refinement, 5.0 + 2 * HALF - 0.001)
    assert ripe(refinement, 5.0 + 3 * HALF) == Region([HERE])
    assert refinement.ripen(10.0, HALF) is None, "a timer for nothing"


def test_what_changes_all_the_time_never_does_and_what_is_beside_it_does() -> None:
    refinement = Refinement()
    refinement.sent([THERE], [THERE])
    for frame in range(40):
        refinement.changed(Region([HERE]), ())
        refinement.sent([HERE], [HERE])
        refinement.ripen(frame / 30, HALF)
    assert refinement.ripe == Region([THERE])


def test_what_was_sent_without_loss_is_done() -> None:
    refinement = Refinement()
    refinement.sent([HERE, THERE], [HERE, THERE])
    refinement.ripen(0, HALF)
    assert ripe(refinement, 1.0)
    refinement.sent([HERE], [])
    assert refinement.ripe == Region([THERE])
    refinement.sent([THERE], [])
    assert not refinement


def test_small_losses_are_few() -> None:
    refinement = Refinement()
    for x in range(10, 54, 4):
        refinement.sent([Rect(x, 70, 3, 20)], [Rect(x, 70, 3, 20)])
    refinement.ripen(0, HALF)
    assert ripe(refinement, 1.0).rects == (Rect(0, 64, 64, 32),)


def test_losses_move_with_their_pixels() -> None:
    refinement = Refinement()
    refinement.sent([HERE], [HERE])
    refinement.changed(Region(), [Move(THERE, 128, 0)])
    refinement.ripen(0, HALF)
    assert ripe(refinement, 1.0) == Region([HERE, THERE])
    refinement.changed(Region(), [Move(HERE, 0, -300)])
    assert refinement.ripe == Region([THERE])


def test_kasmvncs_time() -> None:
    assert rest(1 / 60) == pytest.approx(0.08 + 2 / 60)
