"""The rectangles that are not pixels: told once, the newest, to those who know them."""

from __future__ import annotations

import struct

from kasmd.rfb import update
from kasmd.rfb.numbers import DesktopSizeReason, Encoding
from kasmd.rfb.server import ServerSession
from kasmd.screen.cursor import Cursor
from kasmd.screen.geometry import Screen
from kasmd.screen.pixels import BGRX
from kasmd.viewer.pseudo import PseudoRectangles

CURSOR = Cursor(1, 1, 0, 0, b"\xff\xff\xff\xff")
OTHER = Cursor(1, 1, 0, 0, b"\x01\x02\x03\xff")
SCREENS = (Screen(0, 0, 0, 640, 480),)


def pseudo(*encodings: int) -> PseudoRectangles:
    """Give what is to be told to a viewer with these encodings."""
    session = ServerSession()
    session.receive_data(b"RFB 003.008\n\x01\x01")
    list(session.events_received())
    session.send_init(320, 240, "test")
    session.receive_data(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))
    list(session.events_received())
    return PseudoRectangles(session, (320, 240), (Screen(0, 0, 0, 320, 240),))


def encodings_of(rectangles: list[bytes]) -> list[int]:
    """Give the encodings in the rectangles' heads."""
    return [update.RECTANGLE.unpack_from(rectangle)[4] for rectangle in rectangles]


def test_nothing_is_due_at_first() -> None:
    telling = pseudo(Encoding.CURSOR, Encoding.LED_STATE, Encoding.EXTENDED_DESKTOP_SIZE)
    assert not telling.size_due
    assert telling.take(BGRX) == []


def test_a_cursor_is_told_once_and_the_newest() -> None:
    telling = pseudo(Encoding.CURSOR_WITH_ALPHA)
    telling.cursor_changed(CURSOR)
    telling.cursor_changed(OTHER)
    assert telling.take(BGRX) == [update.cursor_shape(OTHER, Encoding.CURSOR_WITH_ALPHA, BGRX)]
    assert telling.take(BGRX) == []


def test_what_a_viewer_does_not_know_is_not_told() -> None:
    telling = pseudo(Encoding.RAW)
    telling.cursor_changed(CURSOR)
    telling.leds_changed(1)
    telling.resized(640, 480, SCREENS)
    assert telling.take(BGRX) == []
    assert not telling.size_due and not telling.followed


def test_new_abilities_are_told_what_there_is() -> None:
    telling = pseudo(Encoding.LED_STATE, Encoding.VMWARE_CURSOR)
    telling.cursor_changed(CURSOR)
    telling.leds_changed(4)
    telling.take(BGRX)
    telling.tell_again()
    assert encodings_of(telling.take(BGRX)) == [Encoding.VMWARE_CURSOR, Encoding.LED_STATE]


def test_a_new_name_is_told_once_and_the_newest() -> None:
    telling = pseudo(Encoding.DESKTOP_NAME)
    telling.renamed("old")
    telling.renamed("new")
    assert telling.news
    assert telling.take(BGRX) == [update.desktop_name("new")]
    assert not telling.news and telling.take(BGRX) == []


def test_extensions_are_acknowledged_once() -> None:
    telling = pseudo(Encoding.QEMU_EXTENDED_KEY_EVENT, Encoding.EXTENDED_MOUSE_BUTTONS)
    telling.tell_again()
    assert encodings_of(telling.take(BGRX)) == [-258, -316]
    telling.tell_again()
    assert telling.take(BGRX) == []


def test_a_size_is_told_with_each_reason_once() -> None:
    telling = pseudo(Encoding.EXTENDED_DESKTOP_SIZE)
    telling.resized(640, 480, SCREENS)
    telling.tell_size(DesktopSizeReason.THIS_CLIENT, 1)
    telling.tell_size(DesktopSizeReason.THIS_CLIENT, 0)
    assert telling.size_due
    assert telling.take_sizes() == [
        update.extended_desktop_size(640, 480, SCREENS, 0, 0),
        update.extended_desktop_size(640, 480, SCREENS, 1, 0),
    ]
    assert not telling.size_due


def test_an_older_viewer_is_told_the_size_only() -> None:
    telling = pseudo(Encoding.DESKTOP_SIZE)
    telling.resized(640, 480, SCREENS)
    assert telling.take_sizes() == [update.desktop_size(640, 480)]
