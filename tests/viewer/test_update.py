"""An update on its way: cut into slices, with pixels that are copied at their turn."""

from __future__ import annotations

from typing import Optional

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec.base import RAW, ZRLE, Parameters
from kasmd.codec.deflate import ZlibStreams
from kasmd.codec.pieces import pieces_of
from kasmd.display.memory import MemoryDisplay
from kasmd.rfb import update as wire
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import BGRX
from kasmd.screen.region import Region
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.update import Piece, Slice, Update, halved

ALL = Rect(0, 0, 320, 240)
RAW_PIXELS = Parameters(RAW)
HEAD = b"head"


def update_of(parameters: Parameters = RAW_PIXELS, last_rect: bool = True,
              encodings: Optional[Encodings] = None, region: Region = Region([ALL])) -> Update:
    """Give an update of ``region``."""
    streams = ZlibStreams() if parameters.encoding == ZRLE else None
    pieces = [Piece(rect, parameters) for rect in pieces_of(region, parameters)]
    return Update(HEAD, pieces, last_rect, encodings or Encodings(), streams)


def unseen(rect: Rect) -> Optional[Snapshot]:
    """Look, without the right to see."""
    return None


def test_slices_are_the_whole_and_bounded() -> None:
    display, update = MemoryDisplay(320, 240), update_of()
    slices, shown = [], []
    while not update.done:
        data, rects, _ = update.next_slice(display.snapshot)
        slices.append(data)
        shown += rects
    assert len(slices) > 1
    assert max(map(len, slices)) < 300_000
    assert slices[0].startswith(HEAD) and slices[-1].endswith(wire.last_rect())
    assert Region(shown) == Region([ALL])
    assert sum(map(len, slices)) == len(HEAD) + 4 * ALL.area + 12 * len(shown) + 12


def test_small_pieces_leave_together() -> None:
    region = Region([Rect(0, 0, 10, 10), Rect(50, 50, 10, 10)])
    update = update_of(region=region)
    _, shown, _ = update.next_slice(MemoryDisplay(320, 240).snapshot)
    assert update.done and Region(shown) == region


def test_pixels_are_as_new_as_their_slice() -> None:
    display, update = MemoryDisplay(320, 240), update_of()
    update.next_slice(display.snapshot)
    display.fill((255, 255, 255))
    data, *_ = update.next_slice(display.snapshot)
    assert b"\xff\xff\xff" in data


def test_an_update_without_pixels_is_its_head() -> None:
    update = update_of(last_rect=False, region=Region())
    assert update.next_slice(unseen) == Slice(HEAD, [])
    assert update.done


def test_it_is_cut_where_it_can_be() -> None:
    display, update = MemoryDisplay(320, 240), update_of()
    _, shown, _ = update.next_slice(display.snapshot)
    assert update.cut() == sum(rect.area for rect in shown) / ALL.area < 1
    assert not update.done
    assert update.next_slice(display.snapshot) == Slice(wire.last_rect(), [])
    assert update.done and update.cut() == 1
    counted = update_of(last_rect=False)
    counted.next_slice(display.snapshot)
    assert counted.cut() == 1
    _, shown, _ = counted.next_slice(display.snapshot)
    assert shown


def test_slices_are_as_small_as_they_should_be() -> None:
    display, shown = MemoryDisplay(320, 240), []
    many = Region(Rect(x, y, 20, 20) for x in range(0, 320, 40) for y in range(0, 240, 40))
    for region in (Region([ALL]), many):
        update, shown = update_of(region=region), []
        while not update.done:
            data, rects, _ = update.next_slice(display.snapshot, 8000)
            assert len(data) <= 8000
            shown += rects
        assert Region(shown) == region
    first, *_ = update_of().next_slice(display.snapshot, 10)
    assert 2000 < len(first) <= 4 * 1024 + 12 + len(HEAD), "no fewer pixels than that"


def test_what_continues_a_stream_or_was_counted_goes_as_it_is() -> None:
    display = MemoryDisplay(320, 240)
    for arguments in ((Parameters(ZRLE), True), (RAW_PIXELS, False)):
        whole, _, _ = update_of(*arguments).next_slice(display.snapshot)
        same, _, _ = update_of(*arguments).next_slice(display.snapshot, 10)
        assert len(whole) == len(same)


@given(st.builds(Rect, *[st.integers(0, 99)] * 2, *[st.integers(1, 300)] * 2),
       st.integers(1, 9999))
def test_halves_are_the_whole(rect: Rect, most: int) -> None:
    parts = halved(rect, most)
    assert parts[0].area <= most and Region(parts) == Region([rect])
    assert sum(part.area for part in parts) == rect.area


def test_without_the_right_it_ends_where_it_is() -> None:
    display, update = MemoryDisplay(320, 240), update_of()
    update.next_slice(display.snapshot)
    assert update.next_slice(unseen) == Slice(wire.last_rect(), [])
    assert update.done


def test_without_the_right_what_was_counted_is_black() -> None:
    display = MemoryDisplay(320, 240)
    display.fill((255, 255, 255))
    update = update_of(last_rect=False)
    update.next_slice(display.snapshot)
    data, shown, _ = update.next_slice(unseen)
    assert shown == []
    assert b"\xff" not in data
    assert update.done


def test_black_is_not_taken_for_the_picture() -> None:
    display, encodings = MemoryDisplay(320, 240), Encodings()
    display.fill((255, 255, 255))
    blind, seeing = [update_of(last_rect=False, encodings=encodings) for _ in range(2)]
    assert blind.next_slice(unseen) != seeing.next_slice(display.snapshot)


def test_one_encoding_serves_all_of_a_kind() -> None:
    display, encodings = MemoryDisplay(320, 240), Encodings()
    first, second = [
        update_of(encodings=encodings).next_slice(display.snapshot) for _ in range(2)
    ]
    assert first == second
    assert (encodings.made, encodings.shared) == (1, 1)
    update_of(Parameters(RAW, BGRX._replace(big_endian=True)), encodings=encodings).next_slice(
        display.snapshot
    )
    assert encodings.made == 2


def test_zrle_is_each_viewers_own() -> None:
    display, encodings = MemoryDisplay(320, 240), Encodings()
    display.paint(ALL, np.arange(ALL.area * 4, dtype=np.uint8).reshape(240, 320, 4))
    update_of(Parameters(ZRLE), encodings=encodings).next_slice(display.snapshot)
    assert encodings.made == 0


def test_what_is_beside_the_lines_of_a_text_is_not_said_to_be_shown():
    lines = (Rect(0, 0, 30, 10), Rect(0, 10, 40, 10))
    piece = Piece(Rect(0, 0, 40, 20), RAW_PIXELS, lines=lines)
    display = MemoryDisplay(80, 40)
    update = Update(b"", [piece], True, Encodings(), None)
    assert update.next_slice(display.snapshot).shown == list(lines)


def test_parts_of_the_lines_of_a_text():
    lines = (Rect(0, 0, 30, 10), Rect(0, 10, 40, 10))
    piece = Piece(Rect(0, 0, 40, 20), RAW_PIXELS, lines=lines)
    upper, right = Rect(0, 0, 40, 5), Rect(30, 0, 10, 10)
    assert piece.part(upper) == piece._replace(rect=upper, lines=(Rect(0, 0, 30, 5),))
    assert piece.part(right) is None
    whole = piece._replace(lines=())
    assert whole.part(right) == whole._replace(rect=right)
