"""QOI (qoiformat.org, version 1.0), as Tight carries it to Kasm's clients.

Photographs come out at about six tenths of zlib's bytes.  Text does not: what
would serve it, QOI_OP_INDEX, cannot be found for many pixels at once, and is
never used.

Pixels are numbers 0x00RRGGBB here, and many are worked on at once without a
branch: every pixel gets the four bytes of QOI_OP_RGB, which those of a shorter
operation replace where it will do; then the bytes that are used are picked out.
"""

from __future__ import annotations

from struct import Struct

import numpy as np
from numpy.typing import NDArray

from kasmd.codec.base import check_area
from kasmd.errors import ProtocolError
from kasmd.screen.damage import COLOUR
from kasmd.screen.pixels import Pixels, as_values

_Words = NDArray[np.uint32]

#: Magic, width, height, channels, colour space.
_HEADER = Struct(">4sIIBB")
_MAGIC, _CHANNELS, _LINEAR = b"qoif", 3, 1
_END = bytes(7) + b"\x01"

_RGB, _RGBA, _DIFF, _LUMA, _RUN = 0xFE, 0xFF, 0x40, 0x80, 0xC0
_LONGEST_RUN = 62

#: Pixels worked on at a time: they and what becomes of them stay in the cache.
_BAND = 1 << 15
#: What makes the changes that an operation can say count from 0.
_LUMA_BIAS = np.full(_BAND, 0x00082008, np.uint32)
_DIFF_BIAS = np.full(_BAND, 0x00020202, np.uint32)
#: Bytes read of one operation at most.
_LONGEST_OP = 5


def encode(pixels: Pixels) -> bytes:
    """Give the whole file."""
    height, width = pixels.shape[:2]
    flat = np.zeros(height * width + 1, np.uint32)
    np.bitwise_and(as_values(pixels), COLOUR, out=flat[1:].reshape(height, width))
    scratch = np.empty((5, min(_BAND, height * width)), np.uint32)
    parts = [_HEADER.pack(_MAGIC, width, height, _CHANNELS, _LINEAR)]
    for first in range(0, height * width, _BAND):
        band = flat[first:first + _BAND + 1]
        parts.append(_encode_band(band, *scratch[:, :len(band) - 1]))
    parts.append(_END)
    return b"".join(parts)


def _encode_band(
    band: _Words, change: _Words, words: _Words, used: _Words, op: _Words, fits: _Words
) -> bytes:
    """Encode all but the first pixel, which the second is compared with."""
    pixels = band[1:]
    _by_bytes(np.subtract, pixels, band[:-1], change)
    words[...] = pixels
    words.byteswap(inplace=True)
    words |= _RGB
    used[...] = 0x01010101
    _luma(change, op, fits)
    _put(words, op, fits)
    fits &= 0x01010000
    used ^= fits
    _diff(change, op, fits)
    _put(words, op, fits)
    fits &= 0x00000100
    used ^= fits
    _put_runs(words, used, change == 0)
    return np.compress(used.view(np.bool_), words.view(np.uint8)).tobytes()


def _by_bytes(operation: np.ufunc, one: _Words, other: _Words, out: _Words) -> None:
    operation(one.view(np.uint8), other.view(np.uint8), out=out.view(np.uint8))


def _put(words: _Words, others: _Words, where: _Words) -> None:
    """Replace ``words`` by ``others`` where all bits are set."""
    others ^= words
    others &= where
    words ^= others


def _set_where_zero(words: _Words) -> None:
    """Make all bits of a number (below 2**31) that is 0, and none of another."""
    signed = words.view(np.int32)
    signed -= 1
    signed >>= 31


def _luma(change: _Words, op: _Words, fits: _Words) -> None:
    """Give QOI_OP_LUMA of each pixel, and all bits where it will do."""
    np.right_shift(change, 8, out=op)
    op &= 0xFF
    op *= 0x10001
    _by_bytes(np.subtract, change, op, fits)
    _by_bytes(np.add, fits, _LUMA_BIAS[:len(fits)], fits)
    np.left_shift(fits, 8, out=op)
    red_green = fits >> 4
    red_green &= 0xF000
    op |= red_green
    np.right_shift(fits, 8, out=red_green)
    red_green &= 0x3F
    op |= red_green
    op |= _LUMA
    fits &= 0xF0C0F0
    _set_where_zero(fits)


