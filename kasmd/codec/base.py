"""What all encodings share: rectangles of bytes, parameters, and readers of bytes."""

from __future__ import annotations

from typing import Generator, NamedTuple, Optional, TypeVar

from kasmd.errors import ProtocolError
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import BGRX, PixelFormat

RAW = 0
COPYRECT = 1
HEXTILE = 5
ZLIB = 6
TIGHT = 7
ZRLE = 16
KASM_VIDEO = 17
JPEG = 21
OPEN_H264 = 50
#: Of our own, for our page: "ksmd" (docs/columns.rst).
COLUMNS = 0x6B736D64

#: A decoded rectangle is at most 8K by 4K, of 4 bytes a pixel: 128 MiB.
MAX_PIXELS = 8192 * 4096
#: The most bytes that `read_many` asks for at once.
CHUNK = 1 << 16


class Rectangle(NamedTuple):
    """One rectangle of an update; ``payload`` follows its header on the wire."""

    rect: Rect
    encoding: int
    payload: bytes


class Parameters(NamedTuple):
    """How one client wants its pixels; equal parameters give equal bytes.

    ``jpeg_quality`` is 1 to 100, or None for no loss; ``subsampling`` is 444,
    422, 420 or gray; ``compress_level`` is 0 to 9.  ``single`` asks for
    exactly one `Rectangle` for each piece, for clients without LastRect.

    How photographs go in Tight to Kasm's clients: as QOI without loss where
    ``qoi`` is set, else as WebP where ``webp_quality`` (0 to 100) and
    ``jpeg_quality`` are.  Elsewhere as rectangles of JPEG (21) where
    ``jpeg_rectangles`` and ``jpeg_quality`` are set.

    ``columns``: text may go in `COLUMNS` instead of Tight.
    """

    encoding: int = TIGHT
    format: PixelFormat = BGRX
    jpeg_quality: Optional[int] = None
    subsampling: str = "444"
    compress_level: int = 2
    single: bool = False
    webp_quality: Optional[int] = None
    qoi: bool = False
    jpeg_rectangles: bool = False
    columns: bool = False


T = TypeVar("T")
#: A decoder: yields how many bytes it needs, is sent exactly those, returns the result.
Reading = Generator[int, bytes, T]


def complete(reading: Reading[T], data: bytes, offset: int = 0) -> tuple[T, int]:
    """Run a decoder over ``data``: its result and the offset after what it read.

    ProtocolError where ``data`` is too short.
    """
    try:
        needed = next(reading)
        while True:
            if offset + needed > len(data):
                raise ProtocolError(f"{needed} bytes needed, {len(data) - offset} are left")
            offset += needed
            needed = reading.send(data[offset - needed:offset])
    except StopIteration as stop:
        return stop.value, offset


def read_many(size: int) -> Reading[bytes]:
    """Ask for ``size`` bytes in parts, so that none is large."""
    data = bytearray()
    while len(data) < size:
        data += yield min(size - len(data), CHUNK)
    return bytes(data)


def check_area(width: int, height: int) -> None:
    """Refuse, with ProtocolError, a rectangle that would take too much memory."""
    if width * height > MAX_PIXELS:
        raise ProtocolError(f"a rectangle of {width} x {height} pixels is too large")
