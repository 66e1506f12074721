"""Seats under the rules against the loss of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.display.memory import MemoryDisplay
from kasmd.interfaces import Principal
from kasmd.permission.dlp import Edge, Rules, VisibleRegion, Way
from kasmd.permission.prevention import Prevention
from kasmd.permission.registry import MemoryRegistry
from kasmd.permission.seat import Seat
from kasmd.permission.watermark import Watermark
from kasmd.rights import OWNER, READ, WRITE, Right
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.region import Region
from tests.permission.desk import FULL, RECT, TEXT, Eye, Room

#: Of the desk's 4 x 3 pixels the left 2 x 3 are shown.
HALF = VisibleRegion(Edge(0), Edge(0), Edge(2), Edge(0))


@pytest.mark.parametrize("rights", [WRITE, WRITE | OWNER])
def test_what_is_concealed_is_concealed_from_everyone(rights: Right) -> None:
    room = Room(rights, Rules(visible_region=HALF))
    room.desk.snapshot = lambda rect: Snapshot(  # type: ignore
        Identity(1, 1), rect, np.full((rect.height, rect.width, 4), 9, np.uint8)
    )
    room.look()
    seen = room.seat.snapshot(RECT)
    assert seen.pixels[:, :2].all() and not seen.pixels[:, 2:].any() and seen.identity.mask
    (outlet,) = room.desk.observers
    outlet.changed(Region([Rect(2, 0, 2, 3)]), ())
    assert room.eye.heard == []
    outlet.changed(Region([Rect(1, 0, 2, 3)]), ())
    assert room.eye.heard == [("changed", Region([Rect(1, 0, 1, 3)]), ())]


def test_clicks_in_the_concealed_part_are_not_heard() -> None:
    room = Room(rules=Rules(visible_region=HALF))
    other = room.sit("bob")
    for x, buttons in ((3, 1), (1, 1), (1, 0), (1, 1), (3, 0)):
        room.seat.pointer(x, 0, buttons)
    assert [told[1:] for told in room.desk.told] == [
        (3, 0, 0), (1, 0, 0), (1, 0, 0), (1, 0, 1), (3, 0, 1)
    ]
    other.pointer(0, 0, 1)
    other.pointer(0, 0, 0)
    room.seat.pointer(1, 0, 0)
    assert [told[1:] for told in room.desk.told[5:]] == [(0, 0, 1), (0, 0, 0), (1, 0, 0)]
    room.seat.leave()
    assert len(room.desk.told) == 8


def test_keys_that_come_too_soon_are_not_held() -> None:
    room = Room(rules=Rules(keys_per_second=1))
    room.seat.key(0x61, 30, True)
    room.seat.key(0x62, 48, True)
    room.seat.leave()
    assert room.desk.told == [("key", 0x61, 30, True), ("key", 0x61, 30, False)]


def test_the_clipboard_is_held_to_the_rules() -> None:
    small = Way(size=3)
    room = Room(rules=Rules(server_to_client=small, client_to_server=small))
    room.look()
    room.happen("clipboard_offered")
    room.seat.offer_clipboard(TEXT)
    assert room.seat.copied() == {}
    assert room.eye.heard == [] and room.desk.told == [("copied",)]


def test_reading_the_clipboard_again_takes_as_long_for_everyone() -> None:
    room = Room(rules=Rules(seconds_between_copies=3600))
    room.look()
    room.happen("clipboard_offered")
    assert room.eye.heard == []
    assert room.seat.copied() == room.sit("bob").copied() == {}
    assert Room().seat.copied() == TEXT


def test_a_watermark_that_changes_is_told_until_the_seat_is_left() -> None:
    seconds = [0.0]
    rules = Rules(watermark=Watermark(template="%s", spacing=1))
    room = Room()
    room.prevention = Prevention(rules, wall=lambda: seconds[0])
    room.seat = room.sit("bob")
    room.look()
    before = room.seat.snapshot(RECT).identity
    seconds[0] = 1.0
    room.prevention.refresh()
    assert room.eye.heard == [("changed", FULL, ())]
    assert room.seat.snapshot(RECT).identity != before
    room.seat.leave()
    seconds[0] = 2.0
    room.prevention.refresh()
    assert len(room.eye.heard) == 1


class Follower(Eye):
    """A viewer that draws what it is told of, from its seat alone."""

    def __init__(self, seat: Seat) -> None:
        super().__init__()
        self.seat = seat
        self.moves = 0
        self.draw_all()
        seat.observe(self)

    def draw_all(self) -> None:
        self.picture = self.seat.snapshot(Rect(0, 0, *self.seat.size)).pixels.copy()

    def resized(self, width: int, height: int, screens: Any) -> None:
        self.draw_all()

    def changed(self, region: Region, moves: Any) -> None:
        self.moves += len(moves)
        for move in moves:
            self.part(move.target)[:] = self.part(move.source).copy()
        for rect in region.rects:
            self.part(rect)[:] = self.seat.snapshot(rect).pixels

    def part(self, rect: Rect) -> Any:
        return self.picture[rect.y:rect.bottom, rect.x:rect.right]


def noise(rect: Rect, seed: int) -> Any:
    return np.random.default_rng(seed).integers(1, 256, (rect.height, rect.width, 4), np.uint8)


_edges = st.tuples(*[st.integers(-60, 60)] * 4)
_marks = st.none() | st.builds(
    Watermark,
    template=st.sampled_from(["%s", "x"]),
    font_size=st.just(8),
    tint=st.just((255, 0, 0, 120)),
    location=st.tuples(st.integers(-40, 40), st.integers(-40, 40)),
    spacing=st.sampled_from([0, 0, 9]),
)
_lives = st.lists(
    st.one_of(
        st.tuples(st.just("paint"), st.integers(0, 60), st.integers(0, 60), st.integers(0, 9)),
        st.tuples(st.just("scroll"), st.integers(-20, 20)),
        st.tuples(st.just("resize"), st.integers(20, 90)),
        st.just(("tick",)),
    ),
    max_size=8,
)


@given(_edges, _marks, _lives)
def test_whatever_happens_a_viewer_sees_what_a_screenshot_shows(
    edges: tuple[int, ...], mark: Any, life: list[tuple[Any, ...]]
) -> None:
    seconds, display = [0.0], MemoryDisplay(90, 80)
    region = VisibleRegion(*map(Edge, edges))
    prevention = Prevention(Rules(region, watermark=mark), wall=lambda: seconds[0])
    registry = MemoryRegistry({"ann": READ, "owner": OWNER})
    seats = [
        Seat(display, registry.admit(Principal(name), "desktop"), None, prevention)
        for name in ("ann", "owner")
    ]
    follower = Follower(seats[0])
    for name, *args in life:
        width, height = display.size
        whole = Rect(0, 0, width, height)
        if name == "paint":
            rect = Rect(args[0], args[1], 30, 20).intersection(whole)
            if rect:
                display.paint(rect, noise(rect, args[2]))
        elif name == "scroll":
            display.paint(whole, np.roll(display.snapshot(whole).pixels, args[0], 0))
        elif name == "resize":
            display.resize(args[0], 80, [Screen(0, 0, 0, args[0], 80)])
        else:
            seconds[0] += 1
            prevention.refresh()
    shots: list[Snapshot] = []
    seats[1].screenshot().addCallback(shots.append)
    assert np.array_equal(follower.picture, shots[0].pixels)
    shown = np.zeros(follower.picture.shape[:2], bool)
    visible = region.on(*display.size)
    shown[visible.y:visible.bottom, visible.x:visible.right] = True
    assert not follower.picture[~shown].any()


def test_a_scroll_in_sight_still_moves() -> None:
    display = MemoryDisplay(90, 80)
    whole = Rect(0, 0, 90, 80)
    display.paint(whole, noise(whole, 1))
    prevention = Prevention(Rules(VisibleRegion(*map(Edge, (5, 5, -5, -5)))))
    registry = MemoryRegistry({"ann": READ})
    follower = Follower(
        Seat(display, registry.admit(Principal("ann"), "desktop"), None, prevention)
    )
    display.paint(whole, np.roll(display.snapshot(whole).pixels, -7, 0))
    assert follower.moves == 1
    assert np.array_equal(follower.picture, follower.seat.snapshot(whole).pixels)
