"""ZRLE (RFC 6143 section 7.7.6): tiles of 64 x 64 in one zlib stream a connection."""

from __future__ import annotations

from typing import Iterator

import numpy as np
from numpy.typing import NDArray

from kasmd.codec.base import Reading, check_area, read_many
from kasmd.codec.deflate import Inflater, ZlibStream, most_deflated
from kasmd.codec.palette import Palette, palette_of
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import (
    PixelFormat,
    Pixels,
    cpixel_size,
    from_cpixels,
    to_cpixels,
)

TILE = 64

_RAW, _SOLID, _MOST_PACKED = 0, 1, 16
_PLAIN_RLE, _LEAST_PALETTE_RLE = 128, 130
#: The palette of a tile has at most so many colours.
_MOST_COLOURS = 127


def encode(pixels: Pixels, fmt: PixelFormat, stream: ZlibStream) -> bytes:
    """Give the payload; it continues ``stream``, so it must be sent, and in order."""
    height, width = pixels.shape[:2]
    tiles = b"".join(
        _encode_tile(pixels[top:top + TILE, left:left + TILE], fmt)
        for top in range(0, height, TILE)
        for left in range(0, width, TILE)
    )
    data = stream.compress(tiles)
    return len(data).to_bytes(4, "big") + data


def _encode_tile(pixels: Pixels, fmt: PixelFormat) -> bytes:
    palette = palette_of(pixels, _MOST_COLOURS)
    if palette is None:
        return bytes([_RAW]) + to_cpixels(pixels, fmt)
    colours = to_cpixels(palette.colours, fmt)
    if palette.size == 1:
        return bytes([_SOLID]) + colours
    # vncdotool does not begin each row of packed indices in a new byte.
    aligned = pixels.shape[1] * _bits(palette.size) % 8 == 0
    if palette.size <= _MOST_PACKED and aligned:
        return bytes([palette.size]) + colours + _packed(palette)
    return bytes([_LEAST_PALETTE_RLE - 2 + palette.size]) + colours + _palette_runs(palette)


def _bits(colours: int) -> int:
    """Give the bits of a packed index."""
    return 1 if colours == 2 else 2 if colours <= 4 else 4


def _packed(palette: Palette) -> bytes:
    """Pack the indices, each row from a new byte, the leftmost in the upper bits."""
    indices, bits = palette.indices, _bits(palette.size)
    height, width = indices.shape
    each = np.unpackbits(indices[..., None], axis=2)[..., 8 - bits:]
    return np.packbits(each.reshape(height, width * bits), axis=1).tobytes()


def _palette_runs(palette: Palette) -> bytes:
    """Give each run as its index alone, or index + 128 and its length.

    A length is written as bytes that add up to the length less one, all 255
    but the last.
    """
    indices = palette.indices.ravel()
    firsts = np.concatenate(([0], np.flatnonzero(indices[1:] != indices[:-1]) + 1))
    more = np.diff(np.append(firsts, len(indices))) - 1
    sizes = np.where(more, 2 + more // 255, 1)
    ends = np.cumsum(sizes)
    out = np.full(ends[-1], 255, np.uint8)
    out[ends - 1] = more % 255
    out[ends - sizes] = indices[firsts] | np.where(more, 128, 0)
    return out.tobytes()


def decode(width: int, height: int, fmt: PixelFormat, inflater: Inflater) -> Reading[Pixels]:
    """Read the payload; ``inflater`` is the connection's."""
    check_area(width, height)
    tiles = -(-width // TILE) * -(-height // TILE)
    most = width * height * (cpixel_size(fmt) + 1) + tiles * (1 + _MOST_COLOURS * 4)
    length = int.from_bytes((yield 4), "big")
    if length > most_deflated(most):
        raise ProtocolError(f"{length} bytes of ZRLE for {width} x {height} pixels")
    data = inflater.inflate((yield from read_many(length)), most)
    reader = _Reader(data)
    pixels = np.zeros((height, width, 4), np.uint8)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            tile = pixels[top:top + TILE, left:left + TILE]
            tile[...] = _decode_tile(reader, tile.shape[0], tile.shape[1], fmt)
    return pixels


class _Reader:
    """What is inflated, from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, size: int) -> bytes:
        """Give the next ``size`` bytes."""
        data = self._data[self._offset:self._offset + size]
        if len(data) < size:
            raise ProtocolError("a ZRLE tile is cut short")
        self._offset += size
        return data

    def length(self) -> int:
        """Give the length of a run."""
        length = 1
        while True:
            byte = self.take(1)[0]
            length += byte
            if byte < 255:
                return length


def _decode_tile(reader: _Reader, height: int, width: int, fmt: PixelFormat) -> Pixels:
    kind, size = reader.take(1)[0], cpixel_size(fmt)
    if kind == _RAW:
        return from_cpixels(reader.take(height * width * size), fmt, height, width)
    if kind == _PLAIN_RLE:
        data = b"".join(_plain_runs(reader, height * width, size))
        return from_cpixels(data, fmt, height, width)
    if _MOST_PACKED < kind < _LEAST_PALETTE_RLE:
        raise ProtocolError(f"ZRLE subencoding {kind}")
    count = kind & 127
    colours = from_cpixels(reader.take(count * size), fmt, 1, count)[0]
    indices = _decode_indices(reader, kind, height, width)
    if indices.max() >= count:
        raise ProtocolError(f"a ZRLE palette of {count} colours has no {indices.max()}")
    return colours[indices]


def _plain_runs(reader: _Reader, pixels: int, size: int) -> Iterator[bytes]:
    """Give runs of whole pixels that must fill the tile exactly."""
    while pixels:
        pixel = reader.take(size)
        length = reader.length()
        if length > pixels:
            raise ProtocolError("a ZRLE run leaves its tile")
        pixels -= length
        yield pixel * length


def _decode_indices(reader: _Reader, kind: int, height: int, width: int) -> NDArray[np.uint8]:
    """Read which colour each pixel has."""
    if kind == _SOLID:
        return np.zeros((height, width), np.uint8)
    if kind <= _MOST_PACKED:
        bits = _bits(kind)
        row = -(-width * bits // 8)
        packed = np.frombuffer(reader.take(row * height), np.uint8).reshape(height, row)
        each = np.unpackbits(packed, axis=1, count=width * bits).reshape(height, width, bits)
        return np.right_shift(np.packbits(each, axis=2)[..., 0], 8 - bits, dtype=np.uint8)
    out = bytearray()
    while len(out) < height * width:
        index = reader.take(1)[0]
        length = reader.length() if index & 128 else 1
        if length > height * width - len(out):
            raise ProtocolError("a ZRLE run leaves its tile")
        out += bytes([index & 127]) * length
    return np.frombuffer(bytes(out), np.uint8).reshape(height, width)