def _diff(change: _Words, op: _Words, fits: _Words) -> None:
    """Give QOI_OP_DIFF of each pixel, and all bits where it will do."""
    _by_bytes(np.add, change, _DIFF_BIAS[:len(change)], fits)
    np.right_shift(fits, 6, out=op)
    op |= fits
    op >>= 6
    op |= fits
    op |= _DIFF
    fits &= 0xFCFCFC
    _set_where_zero(fits)


def _put_runs(words: _Words, used: _Words, same: NDArray[np.bool_]) -> None:
    """Put QOI_OP_RUN at the last pixel of each run, and nothing before."""
    edges = np.flatnonzero(np.diff(same, prepend=False, append=False))
    if not len(edges):
        return
    used ^= same
    starts, lasts = edges[::2], edges[1::2] - 1
    lengths = lasts - starts
    words[lasts] = _RUN | lengths % _LONGEST_RUN
    used[lasts] = 1
    for run in np.flatnonzero(lengths >= _LONGEST_RUN).tolist():
        full = slice(starts[run] + _LONGEST_RUN - 1, lasts[run], _LONGEST_RUN)
        words[full] = _RUN | _LONGEST_RUN - 1
        used[full] = 1


def decode(data: bytes, width: int, height: int) -> Pixels:
    """Read a file, whose picture must be of this size (else ProtocolError)."""
    check_area(width, height)
    if data[:4] != _MAGIC or len(data) < _HEADER.size + len(_END):
        raise ProtocolError("no QOI")
    _, *found, channels, _ = _HEADER.unpack_from(data)
    if found != [width, height] or channels not in (3, 4):
        raise ProtocolError(f"a QOI of {found} for {width} x {height}")
    # Enough zeros behind the end that the last operation may be cut short.
    body = data[_HEADER.size:] + bytes(_LONGEST_OP)
    out = bytearray()
    seen, pixel, at = [bytes(4)] * 64, b"\0\0\0\xff", 0
    while len(out) < 4 * width * height:
        if at >= len(body) - _LONGEST_OP:
            raise ProtocolError("a QOI is cut short")
        op = body[at]
        if op >= _RUN and op < _RGB:
            out += pixel * (op - _RUN + 1)
            at += 1
            continue
        size, pixel = _operation(body, at, op, pixel, seen)
        at += size
        red, green, blue, alpha = pixel
        seen[(red * 3 + green * 5 + blue * 7 + alpha * 11) % 64] = pixel
        out += pixel
    if len(out) > 4 * width * height:
        raise ProtocolError("a QOI run leaves the picture")
    shape = height, width, 4
    pixels = np.zeros(shape, np.uint8)
    pixels[..., 2::-1] = np.frombuffer(out, np.uint8).reshape(shape)[..., :3]
    return pixels


def _operation(
    body: bytes, at: int, op: int, pixel: bytes, seen: list[bytes]
) -> tuple[int, bytes]:
    """Read one operation that gives one pixel: its size, and the pixel."""
    red, green, blue, alpha = pixel
    if op == _RGB:
        return 4, body[at + 1:at + 4] + pixel[3:]
    if op == _RGBA:
        return 5, body[at + 1:at + 5]
    if op < _DIFF:
        return 1, seen[op]
    if op < _LUMA:
        size, change = 1, (op >> 4 & 3, op >> 2 & 3, op & 3)
        red, green, blue = (old + more - 2 for old, more in zip((red, green, blue), change))
    else:
        size, more = 2, (op & 0x3F) - 32
        rest = body[at + 1]
        red, green, blue = red + more + (rest >> 4) - 8, green + more, blue + more + (rest & 15) - 8
    return size, bytes((red & 255, green & 255, blue & 255, alpha))
