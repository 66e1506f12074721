"""Events from their bytes, as xcffib reads them."""

import struct

import xcffib
import xcffib.xproto

from kasmd.display.x11_events import EVENT_BYTES, ConfigureNotify, DamageNotify
from kasmd.screen.geometry import Rect


def test_a_configure_notify_has_what_xcffib_finds() -> None:
    theirs = xcffib.xproto.ConfigureNotifyEvent.synthetic(7, 8, 9, -3, 40, 500, 600, 2, True)
    ours = ConfigureNotify.read(theirs.pack().ljust(EVENT_BYTES, b"\0"))
    assert ours == ConfigureNotify(8, -3, 40, 500, 600, 2)


def test_a_damage_notify_has_its_area_and_the_whole_sequence_number() -> None:
    head = struct.pack("=BBHIII", 91, 2, 0x5678, 1, 2, 3)
    data = head + struct.pack("=hhHHhhHHI", -5, 6, 70, 80, 0, 0, 640, 480, 0x12345678)
    assert DamageNotify.read(data) == DamageNotify(Rect(-5, 6, 70, 80), 0x12345678)
