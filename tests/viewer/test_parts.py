"""Parts: in turn, or the smallest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kasmd.screen.geometry import Rect
from kasmd.screen.region import Region
from kasmd.viewer.parts import next_of, patches, smallest_of
from kasmd.viewer.quality import Room

ALL = Rect(0, 0, 640, 480)
RECTS = st.builds(Rect, *[st.integers(0, 200)] * 2, *[st.integers(1, 100)] * 2)


@given(st.lists(RECTS, min_size=1, max_size=8), st.integers(1, 20_000))
def test_parts_in_turn_are_the_whole(rects: list[Rect], most: int) -> None:
    left, place, parts = Region(rects), (0, 0), 0
    while left:
        part, place = next_of(left, place, Room(most))
        assert part and not part.subtract(left)
        assert part.area <= most + 100 * max(rect.width for rect in left.rects)
        left, parts = left.subtract(part), parts + 1
    assert parts <= 2 + sum(rect.height * -(-rect.width // 16) for rect in rects)


def test_what_changes_all_the_time_leaves_no_part_out() -> None:
    region, place, seen = Region([ALL]), (0, 0), Region()
    for _ in range(10):
        part, place = next_of(region, place, Room(ALL.area // 8))
        seen = seen.union(part)
    assert seen == region


def test_of_news_the_smallest_goes_first() -> None:
    rects = [Rect(0, 0, 30, 30), Rect(0, 100, 10, 10), Rect(0, 200, 20, 20)]
    assert smallest_of(Region(rects), Room(600)) == Region(rects[1:])
    assert smallest_of(Region(rects), Room(99)) == Region()


def test_what_touches_is_one_patch() -> None:
    edge = [Rect(0, 0, 90, 4), Rect(0, 4, 4, 60), Rect(2, 64, 30, 4)]
    key, far = Rect(95, 0, 20, 20), Rect(0, 200, 18, 18)
    found = patches(Region([*edge, key, far]).rects)
    assert sorted(map(Region, found), key=lambda region: region.area) == [
        Region([far]), Region([key]), Region(edge),
    ]
    assert smallest_of(Region([*edge, key]), Room(500)) == Region([key])
    both = Region([key, far])
    assert smallest_of(both, Room(800)) == both, "each has its tables, but there is room"
    assert smallest_of(both, Room(800, rectangle=100)) == Region([far])
    letter = Region([key, far._replace(width=4)])
    assert smallest_of(letter, Room(800, rectangle=400)) == letter, "that is no JPEG"
