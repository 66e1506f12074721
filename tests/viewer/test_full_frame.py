"""What a full frame takes is measured on the real encoders."""

from __future__ import annotations

import numpy as np

from kasmd.codec.base import RAW, Parameters
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect
from kasmd.viewer.full_frame import Pictures, measure


def test_a_photograph_is_all_jpeg() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (480, 640, 4), np.uint8)
    frame = measure(Snapshot(Identity(1, 1), Rect(0, 0, 640, 480), pixels))
    assert frame.jpeg.number >= 1 and frame.jpeg.area == 640 * 480
    assert 0 < frame.jpeg.seconds <= frame.encoding
    assert frame.analysis > 0


def test_a_plain_picture_has_none() -> None:
    pixels = np.zeros((480, 640, 4), np.uint8)
    snapshot = Snapshot(Identity(1, 1), Rect(0, 0, 640, 480), pixels)
    assert measure(snapshot).jpeg == Pictures()
    assert measure(snapshot, Parameters(encoding=RAW)).jpeg == Pictures()


def test_a_half_of_each() -> None:
    pixels = np.zeros((480, 640, 4), np.uint8)
    pixels[:240] = np.random.default_rng(1).integers(0, 255, (240, 640, 4), np.uint8)
    frame = measure(Snapshot(Identity(1, 1), Rect(0, 0, 640, 480), pixels))
    assert 0 < frame.jpeg.area < 640 * 480 and frame.jpeg.seconds < frame.encoding
