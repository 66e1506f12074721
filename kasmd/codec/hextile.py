"""Hextile (RFC 6143 section 7.7.4): tiles of 16 x 16, for old viewers."""

from __future__ import annotations

from enum import IntFlag
from typing import Iterator, NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from kasmd.codec.base import Reading, check_area
from kasmd.screen.pixels import PixelFormat, Pixels, Values, from_values, to_values

TILE = 16
_MOST_SUBRECTS = 255


class Subencoding(IntFlag):
    """The mask in front of each tile."""

    RAW = 1
    BACKGROUND = 2
    FOREGROUND = 4
    SUBRECTS = 8
    COLOURED = 16


class _Tile(NamedTuple):
    """A tile; ``background`` is None for raw, ``body`` what follows the background."""

    background: Optional[bytes]
    mask: Subencoding
    body: bytes


def encode(pixels: Pixels, fmt: PixelFormat) -> bytes:
    """Give the payload."""
    values = to_values(pixels, fmt)
    out: list[bytes] = []
    background: Optional[bytes] = None
    for tile in _in_order(values, fmt):
        if tile.background is None or tile.background == background:
            out += (bytes([tile.mask]), tile.body)
        else:
            mask = tile.mask | Subencoding.BACKGROUND
            out += (bytes([mask]), tile.background, tile.body)
        background = tile.background
    return b"".join(out)


def _in_order(values: Values, fmt: PixelFormat) -> Iterator[_Tile]:
    """Give the tiles row by row; whole ones and those at the edges are made apart."""
    height, width = values.shape
    whole_x = width // TILE * TILE
    for top, bottom in _parts(height):
        high = min(TILE, bottom - top)
        whole = _tiles(values[top:bottom, :whole_x], high, TILE, fmt)
        edge = _tiles(values[top:bottom, whole_x:], high, max(1, width - whole_x), fmt)
        for row in range((bottom - top) // high):
            across = whole_x // TILE
            yield from whole[row * across:(row + 1) * across]
            yield from edge[row:row + 1]


def _parts(length: int) -> Iterator[tuple[int, int]]:
    whole = length // TILE * TILE
    if whole:
        yield 0, whole
    if whole < length:
        yield whole, length


def _tiles(values: Values, height: int, width: int, fmt: PixelFormat) -> list[_Tile]:
    """Encode tiles of one size, all at once: runs on the commonest colour."""
    down, across = values.shape[0] // height, values.shape[1] // width
    if not across:
        return []
    by_tile = values.reshape(down, height, across, width).swapaxes(1, 2)
    tiles = by_tile.reshape(-1, height, width)
    backgrounds = _commonest(tiles)
    starts = tiles != backgrounds[:, None, None]
    ends = starts.copy()
    turns = tiles[..., 1:] != tiles[..., :-1]
    starts[..., 1:] &= turns
    ends[..., :-1] &= turns
    crowded = np.count_nonzero(starts, axis=(1, 2)) > _most_runs(tiles)
    starts[crowded] = ends[crowded] = False
    number, y, x = starts.nonzero()
    runs = np.empty(len(number), [("colour", fmt.dtype), ("xy", "u1"), ("wh", "u1")])
    runs["colour"] = tiles[number, y, x]
    runs["xy"] = x << 4 | y
    runs["wh"] = (ends.nonzero()[2] - x) << 4
    offsets = np.searchsorted(number, np.arange(len(tiles) + 1)).tolist()
    return [
        _raw(tile) if raw else _tile(tile, background, runs[first:last])
        for tile, raw, background, first, last in zip(
            tiles, crowded.tolist(), backgrounds[:, None], offsets, offsets[1:]
        )
    ]


def _commonest(tiles: Values) -> Values:
    """Give the middle of each tile's sorted pixels: its colour, if it has one mostly."""
    ordered: Values = np.sort(tiles.reshape(len(tiles), -1), axis=1)
    return ordered[:, ordered.shape[1] // 2]


def _most_runs(tiles: Values) -> int:
    """Give how many runs may be shorter than raw: of one colour, or of several."""
    height, width = tiles.shape[1:]
    return max(height * width // 2, height * width * tiles.itemsize // (tiles.itemsize + 2))


def _raw(tile: Values) -> _Tile:
    return _Tile(None, Subencoding.RAW, tile.tobytes())


def _tile(tile: Values, background: Values, runs: NDArray[np.void]) -> _Tile:
    count, size = len(runs), tile.itemsize
    if not count:
        return _Tile(background.tobytes(), Subencoding(0), b"")
    one_colour = (runs["colour"] == runs["colour"][0]).all()
    length = size + 2 * count if one_colour else (size + 2) * count
    if count > _MOST_SUBRECTS or length + size + 1 >= tile.nbytes:
        return _raw(tile)
    number = bytes([count])
    if one_colour:
        mask = Subencoding.SUBRECTS | Subencoding.FOREGROUND
        places = np.stack((runs["xy"], runs["wh"]), axis=1).tobytes()
        return _Tile(background.tobytes(), mask, runs["colour"][:1].tobytes() + number + places)
    mask = Subencoding.SUBRECTS | Subencoding.COLOURED
    return _Tile(background.tobytes(), mask, number + runs.tobytes())


def decode(width: int, height: int, fmt: PixelFormat) -> Reading[Pixels]:
    """Read the payload."""
    check_area(width, height)
    values = np.zeros((height, width), fmt.dtype)
    background = foreground = np.zeros(1, fmt.dtype)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            tile = values[top:top + TILE, left:left + TILE]
            background, foreground = yield from _decode_tile(tile, background, foreground)
    return from_values(values, fmt)


def _decode_tile(
    tile: Values, background: Values, foreground: Values
) -> Reading[tuple[Values, Values]]:
    """Draw one tile; give the colours for the next."""
    mask = (yield 1)[0]
    if mask & Subencoding.RAW:
        tile[...] = np.frombuffer((yield tile.size * tile.itemsize), tile.dtype).reshape(tile.shape)
        return background, foreground
    if mask & Subencoding.BACKGROUND:
        background = np.frombuffer((yield tile.itemsize), tile.dtype)
    if mask & Subencoding.FOREGROUND:
        foreground = np.frombuffer((yield tile.itemsize), tile.dtype)
    tile[...] = background
    if mask & Subencoding.SUBRECTS:
        count = (yield 1)[0]
        coloured = mask & Subencoding.COLOURED
        runs = [("colour", tile.dtype)] if coloured else []
        layout = np.dtype([*runs, ("xy", "u1"), ("wh", "u1")])
        drawn = np.frombuffer((yield count * layout.itemsize), layout)
        colours = drawn["colour"].tolist() if coloured else foreground.tolist() * count
        for colour, place, extent in zip(colours, drawn["xy"].tolist(), drawn["wh"].tolist()):
            x, y = place >> 4, place & 15
            tile[y:y + (extent & 15) + 1, x:x + (extent >> 4) + 1] = colour
    return background, foreground
