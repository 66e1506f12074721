"""In pieces of what size pictures are encoded."""

from __future__ import annotations

from functools import reduce
from typing import Iterator, Optional, Sequence

from kasmd.codec import tight
from kasmd.codec.base import HEXTILE, RAW, ZLIB, ZRLE, Parameters
from kasmd.codec.tiles import TILE
from kasmd.screen.geometry import Rect, bounding, cropped
from kasmd.screen.region import Region

#: What continues one stream through a connection, and cannot be shared.
STREAMED = frozenset({ZLIB, ZRLE})

#: So few pixels are one piece in any encoding.
_FEW = 1 << 14

#: What goes through a piece line by line, and is the shorter the longer those are.
_BY_LINES = frozenset({RAW, ZLIB})

#: How much a piece may be; see `pieces_of`.  A slow viewer holds one piece of Raw.
_RAW_BYTES = 256 << 10
_LOSSY_PIXELS = 1 << 20
_LOSSLESS_PIXELS = 5 << 17
_COLUMNS_PIXELS = 1 << 19
_QOI_PIXELS = 5 << 16
_WEBP_PIXELS = 1 << 16
_ZRLE_PIXELS = 1 << 17
_HEXTILE_PIXELS = 3 << 15
#: The rows that the pieces of all others have at least, where there are so many: they go
#: by tiles or blocks, and much of what is drawn is like what is above it.
_HIGH = 2 * TILE
#: A line of text is not worth the time that its columns take, two are.
LEAST_TEXT = 1 << 14
#: What may be one text fills so much of the box around it, with so many rows between its lines.
_FILLED, _BETWEEN = 5 / 8, 16
#: What it takes to find out whether a piece is a text, besides what its area takes.
_TRIED = 1 / 8
#: From this compress level on zlib is an order slower, where it is used.
_SLOW_LEVEL = 5
_SLOW_PIXELS, _SLOW_ZRLE_PIXELS = 1 << 18, 1 << 15


def pieces_of(region: Region, parameters: Parameters, most: Optional[int] = None) -> list[Rect]:
    """Cut a region into rectangles that take at most about 4 ms each to encode.

    Together they are exactly the region; none has more than ``most`` pixels.
    """
    rects = region.rects
    if most is None and len(rects) == 1 and rects[0].area <= _FEW:
        if rects[0].width <= tight.MAX_WIDTH:
            return [*rects]
    most, high = _bounds_of(parameters, most)
    return [piece for rect in _upright(rects) for piece in _cut(rect, most, high)]


def texts_of(
    region: Region, parameters: Parameters, most: Optional[int] = None
) -> list[tuple[Rect, tuple[Rect, ...]]]:
    """Cut a region as `pieces_of` does, but around what may be the lines of one text.

    With each piece come the lines, where these are not all of it: what else is in it is
    not of the region.
    """
    if region.area < LEAST_TEXT * _FILLED:
        return [(piece, ()) for piece in pieces_of(region, parameters, most)]
    most, high = _bounds_of(parameters, most)
    return [
        (piece, () if lines == (piece,) else lines)
        for text in _joined(_upright(region.rects))
        for piece in _cut(reduce(bounding, text), most, high)
        if (lines := cropped(text, piece))
    ]


def _bounds_of(parameters: Parameters, most: Optional[int]) -> tuple[int, int]:
    """Give how many pixels a piece may have, and how many rows it should have."""
    usual = most_pixels(parameters)
    high = 1 if parameters.encoding in _BY_LINES else _HIGH
    return usual if most is None else min(usual, most), high


def most_pixels(parameters: Parameters) -> int:
    """Give how many pixels one piece may have, by what was measured."""
    fmt, level = parameters.format, parameters.compress_level
    if parameters.encoding == RAW:
        return _RAW_BYTES // fmt.bytes_per_pixel
    if parameters.encoding == HEXTILE:
        return _HEXTILE_PIXELS
    if parameters.encoding in STREAMED:
        return _ZRLE_PIXELS if level < _SLOW_LEVEL else _SLOW_ZRLE_PIXELS
    if level >= _SLOW_LEVEL:
        return _SLOW_PIXELS
    if parameters.qoi:
        return _QOI_PIXELS
    if parameters.webp_quality is not None:
        return _WEBP_PIXELS
    if parameters.columns:
        return _COLUMNS_PIXELS
    lossy = parameters.jpeg_quality is not None and tight.allows_jpeg(fmt)
    # What must be one rectangle must fit a compact length, whatever it shows.
    return _LOSSY_PIXELS if lossy and not parameters.single else _LOSSLESS_PIXELS


def work_of(piece: Rect, parameters: Parameters) -> float:
    """Give how long a piece takes to encode, where 1 is about 4 ms."""
    tried = parameters.columns and piece.area >= LEAST_TEXT
    return piece.area / most_pixels(parameters) + (_TRIED if tried else 0)


def _upright(rects: Sequence[Rect]) -> list[Rect]:
    """Unite rectangles as wide as the one above, which a region keeps in bands."""
    united: list[Rect] = []
    by_bottom: dict[tuple[int, int, int], int] = {}
    for rect in rects:
        number = by_bottom.pop((rect.x, rect.width, rect.y), len(united))
        if number < len(united):
            above = united[number]
            rect = united[number] = above._replace(height=above.height + rect.height)
        else:
            united.append(rect)
        by_bottom[rect.x, rect.width, rect.bottom] = number
    return united


def _joined(rects: Sequence[Rect]) -> list[list[Rect]]:
    """Put together what may be the lines of one text: below one another, of unlike width."""
    texts: list[_Lines] = []
    near: list[_Lines] = []
    for rect in rects:
        near = [text for text in near if rect.y <= text.box.bottom + _BETWEEN]
        for text in near:
            if text.may_have(rect):
                text.add(rect)
                break
        else:
            near.append(_Lines(rect))
            texts.append(near[-1])
    joined: list[list[Rect]] = []
    for text in texts:
        joined += [text.rects] if text.box.area >= LEAST_TEXT else [[rect] for rect in text.rects]
    return joined


class _Lines:
    """What may be lines of one text, ``rects`` of an ``area`` in all, and the ``box`` around."""

    def __init__(self, first: Rect) -> None:
        self.box, self.area, self.rects = first, first.area, [first]

    def may_have(self, rect: Rect) -> bool:
        if rect.x >= self.box.right or rect.right <= self.box.x:
            return False
        return bounding(self.box, rect).area * _FILLED <= self.area + rect.area

    def add(self, rect: Rect) -> None:
        self.box, self.area = bounding(self.box, rect), self.area + rect.area
        self.rects.append(rect)


def _cut(rect: Rect, most: int, high: int) -> Iterator[Rect]:
    """Cut a rectangle into a grid of equal pieces, on multiples of 16 where possible.

    Those have as many columns as ``most`` pixels allow in ``high`` rows.
    """
    if rect.area <= most and rect.width <= tight.MAX_WIDTH:
        yield rect
        return
    high = min(high, rect.height)
    width = _share(rect.width, min(tight.MAX_WIDTH, most, max(high, most // high)))
    height = _share(rect.height, max(1, most // width))
    for y in range(rect.y, rect.bottom, height):
        for x in range(rect.x, rect.right, width):
            yield Rect(x, y, min(width, rect.right - x), min(height, rect.bottom - y))


def _share(length: int, most: int) -> int:
    """Divide ``length`` into as few equal parts as are at most ``most`` long."""
    share = -(-length // -(-length // most))
    rounded = -(-share // 16) * 16
    return rounded if rounded <= most else share
