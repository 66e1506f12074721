"""Columns, an encoding of ours for text (docs/columns.rst).

What is written in one font has the same few columns of pixels again and again.  A
rectangle is cut across into bands, a line of text each.  The columns that its bands have are
sent once, then which of them follows which: a letter that comes again is the same few
numbers, and zlib sees words as words, whatever the font, its width and its edges.

    payload: U32 length of what follows; U16 colours; U8 rows of a column; U16 bands;
        U16 columns; zlib (RFC 1950): heights, palette, columns, numbers
    heights: U8 for each band
    palette: of each colour the red, then of each the green, then the blue; all but the first
        as what it is more than the one before (modulo 256)
    columns: one after the other.  Of one or two colours they are bits, each column from a byte
        of its own; of more, numbers of colours.  Without a palette (0 colours): of all pixels
        the green, then red less green, then blue less green (modulo 256)
    numbers: of columns, band after band, from left to right
    number: U8, or U16 where there are more than 256 of what it counts
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple, Optional

import numpy as np
from numpy.typing import NDArray

from kasmd.codec.base import Reading, check_area, read_many
from kasmd.codec.deflate import Inflater, deflate, most_deflated
from kasmd.codec.lines import MOST, tops_of
from kasmd.errors import ProtocolError
from kasmd.screen.factors import odd_factors
from kasmd.screen.pixels import Pixels, Values

#: It does not pay where a column comes less often than so, on the average.
TIMES = 4

_LENGTH, _HEAD = Struct(">I"), Struct(">HBHH")
_MOST_COLUMNS = (1 << 16) - 1
#: What is compressed is little: it is worth the time of a higher level.
_LEVEL, _QUICK = 6, 1
_SLOT_BITS = 17
#: An odd factor for each row of a column, and one for their sum.
_FACTORS = odd_factors("columns", MOST + 1)

_Bytes = NDArray[np.uint8]
_Keys = NDArray[np.uint64]
_Numbers = NDArray[np.uint16]


class _Found(NamedTuple):
    """The columns of a picture: the place of the first of each, counted through all bands;
    and the number of each."""

    first: NDArray[np.intp]
    numbers: _Numbers


def encode(
    values: Values, colours: Optional[Values] = None, times: float = TIMES
) -> Optional[bytes]:
    """Give the payload of a picture: ``values`` are numbers of its ``colours``, or those.

    None where that does not pay: where a column comes less than ``times`` on the average.
    """
    tops = tops_of(values)
    if tops is None:
        return None
    rows = _rows(tops)
    # What a band has not is taken to be as what is between two others.
    middle = tops[len(tops) // 2]
    values = np.concatenate([values, values[middle - 1:middle]])
    found = _numbered(_sums(values, rows), times)
    if found is None or not _alike(values, rows, found):
        return None
    columns = _columns(values, rows, found)
    used, dictionary = _dictionary(columns if colours is None else colours[columns])
    heights = np.diff(tops).astype(np.uint8).tobytes()
    numbers = _packed(found.numbers, len(columns))
    head = _HEAD.pack(used, rows.shape[1], len(rows), len(columns))
    data = deflate(b"".join((heights, dictionary, numbers)), _LEVEL)
    return b"".join((_LENGTH.pack(len(head) + sum(map(len, data))), head, *data))


def _rows(tops: list[int]) -> NDArray[np.intp]:
    """Give the rows of each band, as many for all: what one has not is the row after the last."""
    starts = np.array(tops)
    rows = starts[:-1, None] + np.arange(np.diff(starts).max())
    return np.where(rows < starts[1:, None], rows, tops[-1])


def _sums(values: Values, rows: NDArray[np.intp]) -> _Keys:
    """Give a hash of each column of each band."""
    keys = np.zeros((len(rows), values.shape[1]), np.uint64)
    for factor, places in zip(_FACTORS, rows.T):
        keys += values[places].astype(np.uint64) * factor
    return keys


def _numbered(keys: _Keys, times: float) -> Optional[_Found]:
    flat = keys.reshape(-1)
    slots = (flat * _FACTORS[-1] >> np.uint64(64 - _SLOT_BITS)).astype(np.intp)
    places = np.arange(len(flat), dtype=np.int32)
    table = np.empty(1 << _SLOT_BITS, np.int32)
    table[slots[::-1]] = places[::-1]
    like = table[slots]
    most = min(_MOST_COLUMNS, len(flat) / times)
    if np.count_nonzero(like == places) > most:
        return None
    # Whose slot another took.
    others = np.flatnonzero(flat[like] != flat)
    if len(others):
        _, first, again = np.unique(flat[others], return_index=True, return_inverse=True)
        like[others] = others[first][again]
    first = np.flatnonzero(like == places)
    if len(first) > most:
        return None
    number = np.empty(len(flat), np.uint16)
    number[first] = np.arange(len(first))
    return _Found(first, number[like].reshape(keys.shape))


def _alike(values: Values, rows: NDArray[np.intp], found: _Found) -> bool:
    """Tell whether columns of one number are alike: an equal hash is no proof."""
    columns = np.ascontiguousarray(_columns(values, rows, found).T)
    numbers = found.numbers.astype(np.intp)
    return all(
        np.array_equal(row.take(numbers, mode="clip"), values[places])
        for row, places in zip(columns, rows.T)
    )


def _columns(values: Values, rows: NDArray[np.intp], found: _Found) -> Values:
    """Give the columns, one after the other."""
    band, across = np.divmod(found.first, values.shape[1])
    columns: Values = values[rows[band], across[:, None]]
    return columns


def _dictionary(columns: Values) -> tuple[int, bytes]:
    """Give how many colours the palette has, and the palette and the columns: the shorter way."""
    blue, green, red = _channels(columns)
    planes = b"".join(plane.tobytes() for plane in (green, red - green, blue - green))
    found = _numbered(columns.astype(np.uint64), 1)
    if found is None:
        return 0, planes
    colours = columns.reshape(-1)[found.first]
    order = colours.argsort()
    rank = np.empty(len(order), np.uint16)
    rank[order] = np.arange(len(order))
    numbers = rank[found.numbers]
    palette = np.stack(_channels(colours[order]))[::-1]
    palette[:, 1:] -= palette[:, :-1].copy()
    if len(colours) <= 2:
        return len(colours), palette.tobytes() + np.packbits(numbers, axis=1).tobytes()
    indexed = palette.tobytes() + _packed(numbers, len(colours))
    if _quickly(planes) < _quickly(indexed):
        return 0, planes
    return len(colours), indexed


def _channels(values: Values) -> tuple[Values, ...]:
    """Give the blue, the green and the red of colours."""
    return tuple((values >> shift).astype(np.uint8) for shift in (0, 8, 16))


def _quickly(data: bytes) -> int:
    """Give about how many bytes ``data`` will take."""
    return sum(map(len, deflate(data, _QUICK)))


def _packed(numbers: _Numbers, count: int) -> bytes:
    return numbers.astype(_type_of(count)).tobytes()


def _type_of(count: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype("u1" if count <= 256 else ">u2")


def decode(width: int, height: int) -> Reading[Pixels]:
    """Read the payload of one rectangle."""
    check_area(width, height)
    (length,) = _LENGTH.unpack((yield _LENGTH.size))
    if length < _HEAD.size:
        raise ProtocolError(f"columns in {length} bytes")
    colours, rows, bands, count = _HEAD.unpack((yield _HEAD.size))
    if not 1 <= rows <= MOST or not 1 <= bands <= height or not 1 <= count <= bands * width:
        raise ProtocolError(f"{count} columns of {rows} rows in {bands} bands")
    kind = _type_of(count)
    sizes = (bands, 3 * colours, count * _column(colours, rows), bands * width * kind.itemsize)
    if length - _HEAD.size > most_deflated(sum(sizes)):
        raise ProtocolError(f"columns in {length} bytes, where {sum(sizes)} are enough")
    packed = yield from read_many(length - _HEAD.size)
    data = Inflater().inflate_exactly(packed, sum(sizes))
    heights, palette, dictionary, numbers = (
        np.frombuffer(data, np.uint8, size, stop - size)
        for size, stop in zip(sizes, np.cumsum(sizes).tolist())
    )
    columns = _columns_of(palette, dictionary, count, rows)
    which = numbers.view(kind).reshape(bands, width)
    return _drawn(columns, heights.tolist(), _within(which, count, "columns"), height)


def _column(colours: int, rows: int) -> int:
    """Give the bytes of a column."""
    if not colours:
        return 3 * rows
    return -(-rows // 8) if colours <= 2 else rows * _type_of(colours).itemsize


def _columns_of(palette: _Bytes, dictionary: _Bytes, count: int, rows: int) -> Pixels:
    """Give the columns (count x rows x 4)."""
    if not len(palette):
        green, red, blue = dictionary.reshape(3, count, rows)
        return np.stack([blue + green, green, red + green, np.zeros_like(green)], axis=2)
    colours = np.zeros((len(palette) // 3, 4), np.uint8)
    colours[:, 2::-1] = palette.reshape(3, -1).cumsum(axis=1, dtype=np.uint8).T
    if len(colours) <= 2:
        numbers: Values = np.unpackbits(dictionary.reshape(count, -1), axis=1, count=rows)
    else:
        numbers = dictionary.view(_type_of(len(colours))).reshape(count, rows)
    pixels: Pixels = colours[_within(numbers, len(colours), "colours")]
    return pixels


def _within(numbers: Values, count: int, what: str) -> Values:
    if numbers.max() >= count:
        raise ProtocolError(f"of {count} {what} number {numbers.max()}")
    return numbers


def _drawn(columns: Pixels, heights: list[int], which: Values, height: int) -> Pixels:
    rows = columns.shape[1]
    if not 1 <= min(heights) <= max(heights) <= rows or sum(heights) != height:
        raise ProtocolError(f"bands of {sum(heights)} rows in {height}, of at most {rows}")
    pixels = np.empty((height, which.shape[1], 4), np.uint8)
    top = 0
    for band, numbers in zip(heights, which):
        pixels[top:top + band] = columns[numbers, :band].swapaxes(0, 1)
        top += band
    return pixels
