"""What is in a picture: areas of one colour, of few (text), or of many (photographs)."""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from kasmd.screen.damage import COLOUR, runs
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Values

TILE = 64

#: What a tile is: its colour (from 0 up) if it has one only, or one of these.
FLAT, PHOTO = -1, -2
Kinds = NDArray[np.int64]

#: Rows looked at in a tile.
_SAMPLED_ROWS = 4
#: Pixels looked at in a picture for more colours than a palette has.
_LOOKED_AT, _PALETTE = 512, 256
#: A photograph fills at least so much of a rectangle that is sent as one.
_FULL = 0.6
#: So many tiles of one colour between two of text are sent with the text.
_WORTH_JOINING = 4
#: Text goes on in the next row where both have at least this share of their common bounds.
_ALIKE = 2 / 3


class Area(NamedTuple):
    """A rectangle of pixels of one kind."""

    rect: Rect
    kind: int


def areas_of(values: Values, kinds: Optional[Kinds] = None) -> list[Area]:
    """Cut a picture into areas, never very many for its size.

    ``kinds`` are what `kinds_of` gave, and are changed.
    """
    height, width = values.shape
    kinds = kinds_of(values) if kinds is None else kinds
    if not _spread_photographs(kinds):
        _join_text(kinds)
        _stack_text(kinds)
    grid = _grouped(kinds)
    if len(grid) > 16 + kinds.size // 8:
        grid = [Area(Rect(0, 0, kinds.shape[1], kinds.shape[0]), commonest_kind(kinds))]
    whole = Rect(0, 0, width, height)
    return [Area(_in_pixels(area.rect, whole), area.kind) for area in grid]


def commonest_kind(kinds: Kinds) -> int:
    """Give the kind for a picture that must be sent as one: FLAT or PHOTO."""
    return PHOTO if np.count_nonzero(kinds == PHOTO) * 3 >= kinds.size else FLAT


