"""zlib as Tight, Zlib and ZRLE use it: streams that are flushed, with a ceiling when read."""

from __future__ import annotations

import zlib

from isal import isal_zlib

from kasmd.errors import ProtocolError

#: compress level -> library and its level.  isal's 1 is as small as zlib's 1 in a
#: fifth of the time or less; isal's 2 and 3 gain nothing over it.
_LEVELS = {
    0: (isal_zlib, 0),
    1: (isal_zlib, 1),
    2: (isal_zlib, 1),
    3: (isal_zlib, 1),
    4: (isal_zlib, 1),
    5: (zlib, 4),
    6: (zlib, 5),
    7: (zlib, 6),
    8: (zlib, 6),
    9: (zlib, 6),
}
#: For so many bytes zlib needs no larger window (2 ** 12) and no more memory, which it
#: fills with zeros before it begins.
_SMALL = 1 << 12
_LITTLE = zlib.DEFLATED, 12, 5
#: zlib never makes data longer than by this share and so many bytes.
_SHARE, _BYTES = 1000, 1 << 10
#: More bytes are compressed quickly first.  Where even so they are many, zlib takes as many
#: milliseconds as these are times 2 KiB, and gains little.
_LARGE = 1 << 16
_QUICK, _MANY = 1, 24 << 10


def most_deflated(size: int) -> int:
    """Give how long ``size`` bytes may be once compressed; more is no honest length."""
    return size + size // _SHARE + _BYTES


class ZlibStream:
    """One continuous stream (RFC 1950, 32 KiB window), as ZRLE has for a connection."""

    def __init__(self, compress_level: int = 2) -> None:
        library, level = _LEVELS[compress_level]
        self._compressor = library.compressobj(level)

    def compress(self, data: bytes) -> bytes:
        """Compress ``data`` so that all of it can be read from what was given so far."""
        out: bytes = self._compressor.compress(data)
        return out + self._compressor.flush(zlib.Z_SYNC_FLUSH)


def deflate(data: bytes, compress_level: int) -> list[bytes]:
    """Compress ``data`` as the whole beginning of a stream, up to a sync flush; in parts."""
    library, level = _LEVELS[compress_level]
    if library is zlib and len(data) > _LARGE:
        quick = deflate(data, _QUICK)
        if sum(map(len, quick)) > _MANY:
            return quick
    small = library is zlib and len(data) <= _SMALL
    compressor = library.compressobj(level, *_LITTLE) if small else library.compressobj(level)
    return [compressor.compress(data), compressor.flush(zlib.Z_SYNC_FLUSH)]


class ZlibStreams:
    """The streams of a connection, by the encoding that continues each."""

    def __init__(self) -> None:
        self._made: dict[int, ZlibStream] = {}

    def get(self, encoding: int, compress_level: int) -> ZlibStream:
        """Give the stream of this encoding; ``compress_level`` is that of a new one."""
        if encoding not in self._made:
            self._made[encoding] = ZlibStream(compress_level)
        return self._made[encoding]


class Inflater:
    """The reading end of a `ZlibStream`."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj()

    def inflate(self, data: bytes, most: int) -> bytes:
        """Give what ``data`` holds; ProtocolError if more than ``most`` bytes, or not zlib."""
        try:
            out = self._decompressor.decompress(data, most + 1)
        except zlib.error as error:
            raise ProtocolError(f"zlib data: {error}") from error
        if len(out) > most or self._decompressor.unused_data:
            raise ProtocolError(f"zlib data hold more than {most} bytes")
        return out

    def inflate_exactly(self, data: bytes, size: int) -> bytes:
        """Give the ``size`` bytes that ``data`` holds (else ProtocolError)."""
        out = self.inflate(data, size)
        if len(out) != size:
            raise ProtocolError(f"zlib data hold {len(out)} bytes instead of {size}")
        return out
