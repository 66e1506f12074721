"""Pictures sent smaller than they are shown, for Kasm's client, which scales them up.

The rectangle keeps its size, the JPEG in it has another (KasmVNC does so in its
video mode).  No other client takes it.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from kasmd.codec import tight
from kasmd.codec.base import TIGHT, Parameters, Rectangle
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels

#: By Kasm's number: nearest, bilinear, progressive.
_FILTERS = Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BOX
#: A piece of so many pixels is scaled down in about 4 ms.
PIXELS = 1 << 18


def scale_for(size: tuple[int, int], most: tuple[int, int]) -> float:
    """Give by what a screen's sides are multiplied to fit ``most``; at most 1."""
    return min(1.0, most[0] / size[0], most[1] / size[1])


def encode(pixels: Pixels, rect: Rect, scale: float, scaling: int,
           parameters: Parameters) -> Rectangle:
    """Encode ``pixels``, those of ``rect``, as a JPEG of ``scale`` times its sides."""
    height, width = pixels.shape[:2]
    packed = np.ascontiguousarray(pixels)
    image = Image.frombuffer("RGBX", (width, height), packed, "raw", "RGBX", 0, 1)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(image.resize(size, _FILTERS[scaling]))
    assert parameters.jpeg_quality is not None, "a picture with loss"
    payload = tight.encode_jpeg(small, parameters.jpeg_quality, parameters.subsampling)
    return Rectangle(rect, TIGHT, payload)
