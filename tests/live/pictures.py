"""A picture with all that the encoders tell apart."""

from __future__ import annotations

import numpy as np

from kasmd.screen.pixels import Pixels

TILE = 64
WIDTH = 12 * TILE
#: Above this row an encoder may lose nothing, whatever the quality.
LOSSY_FROM = 7 * TILE
_SEED = 2


def known_picture() -> Pixels:
    """Give bands of one tile's height: 2, 16 and 200 colours, each between bands of one
    colour; then, from LOSSY_FROM on, a gradient and a photograph."""
    random = np.random.default_rng(_SEED)
    y, x = np.mgrid[0:TILE, 0:WIDTH]
    bands = []
    for count in (2, 16, 200):
        colours = random.integers(0, 256, (count, 4), np.uint8)
        # Wide pixels: an encoder that looks at a few rows takes them for text.
        chosen = random.integers(0, count, (TILE, WIDTH // 8))
        chosen.flat[:count] = range(count)
        bands += [_plain(40 + count), colours[np.repeat(chosen, 8, axis=1)]]
    bands.append(_plain(10))
    bands.append(np.dstack((x // 4, y * 3, (x + y) // 4, x)).astype(np.uint8))
    waves = (np.sin(x / 19) + np.sin(y / 23), np.sin((x + y) / 31) * 2, np.cos(x / 37) * 2, x)
    bands.append(np.dstack([128 + 50 * wave for wave in waves]).astype(np.uint8))
    picture = np.vstack(bands)
    picture[..., 3] = 0
    return picture


def _plain(blue: int) -> Pixels:
    return np.full((TILE, WIDTH, 4), (blue, 90, 200, 0), np.uint8)


def difference(seen: Pixels, painted: Pixels, lossless: bool = False) -> float:
    """Give how far (height, width, 3) RGB is from BGRX at its top left, in levels of 255.

    That is the mean where loss is allowed, and infinite if there is any elsewhere.
    """
    height, width = painted.shape[:2]
    if seen.shape[0] < height or seen.shape[1] < width:
        return float("inf")
    off = np.abs(seen[:height, :width].astype(int) - painted[..., 2::-1])
    if off[:None if lossless else LOSSY_FROM].any():
        return float("inf")
    return float(off[LOSSY_FROM:].mean())
