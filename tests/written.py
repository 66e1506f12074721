"""Pictures of text, for those who encode and show it."""

from __future__ import annotations

from random import Random
from typing import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kasmd.screen.pixels import Pixels

_FONT, _SIZE, PITCH = "DejaVuSansMono.ttf", 12, 16
_WORDS = "the quick (brown) fox_jumps over: 12 lazy dogs, gladly; Pythons hum by".split()
#: Of the letters, which are red, green, blue.
GREYS = ((230, 230, 230),)
BRIGHT = ((230, 230, 230), (90, 200, 90), (220, 90, 60), (110, 120, 240))


def written(
    height: int, width: int, smooth: bool = True, inks: Sequence[tuple[int, int, int]] = GREYS,
    seed: int = 0,
) -> Pixels:
    """Give lines of words on a dark ground, each word of one of the ``inks``."""
    chance = Random(seed)
    image = Image.new("RGBX", (width, height), (16, 24, 32, 0))
    pen = ImageDraw.Draw(image)
    pen.fontmode = "L" if smooth else "1"
    font = ImageFont.truetype(_FONT, _SIZE)
    for base in range(PITCH - 4, height + PITCH, PITCH):
        x = 3
        for word in chance.choices(_WORDS, k=chance.randint(0, 40)):
            pen.text((x, base), word, (*chance.choice(inks), 0), font, "ls")
            x += round(font.getlength(word + " "))
    pixels = np.ascontiguousarray(np.asarray(image)[..., [2, 1, 0, 3]])
    pixels[..., 3] = 0
    return pixels
