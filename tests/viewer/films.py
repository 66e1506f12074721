"""A desktop on which a film plays, and clients that read streams."""

from __future__ import annotations

from math import log10

import numpy as np
from twisted.trial.unittest import TestCase

from kasmd.codec import h264
from kasmd.codec.base import complete
from kasmd.codec.video import ENCODINGS, Codec
from kasmd.rfb import numbers
from kasmd.screen.geometry import Rect
from tests.viewer.scene import Scene, Watcher

Wire = numbers.Encoding
QUALITY = -26
STANDARD = (
    Wire.OPEN_H264, Wire.TIGHT, QUALITY, Wire.LAST_RECT, Wire.FENCE, Wire.EXTENDED_DESKTOP_SIZE,
)
#: H.264 by libx264, at a quality of 36 of 51.
STREAM_MODE, STREAM_QUALITY = -1027, -1104 + 36
KASMS = (
    Wire.TIGHT, QUALITY, Wire.LAST_RECT, Wire.FENCE, Wire.EXTENDED_DESKTOP_SIZE,
    STREAM_QUALITY, STREAM_MODE,
)
X264 = {Codec.H264: ENCODINGS[Codec.H264][-1]}
FILM = Rect(40, 30, 400, 240)
FRAME = 1 / 30


def gradient(rect: Rect, number: int) -> np.ndarray:
    """A picture that moves with its number."""
    y, x = np.mgrid[0:rect.height, 0:rect.width]
    shades = [(x + 4 * number) % 256, (y + 2 * number) % 256, (x + y) // 4 % 256, 0 * x]
    return np.stack([np.abs(shade - 128) for shade in shades], axis=-1).astype(np.uint8)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one[..., :3].astype(float) - other[..., :3]) ** 2)
    return 99.0 if error == 0 else 10 * log10(255 ** 2 / error)


class Case(TestCase):
    """A desktop that is large enough for a film."""

    def setUp(self) -> None:
        self.scene = Scene(640, 360)
        self.streams = self.scene.streams
        self.streams.encoders.found = X264
        self.scene.display.noise(Rect(0, 0, 640, 360), 1)
        self.number = 0

    def watch(self, *encodings: int, kasm: bool = False) -> Watcher:
        watcher = self.scene.watch(*encodings, kasm=kasm)
        self.scene.settle(watcher)
        watcher.heard.clear()
        return watcher

    def play(self, frames: int, *watchers: Watcher, rect: Rect = FILM,
             pause: float = FRAME) -> None:
        """Let the film play, and be watched."""
        for _ in range(frames):
            self.scene.clock.advance(pause)
            self.number += 1
            self.scene.display.paint(rect, gradient(rect, self.number))
            for watcher in watchers:
                watcher.request(incremental=True)
            self.scene.tick(*watchers)

    def flags(self, watcher: Watcher) -> list[tuple[Rect, int, bool]]:
        """Give where there was H.264, its flags, and whether it was a key picture."""
        found = []
        for rect, encoding, payload in watcher.rectangles:
            if encoding == Wire.OPEN_H264:
                part, _ = complete(h264.decode(), payload)
                found.append((rect, part.flags, b"\x00\x00\x01\x67" in part.data[:5]))
        watcher.heard.clear()
        return found

    def sharpness(self, watcher: Watcher, rect: Rect = FILM) -> float:
        """Give the PSNR of what is shown there."""
        part = slice(rect.y, rect.bottom), slice(rect.x, rect.right)
        return psnr(watcher.picture[part], self.scene.display.picture[part])

    def pictures(self) -> int:
        """Count what was encoded."""
        return sum(stream.units[-1].number + 1 for stream in self.streams._streams.values())
