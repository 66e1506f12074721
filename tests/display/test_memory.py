"""What MemoryDisplay can do beyond IDisplay."""

from __future__ import annotations

import numpy as np

from kasmd.display.memory import KeyTyped, MemoryDisplay, PointerPut
from kasmd.display.recorder import Recorder
from kasmd.screen.cursor import Cursor
from kasmd.screen.geometry import Rect
from kasmd.screen.region import Region


def make() -> tuple[MemoryDisplay, Recorder]:
    """Give a display that is observed."""
    display, recorder = MemoryDisplay(64, 48), Recorder()
    display.observe(recorder)
    recorder.events.clear()
    return display, recorder


def test_painting_is_told_once() -> None:
    """The same again is not."""
    display, recorder = make()
    display.fill((1, 2, 3), Rect(8, 8, 4, 4))
    display.fill((1, 2, 3), Rect(8, 8, 4, 4))
    assert recorder.named("changed") == [(Region([Rect(8, 8, 4, 4)]), ())]
    assert display.snapshot(Rect(8, 8, 1, 1)).pixels.tolist() == [[[3, 2, 1, 0]]]


def test_trouble_is_told_when_it_comes_and_goes() -> None:
    """Also to those who observe nothing."""
    display, _ = make()
    told: list[str] = []
    end = display.watch(lambda: told.append(display.trouble))
    display.lose("unplugged")
    display.come_back()
    end()
    display.lose("again")
    assert told == ["unplugged", ""]


def test_input_is_recorded() -> None:
    """In order."""
    display, _ = make()
    display.key(0x61, 30, True)
    display.pointer(1, 2, 3)
    display.offer_clipboard({"text/plain": b"a"})
    assert display.keys == [KeyTyped(0x61, 30, True)]
    assert display.pointers == [PointerPut(1, 2, 3)]
    assert display.clipboard == {"text/plain": b"a"}


def test_what_a_desktop_does() -> None:
    """Cursor, lamps, bell, clipboard, loss and return are told."""
    display, recorder = make()
    cursor = Cursor(1, 1, 0, 0, b"\xff\x00\x00\xff")
    display.set_cursor(cursor)
    display.set_cursor(cursor)
    display.set_leds(4)
    display.ring()
    display.copy({"text/plain": b"b"})
    display.lose("gone")
    display.come_back()
    names = [event.name for event in recorder.events]
    assert names == [
        "cursor_changed", "leds_changed", "bell_rung", "clipboard_offered",
        "display_lost", "resized",
    ]
    assert recorder.events[0].details == (cursor,)


def test_few_copies_are_kept() -> None:
    """However many rectangles are asked for, and none of an older frame."""
    display = MemoryDisplay(2000, 1000)
    rects = [Rect(x, 0, 1000, 1000) for x in range(20)]
    for rect in rects:
        display.snapshot(rect)
    assert display._shared_bytes <= 8 << 20
    display.paint(Rect(0, 0, 1, 1), np.full((1, 1, 4), 7, np.uint8))
    assert display._shared == {}
