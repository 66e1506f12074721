"""Pictures of few colours as a list of them and a number for each pixel."""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kasmd.screen.factors import odd_factors
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels, Values, as_values

_HASH_BITS = 16
_BAND = 32
#: So few colours are found quicker one by one.
_FEW = 4
#: So few pixels are counted before numpy has begun.
_TINY = 1 << 8
_MULTIPLIERS = odd_factors("palette", 64).astype(np.uint32)


class Palette(NamedTuple):
    """``colours`` as our pixels (1 x n x 4), and which of them each pixel has."""

    colours: Pixels
    indices: NDArray[np.uint8]

    @property
    def size(self) -> int:
        """The number of colours."""
        return self.colours.shape[1]

    def part(self, rect: Rect) -> Palette:
        """Give the palette of a part of the picture."""
        indices = self.indices[rect.y:rect.bottom, rect.x:rect.right]
        counts = np.array([np.count_nonzero(indices == each) for each in range(self.size)])
        used = np.argsort(-counts, kind="stable")[:np.count_nonzero(counts)]
        return Palette(self.colours[:, used], _numbered(indices, used))


def palette_of(pixels: Pixels, most: int = 256) -> Optional[Palette]:
    """Give the palette of a picture, or None if it has more than ``most`` colours."""
    height, width = pixels.shape[:2]
    if height * width <= _TINY:
        tiny = _tiny_of(as_values(pixels))
        return tiny if tiny.size <= most else None
    packed = np.ascontiguousarray(pixels)
    few = _few_of(as_values(packed))
    if few is not None:
        return few if few.size <= most else None
    image = Image.frombuffer("RGBA", (width, height), packed, "raw", "RGBA", 0, 1)
    counted = image.getcolors(most)
    if counted is None:
        return None
    counted.sort(key=itemgetter(0), reverse=True)
    _, found = zip(*counted)
    colours = np.frombuffer(bytes(chain.from_iterable(found)), np.uint8).reshape(1, -1, 4)
    return Palette(colours, _indices(as_values(packed), as_values(colours)[0]))


def _tiny_of(values: Values) -> Palette:
    """Give the palette of a picture of at most `_TINY` pixels, in the order they come."""
    pixels = values.ravel().tolist()
    numbers = dict(zip(dict.fromkeys(pixels), range(len(pixels))))
    colours = np.fromiter(numbers, np.uint32).view(np.uint8).reshape(1, -1, 4)
    indices = np.frombuffer(bytes(map(numbers.__getitem__, pixels)), np.uint8)
    return Palette(colours, indices.reshape(values.shape))


def _few_of(values: Values) -> Optional[Palette]:
    """Give the palette of a picture of at most `_FEW` colours, found one after another.

    It goes by bands that stay in the cache; others are known soon, mostly by the first.
    """
    colours = [values[0, 0]]
    indices = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _BAND):
        band = values[top:top + _BAND]
        left = band != colours[0]
        numbers = indices[top:top + _BAND]
        numbers[...] = left
        known = 0
        while left.any():
            known += 1
            if known == len(colours):
                if known == _FEW:
                    return None
                colours.append(band[np.unravel_index(left.argmax(), left.shape)])
            here = band == colours[known]
            left ^= here
            if known > 1:
                numbers += here.view(np.uint8) * np.uint8(known - 1)
    found = np.array([colours], np.uint32).view(np.uint8).reshape(1, -1, 4)
    return Palette(found, indices)


def _indices(values: Values, colours: Values) -> NDArray[np.uint8]:
    """Look every value up, by a hash that has no collision among ``colours``."""
    for multiplier in _MULTIPLIERS:
        slots = colours * multiplier >> _HASH_BITS
        if len(set(slots.tolist())) == len(colours):
            table = np.zeros(1 << _HASH_BITS, np.uint8)
            table[slots] = np.arange(len(colours))
            return _looked_up(values, multiplier, table)
    order = np.argsort(colours)
    return order[np.searchsorted(colours, values, sorter=order)].astype(np.uint8)


def _numbered(values: Values, among: Values) -> NDArray[np.uint8]:
    """Give which of a few each value is."""
    numbers = (values != among[0]).view(np.uint8)
    for number, value in enumerate(among[2:], 1):
        numbers += (values == value).view(np.uint8) * np.uint8(number)
    return numbers


def _looked_up(
    values: Values, multiplier: np.uint32, table: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Look ``values`` up in a table by hash, in bands that stay in the cache."""
    indices = np.empty(values.shape, np.uint8)
    slots = np.empty((_BAND, values.shape[1]), np.intp)
    for top in range(0, len(values), _BAND):
        band = values[top:top + _BAND]
        np.right_shift(band * multiplier, _HASH_BITS, out=slots[:len(band)])
        table.take(slots[:len(band)], out=indices[top:top + _BAND], mode="clip")
    return indices
