"""What changed between two pictures: where, and whether it only moved.

Pictures here are `kasmd.screen.pixels.Values` with the meaningless byte zero.
"""

from __future__ import annotations

from typing import Iterator

import numpy as np
from numpy.typing import NDArray

from kasmd.screen.factors import odd_factors
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import Values
from kasmd.screen.region import EMPTY, Region

#: Rows and columns of a picture.
Part = tuple[slice, ...]
#: The bits of a pixel that mean something.
COLOUR = np.uint32(0x00FFFFFF)

#: Rows compared at once: what fits into the processor's second cache.
_BAND = 64
#: Pixels compared at once where that they differ is all there is to know.
_COMPARED = 1 << 17
#: ... and where each must be copied before.
_SHOWN = 1 << 15
#: Changed columns are told apart by so many; gaps of fewer groups are closed.
_GROUP = 8
_GAP = 8

#: A picture of so many pixels is judged by as many rows as a band has first, others by few.
_LARGE = 1 << 16
_FEW = 8
#: A picture that is unlike what was there so far is all new.
ALL_NEW = 15 / 16
#: A picture of so few is not searched: all of it changed, if anything did.
_SMALL = 1 << 13

#: Both sides of a scrolled area must be at least this long.
LEAST_SCROLL = 48
#: Strips of columns that are searched for rows seen before, and their width.
_STRIPS, _STRIP = 4, 32
#: If none of so many rows was seen before, no more are looked for.
_FEW_ROWS = 32
#: Rows that must have gone the same way, of those searched (every fourth).
_LEAST_VOTES = 6
_LEAST_ROWS = 8
_MOST_MOVES = 16
#: A hash keeps its upper bits; the lower ones are the row it belongs to.
_ROW_BITS = np.uint64(16)
_WEIGHTS = odd_factors("damage", _STRIPS * _STRIP // 2).reshape(_STRIPS, _STRIP // 2)


def differences(old: Values, new: Values) -> Region:
    """Give where ``new`` differs from ``old``, coarsely, around (0, 0).

    Where nearly all of the bounds changed, the bounds: one rectangle of a
    video is worth more than its exact outline, and than the time to find it.
    """
    if old.size <= _SMALL and not (new != old).any():
        return EMPTY
    rows = _BAND if old.size >= _LARGE else _FEW
    if old.size <= _SMALL or unlike(old, new, rows) >= ALL_NEW:
        return Region([Rect(0, 0, old.shape[1], old.shape[0])])
    rects: list[Rect] = []
    for top, unequal in _unequal_groups(old, new):
        rects += _rects_around(unequal, top, old.shape[1])
    region = Region(rects)
    bounds = region.bounds
    if bounds is not None and region.area * 8 >= bounds.area * 7:
        return Region([bounds])
    return region


def is_searched(place: Rect) -> bool:
    """Tell whether what changed, or scrolled, is sought in a picture of this place.

    Of others all of it changed, if anything did.
    """
    return place.area > _SMALL or min(place.width, place.height) >= LEAST_SCROLL


def equal(old: Values, new: Values) -> bool:
    """Tell whether two pictures are the same; where they are not, that is seen soon."""
    rows = max(_BAND, _COMPARED // old.shape[1])
    tops = range(0, len(old), rows)
    return all((new[top:top + rows] == old[top:top + rows]).all() for top in tops)


def shows(pixels: Values, old: Values) -> bool:
    """Tell whether pixels, whatever their byte without meaning is, are those of before.

    Each is read once, and none are kept.
    """
    rows = max(1, _SHOWN // old.shape[1])
    there = np.empty((min(rows, len(old)), old.shape[1]), np.uint32)
    for top in range(0, len(old), rows):
        band = pixels[top:top + rows]
        seen = np.bitwise_and(band, COLOUR, out=there[:len(band)])
        if not (seen == old[top:top + rows]).all():
            return False
    return True


def unlike(old: Values, new: Values, rows: int = _BAND) -> float:
    """Give how much of a picture is another one, 0.0 to 1.0, by so many rows of it."""
    step = -(-len(old) // rows)
    _, unequal = next(_unequal_groups(old[::step], new[::step]))
    return float(np.count_nonzero(unequal)) / unequal.size


def _rects_around(unequal: NDArray[np.uint64], top: int, width: int) -> Iterator[Rect]:
    """Give rectangles around what differs in a band of rows."""
    height = len(unequal)
    columns = np.bitwise_or.reduce(unequal, axis=0)
    for first, last in runs(columns != 0, _GAP):
        rows = np.flatnonzero(np.bitwise_or.reduce(unequal[:, first:last], axis=1))
        y, bottom = int(rows[0]), int(rows[-1]) + 1
        if (bottom - y) * 4 >= height * 3:
            y, bottom = 0, height
        left, right = first * _GROUP, min(last * _GROUP, width)
        yield Rect(left, top + y, right - left, bottom - y)


def _unequal_groups(old: Values, new: Values) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    """Compare band by band: the first row, and zero where `_GROUP` pixels are equal.

    The array holds until the next band.
    """
    height, width = old.shape
    unequal = np.zeros((min(_BAND, height), -(-width // _GROUP) * _GROUP), np.bool_)
    for top in range(0, height, _BAND):
        rows = min(_BAND, height - top)
        np.not_equal(new[top:top + rows], old[top:top + rows], out=unequal[:rows, :width])
        yield top, unequal[:rows].view(np.uint64)


def scrolled_by(old: Values, new: Values) -> tuple[int, int]:
    """Guess how far right or down most of the picture went; (0, 0) for no scroll.

    What that takes does not grow with the area: a few strips of it are looked at.
    """
    dy = _rows_down(old, new)
    return (0, dy) if dy else (_rows_down(old.T, new.T), 0)


def _rows_down(old: Values, new: Values) -> int:
    height, width = old.shape
    if min(height, width) < LEAST_SCROLL:
        return 0
    before, after = _row_hashes(old), _row_hashes(new)
    sought = (before != after).nonzero()
    sought = tuple(index[::4] for index in sought)
    few = after[sought][::len(sought[0]) // _FEW_ROWS + 1]
    if not (before.reshape(-1, 1) == few).any():
        return 0
    rows = np.sort((before | np.arange(height, dtype=np.uint64)).ravel())
    hashes = rows >> _ROW_BITS
    repeated = np.zeros(len(hashes), np.bool_)
    repeated[1:] = hashes[1:] == hashes[:-1]
    repeated[:-1] |= repeated[1:]
    places = np.searchsorted(rows, after[sought]).clip(max=len(rows) - 1)
    found = (hashes[places] == after[sought] >> _ROW_BITS) & ~repeated[places]
    was = (rows[places[found]] & np.uint64(0xFFFF)).astype(np.intp)
    votes = np.bincount(sought[1][found] - was + height, minlength=2 * height)
    dy = int(votes.argmax())
    return dy - height if votes[dy] >= _LEAST_VOTES else 0


def scrolls_on(old: Values, new: Values, dx: int, dy: int) -> bool:
    """Tell, by a few rows, whether most of the picture went the same way as it did before."""
    here, there = _both_inside(old, dx, dy)
    return unlike(old[there], new[here]) < 1 / 4 and unlike(old[here], new[here]) > 1 / 8


def _both_inside(picture: Values, dx: int, dy: int) -> tuple[Part, Part]:
    """Give where what is in the picture before and after a move is then, and was before."""
    sides = tuple(zip(picture.shape, (dy, dx)))
    here = tuple(slice(max(by, 0), side + min(by, 0)) for side, by in sides)
    there = tuple(slice(max(-by, 0), side - max(by, 0)) for side, by in sides)
    return here, there


def _row_hashes(picture: Values) -> NDArray[np.uint64]:
    """Hash four rows from each row on, in each strip, with the lower bits zero."""
    height, width = picture.shape
    lefts = np.linspace(0, width - _STRIP, _STRIPS).astype(int)
    strips = np.ascontiguousarray([picture[:, left:left + _STRIP] for left in lefts])
    hashes: NDArray[np.uint64] = np.einsum("srk,sk->sr", strips.view(np.uint64), _WEIGHTS)
    four = hashes * _WEIGHTS[0, 0]
    for later in (1, 2, 3):
        four[:, :-later] += hashes[:, later:] * _WEIGHTS[0, later]
    return four >> _ROW_BITS << _ROW_BITS


def moved_rows(old: Values, new: Values, dx: int, dy: int) -> list[Move]:
    """Give what of ``new`` is ``old``, so much further right and down, in the order to apply.

    All moves have the same columns: the widest run where most rows moved.
    """
    here, there = _both_inside(old, dx, dy)
    bands = _unequal_groups(old[there], new[here])
    unequal = np.concatenate([band != 0 for _, band in bands])
    columns = runs(unequal[::4].mean(axis=0) < 0.4)
    if not columns:
        return []
    first, last = max(columns, key=lambda run: run[1] - run[0])
    left, right = first * _GROUP, min(last * _GROUP, new.shape[1] - abs(dx))
    rows = runs(~np.bitwise_or.reduce(unequal[:, first:last], axis=1))
    longest = sorted(rows, key=lambda run: run[0] - run[1])[:_MOST_MOVES]
    moves = [
        Move(Rect(left, start, right - left, end - start).moved(max(dx, 0), max(dy, 0)), dx, dy)
        for start, end in sorted(longest, reverse=dy > 0)
        if end - start >= _LEAST_ROWS
    ]
    return moves if right - left >= LEAST_SCROLL else []


def runs(flags: NDArray[np.bool_], gap: int = 1) -> list[tuple[int, int]]:
    """Give (first, last + 1) of each run of true; gaps below ``gap`` do not end one."""
    hits = np.flatnonzero(flags)
    if not len(hits):
        return []
    breaks = np.flatnonzero(np.diff(hits) > gap)
    firsts = hits[np.concatenate(([0], breaks + 1))]
    lasts = hits[np.concatenate((breaks, [len(hits) - 1]))] + 1
    return list(zip(firsts.tolist(), lasts.tolist()))
