"""The standard's messages, byte by byte: `kasmd.rfb.standard`."""

import struct

import pytest

from kasmd.errors import ProtocolError
from kasmd.rfb import limits, standard
from kasmd.rfb.dialect import Dialect, Reading
from kasmd.rfb.limits import Limits
from kasmd.rfb.messages import (
    ContinuousUpdatesSet,
    CutTextReceived,
    DesktopSizeRequested,
    EncodingsSet,
    FenceReceived,
    KeyPressed,
    KeyReleased,
    PixelFormatSet,
    PointerMoved,
    UpdateRequested,
)
from kasmd.rfb.wire import Parser, Reader, Script
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import BGRX, RGBX
from tests.rfb import parsing


def parsed(wire: str | bytes, reading: Reading | None = None) -> list[object]:
    """Read messages of the standard; wire is hexadecimal or bytes."""
    return parsing.parsed(standard.PARSERS, wire, reading or Reading(Limits(cut_text=64)))


@pytest.mark.parametrize(
    "wire, event",
    [
        (b"\0\0\0\0" + RGBX.pack(), PixelFormatSet(RGBX)),
        ("02 00 0003 00000007 ffffff21 574d5664", EncodingsSet((7, -223, 0x574D5664))),
        ("02 00 0000", EncodingsSet(())),
        ("03 01 0001 0002 0300 0400", UpdateRequested(True, Rect(1, 2, 768, 1024))),
        ("03 00 ffff ffff ffff 0000", UpdateRequested(False, Rect(65535, 65535, 65535, 0))),
        ("04 01 0000 0000ff0d", KeyPressed(0xFF0D)),
        ("04 00 0000 0000ff0d", KeyReleased(0xFF0D)),
        ("05 07 ffff 0000", PointerMoved(65535, 0, 7)),
        ("05 80 0001 0002", PointerMoved(1, 2, 0x80)),
        ("06 000000 00000003 e90d0a", CutTextReceived("\u00e9\n")),
        ("06 000000 00000000", CutTextReceived("")),
        ("96 01 0000 0000 0320 0258", ContinuousUpdatesSet(True, Rect(0, 0, 800, 600))),
        ("96 00 0000 0000 0000 0000", ContinuousUpdatesSet(False, Rect(0, 0, 0, 0))),
        ("f8 000000 80000001 02 abcd", FenceReceived(0x80000001, b"\xab\xcd")),
        ("fb 00 0000 0000 00 00", DesktopSizeRequested(0, 0, ())),
        (
            "fb 00 0320 0258 01 00 00000009 0001 0002 031e 0254 00000007",
            DesktopSizeRequested(800, 600, (Screen(9, 1, 2, 798, 596, 7),)),
        ),
        ("ff 00 0001 00000061 0000001e", KeyPressed(97, 30)),
        ("ff 00 0000 00000061 0000001e", KeyReleased(97, 30)),
    ],
)
def test_messages(wire: str | bytes, event: object) -> None:
    assert parsed(wire) == [event]


def test_pointer_events_have_four_forms() -> None:
    reading = Reading(Limits())
    assert parsed("05 81 0001 0002", reading) == [PointerMoved(1, 2, 0x81)]
    reading.extended_mouse = True
    assert parsed("05 81 0001 0002 03", reading) == [PointerMoved(1, 2, 0x181)]
    assert parsed("05 01 0001 0002", reading) == [PointerMoved(1, 2, 1)]
    reading.dialect = Dialect.KASM
    wire = "05 ff01 0001 0002 ffff 0003"
    assert parsed(wire, reading) == [PointerMoved(1, 2, 0x101, -1, 3)]


def test_encodings_above_the_ceiling_are_skipped() -> None:
    wire = struct.pack(">BxH65535i", 2, 65535, *range(65535))
    (event,) = parsed(wire + b"\x04\x01\0\0\0\0\0a")[:1]
    assert event == EncodingsSet(tuple(range(limits.ENCODINGS)))


@pytest.mark.parametrize(
    "bits, shift, maximum", [(7, 0, 255), (24, 0, 255), (32, 32, 255), (32, 0, 0), (32, 255, 255)]
)
def test_insane_pixel_formats_end_it(bits: int, shift: int, maximum: int) -> None:
    wanted = BGRX._replace(bits_per_pixel=bits, red_shift=shift, red_max=maximum)
    with pytest.raises(ProtocolError):
        parsed(bytes(4) + wanted.pack())


@pytest.mark.parametrize("length", [65, 1000])
def test_long_cut_text_is_skipped(length: int) -> None:
    wire = struct.pack(">B3xi", 6, length) + bytes(length)
    assert parsed(wire) == [None]
    assert parsed(struct.pack(">B3xi", 6, -length) + bytes(length)) == [None]


def test_the_longest_lengths_are_awaited_without_being_held() -> None:
    for length in (0x7FFFFFFF, -0x80000000):
        reader: Reader[object] = Reader(_one(standard.client_cut_text(Reading(Limits()))))
        reader.feed(struct.pack(">3xi", length) + bytes(1_000_000))
        assert list(reader.events()) == []
        assert reader.waiting < limits.SKIP_STEP


def _one(parser: Parser[object]) -> Script[object]:
    yield (yield from parser)


def test_long_fences_are_skipped() -> None:
    assert parsed(b"\xf8\0\0\0\x80\0\0\0\x40" + bytes(64)) == [FenceReceived(1 << 31, bytes(64))]
    assert parsed(b"\xf8\0\0\0\x80\0\0\0\x41" + bytes(65)) == [None]


def test_255_screens_fit() -> None:
    (event,) = parsed(b"\xfb\0\xff\xff\xff\xff\xff\0" + bytes(16 * 255))
    assert isinstance(event, DesktopSizeRequested)
    assert len(event.screens) == 255


def test_other_messages_of_qemu_end_it() -> None:
    with pytest.raises(ProtocolError, match="unknown QEMU message 1"):
        parsed("ff 01")


def test_what_the_server_writes() -> None:
    assert standard.bell() == b"\x02"
    assert standard.server_cut_text("\u00e9\u20ac") == b"\x03\0\0\0\0\0\0\x02\xe9?"
    assert standard.end_of_continuous_updates() == b"\x96"
    assert standard.server_fence(1, b"ab") == b"\xf8\0\0\0\0\0\0\x01\x02ab"
    with pytest.raises(ValueError):
        standard.server_fence(0, bytes(65))
