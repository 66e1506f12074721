"""Where payloads end: `kasmd.rfb.payload`."""

import pytest

from kasmd.errors import ProtocolError
from kasmd.rfb import limits
from kasmd.rfb.payload import KASM_BODIES, PAYLOADS
from kasmd.rfb.wire import Parser, Reader, Script
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import BGRX, PixelFormat

RGB565 = PixelFormat(16, 16, False, True, 31, 63, 31, 11, 5, 0)


def read(parser: Parser[bytes], wire: bytes) -> bytes:
    """Run one parser and give what it took, which must be all but the last byte."""

    def script() -> Script[tuple[bytes]]:
        yield ((yield from parser),)
        yield 99

    reader = Reader(script())
    reader.feed(wire + b"!")
    ((payload,),) = reader.events()
    assert reader.waiting == 1
    return payload


@pytest.mark.parametrize(
    "encoding, size, wire",
    [
        (0, (3, 2), bytes(24)),
        (0, (0, 9), b""),
        (1, (9, 9), bytes(4)),
        (7, (9, 9), b"\x80rgb"),
        (7, (9, 9), b"\x90\x03jpg"),
        (7, (9, 9), b"\x90\x81\x01" + bytes(129)),
        (7, (9, 9), b"\x90\x81\x80\x04" + bytes(65537)),
        (7, (9, 9), b"\xd0\x05rgbaz"),
        (7, (1, 3), b"\x00" + bytes(9)),
        (7, (1, 4), b"\x0f\x04zlib"),
        (7, (3, 1), b"\x40\x00" + bytes(9)),
        (7, (4, 4), b"\x40\x00\x04zlib"),
        (7, (4, 4), b"\x50\x01\x01" + bytes(6) + bytes(4)),
        (7, (9, 9), b"\x50\x01\x01" + bytes(6) + b"\x04zlib"),
        (7, (4, 2), b"\x60\x01\x02" + bytes(9) + bytes(8)),
        (7, (4, 3), b"\x60\x01\xff" + bytes(768) + b"\x04zlib"),
        (16, (64, 64), b"\0\0\0\x03abc"),
        (6, (64, 64), b"\0\0\0\x03abc"),
        (21, (64, 64), b"\xff\xd8\xff\xdb\0\x04ab\xff\xda\0\x03cd\xff\0e\xff\xd0f\xff\xff\xd9"),
        (50, (64, 64), b"\0\0\0\x03\0\0\0\1abc"),
        (17, (64, 64), b"\0\x10\2\1\3abc"),
        (17, (64, 64), b"\0\0"),
        (5, (17, 1), b"\x01" + bytes(64) + b"\x01" + bytes(4)),
        (5, (16, 17), b"\x00" + b"\x00"),
        (5, (16, 16), b"\x02" + bytes(4)),
        (5, (16, 16), b"\x0e" + bytes(8) + b"\x03" + bytes(6)),
        (5, (16, 16), b"\x18\x02" + bytes(12)),
        (-239, (9, 2), bytes(72) + bytes(4)),
        (-314, (2, 2), bytes(20)),
        (0x574D5664, (2, 2), b"\x01\0" + bytes(16)),
        (0x574D5664, (2, 2), b"\x00\0" + bytes(32)),
        (-308, (800, 600), b"\x02\0\0\0" + bytes(32)),
        (-307, (0, 0), b"\0\0\0\x04name"),
        (-261, (0, 0), b"\x07"),
        (-224, (0, 0), b""),
        (-223, (800, 600), b""),
    ],
)
def test_each_encoding(encoding: int, size: tuple[int, int], wire: bytes) -> None:
    assert read(PAYLOADS[encoding](Rect(0, 0, *size), BGRX), wire) == wire


@pytest.mark.parametrize(
    "encoding, wire",
    [
        (0, bytes(18)),
        (7, b"\x80\0\0"),
        (7, b"\x00\x04zlib"),
        (5, b"\x1e" + bytes(4) + b"\x02" + bytes(8)),
        (-239, bytes(18) + bytes(3)),
    ],
)
def test_sixteen_bits(encoding: int, wire: bytes) -> None:
    assert read(PAYLOADS[encoding](Rect(0, 0, 3, 3), RGB565), wire) == wire


@pytest.mark.parametrize(
    "encoding, size, wire",
    [
        (0, (65535, 65535), b""),
        (16, (1, 1), (limits.PAYLOAD + 1).to_bytes(4, "big")),
        (7, (1, 1), b"\xe0"),
        (-239, (65535, 65535), b""),
        (0x574D5664, (1025, 1), b"\x01\0"),
        (-307, (0, 0), b"\xff\xff\xff\xff"),
    ],
)
def test_what_no_server_sends_ends_it(encoding: int, size: tuple[int, int], wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(PAYLOADS[encoding](Rect(0, 0, *size), BGRX), wire)


@pytest.mark.parametrize(
    "number, body",
    [
        (178, b"\0\0\0\0\0\0\x02[]"),
        (179, b""),
        (180, b"\x01\0\0\0\x01\x03t/p\0\0\0\x02hi"),
        (182, b"\x01\x02Ok"),
        (184, b"\x01" + bytes(12) + b"\x02" + bytes(8)),
        (186, b"\x01\0\0\0\0\0\0\x03bye"),
        (187, b""),
        (253, b"\0\0\0\x03eve"),
    ],
)
def test_kasms_messages(number: int, body: bytes) -> None:
    assert read(KASM_BODIES[number](), body) is not None


def test_all_of_a_clipboard_has_one_ceiling() -> None:
    def item(length: int) -> bytes:
        return b"\0\0\0\x01\x03t/p" + length.to_bytes(4, "big") + bytes(length)

    half = limits.SERVER_TEXT // 2
    read(KASM_BODIES[180](), b"\x02" + 2 * item(half))
    with pytest.raises(ProtocolError, match="a clipboard of"):
        read(KASM_BODIES[180](), b"\x03" + 2 * item(half) + item(1))