def is_all_photograph(values: Values) -> bool:
    """Tell, by a row of every third row of tiles, whether a large picture is all photograph."""
    height, width = values.shape
    rows = values[3 * TILE // 2:max(0, height - TILE // 2):3 * TILE, :width // TILE * TILE]
    if len(rows) < 2 or width < TILE:
        return False
    colours = _counted(np.bitwise_and(rows, COLOUR).reshape(len(rows), -1, TILE))
    return bool((colours > TILE // _SAMPLED_ROWS).all())


def is_surely_photograph(values: Values) -> bool:
    """Tell, by pixels here and there, whether a picture has no palette and is no text.

    Most of these have a colour of their own.  Of others nothing is said: look closer.
    """
    if values.size <= _PALETTE:
        return False
    looked_at = values.reshape(-1)[::-(-values.size // _LOOKED_AT)]
    ordered = np.sort(looked_at & COLOUR)
    colours = int(np.count_nonzero(ordered[1:] != ordered[:-1])) + 1
    return colours > max(_PALETTE, len(ordered) // 2)


def kinds_of(values: Values) -> Kinds:
    """Classify tiles: a few rows tell photographs, every pixel counts for one colour."""
    height, width = values.shape
    tops = np.arange(0, height, TILE)
    colours = _colours(values, tops)
    widths = np.minimum(TILE, width - np.arange(0, width, TILE))
    kinds = np.where(colours > widths, PHOTO, FLAT).astype(np.int64)
    for row in np.flatnonzero((colours == 1).any(axis=1)):
        kinds[row] = _with_solids(values[row * TILE:(row + 1) * TILE], kinds[row])
    return kinds


def _colours(values: Values, tops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the colours in a few rows of each tile, for the rows of tiles from ``tops``."""
    height, width = values.shape
    heights = np.minimum(TILE, height - tops)
    steps = np.arange(1, 2 * _SAMPLED_ROWS, 2)
    rows = tops[:, None] + heights[:, None] * steps // (2 * _SAMPLED_ROWS)
    across = -(-width // TILE)
    samples = np.empty((len(tops), _SAMPLED_ROWS, across * TILE), np.uint32)
    np.bitwise_and(values[rows], COLOUR, out=samples[..., :width])
    samples[..., width:] = samples[..., width - 1:width]
    by_tile = samples.reshape(len(tops), _SAMPLED_ROWS, across, TILE).swapaxes(1, 2)
    return _counted(by_tile.reshape(len(tops), across, -1))


def _counted(samples: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Count the colours of tiles, whose pixels are along the last axis.

    Where a quarter of the pixels have the same, two stand for any number: text has
    smooth edges of many colours, but much paper around them.
    """
    ordered, paper = np.sort(samples, axis=2), samples.shape[2] // 4
    counts: NDArray[np.int64] = np.count_nonzero(
        ordered[..., 1:] != ordered[..., :-1], axis=2
    ) + 1
    plain = (ordered[..., paper:] == ordered[..., :-paper]).any(axis=2)
    return np.where(plain, np.minimum(counts, 2), counts)


def _with_solids(band: Values, kinds: Kinds) -> Kinds:
    """Put in the colours of the tiles that have one only."""
    lefts = np.arange(0, band.shape[1], TILE)
    least = np.minimum.reduceat(band.min(axis=0), lefts)
    most = np.maximum.reduceat(band.max(axis=0), lefts)
    return np.where(least == most, least, kinds)


def _spread_photographs(kinds: Kinds) -> bool:
    """Let photographs that fill most of a rectangle have all of it; tell if they had."""
    rows, columns = np.nonzero(kinds == PHOTO)
    if not len(rows):
        return False
    box = kinds[rows.min():rows.max() + 1, columns.min():columns.max() + 1]
    if len(rows) < box.size * _FULL:
        return False
    box[...] = PHOTO
    return box.size == kinds.size


def _join_text(kinds: Kinds) -> None:
    """Close small gaps between tiles of text in a row."""
    for row in kinds:
        for first, last in runs(row == FLAT, _WORTH_JOINING + 1):
            part = row[first:last]
            part[part != PHOTO] = FLAT


def _stack_text(kinds: Kinds) -> None:
    """Widen text that goes on in the next row to what both have.

    Then it is one rectangle: its palette goes once, and zlib sees the line above.
    """
    above: list[tuple[int, int, int]] = []
    for y, row in enumerate(kinds):
        here: list[tuple[int, int, int]] = []
        for first, last in runs(row == FLAT):
            top = y
            for start, left, right in above:
                both = min(last, right) - max(first, left)
                bounds = min(first, left), max(last, right)
                if both >= (bounds[1] - bounds[0]) * _ALIKE:
                    top, first, last = start, *bounds
                    part = kinds[top:y + 1, first:last]
                    part[part != PHOTO] = FLAT
                    break
            here.append((top, first, last))
        above = here


def _grouped(kinds: Kinds) -> list[Area]:
    """Unite equal tiles in a row, then equal runs below one another."""
    areas: list[Area] = []
    above: dict[tuple[int, int, int], int] = {}
    for y, row in enumerate(kinds.tolist()):
        here: dict[tuple[int, int, int], int] = {}
        x = 0
        while x < len(row):
            right = x + 1
            while right < len(row) and row[right] == row[x]:
                right += 1
            key = (x, right, row[x])
            if key in above:
                here[key] = above[key]
                rect = areas[above[key]].rect
                areas[above[key]] = Area(rect._replace(height=rect.height + 1), row[x])
            else:
                here[key] = len(areas)
                areas.append(Area(Rect(x, y, right - x, 1), row[x]))
            x = right
        above = here
    return areas


def _in_pixels(tiles: Rect, whole: Rect) -> Rect:
    rect = Rect(tiles.x * TILE, tiles.y * TILE, tiles.width * TILE, tiles.height * TILE)
    return rect.intersection(whole) or rect
