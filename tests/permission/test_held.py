"""What a seat holds down: it is let go, and others wait for it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kasmd.permission.held import HELD_LIMIT
from kasmd.rights import NOTHING, OWNER, READ, WRITE, Right
from tests.permission.desk import Room


def test_keys_and_buttons_are_let_go_when_write_is_lost() -> None:
    room = Room()
    room.seat.key(0x61, 30, True)
    room.seat.key(0xFFE1, 42, True)
    room.seat.key(0x20, 0, True)
    room.seat.key(0x62, 48, True)
    room.seat.key(0x62, 48, False)
    room.seat.pointer(3, 2, 0b101)
    room.desk.told.clear()
    room.registry.set("ann", READ)
    assert room.desk.told == [
        ("key", 0x61, 30, False),
        ("key", 0xFFE1, 42, False),
        ("key", 0x20, 0, False),
        ("pointer", 3, 2, 0),
    ]
    room.seat.leave()
    assert len(room.desk.told) == 4


def test_only_what_belongs_to_the_lost_right_is_let_go() -> None:
    room = Room()
    room.seat.key(0x61, 30, True)
    room.seat.pointer(3, 2, 1)
    room.desk.told.clear()
    room.seat.grant.update(Right.KEYBOARD)
    room.seat.grant.tell()
    assert room.desk.told == [("pointer", 3, 2, 0)]
    room.seat.leave()
    assert room.desk.told == [("pointer", 3, 2, 0), ("key", 0x61, 30, False)]


def test_shift_changes_the_keysym_of_a_held_key() -> None:
    room = Room()
    room.seat.key(0x41, 30, True)
    room.seat.key(0x61, 30, False)
    room.desk.told.clear()
    room.seat.leave()
    assert room.desk.told == []


def test_a_key_may_get_its_keycode_while_it_is_held() -> None:
    room = Room()
    room.seat.key(0x61, 0, True)
    room.seat.key(0x61, 30, False)
    assert room.desk.told == [("key", 0x61, 0, True), ("key", 0x61, 0, False)]


def test_held_keys_are_bounded() -> None:
    room = Room()
    for keysym in range(HELD_LIMIT + 10):
        room.seat.key(keysym, 0, True)
    released = [told for told in room.desk.told if not told[3]]
    assert released == [("key", keysym, 0, False) for keysym in range(10)]
    room.seat.leave()
    assert sum(1 for told in room.desk.told if not told[3]) == HELD_LIMIT + 10


def test_two_seats_let_go_of_their_own() -> None:
    room = Room()
    other = room.sit("bob")
    room.seat.key(0x61, 30, True)
    other.key(0x62, 48, True)
    room.desk.told.clear()
    room.seat.leave()
    assert room.desk.told == [("key", 0x61, 30, False)]
    other.leave()
    assert room.desk.told[1:] == [("key", 0x62, 48, False)]


def test_one_drags_and_the_others_wait() -> None:
    room = Room()
    other = room.sit("bob")
    room.seat.pointer(1, 1, 1)
    other.pointer(2, 2, 0)
    other.pointer(2, 2, 1)
    room.seat.pointer(3, 1, 1)
    room.seat.pointer(3, 1, 0)
    other.pointer(2, 2, 1)
    room.seat.pointer(0, 0, 0)
    other.leave()
    room.seat.pointer(1, 0, 0)
    assert [told[1:] for told in room.desk.told] == [
        (1, 1, 1),
        (3, 1, 1),
        (3, 1, 0),
        (2, 2, 1),
        (2, 2, 0),
        (1, 0, 0),
    ]


def test_a_drag_ends_with_the_right_and_the_others_wait_no_more() -> None:
    room = Room()
    other = room.sit("bob")
    room.seat.pointer(1, 1, 1)
    room.registry.set("ann", READ)
    room.seat.pointer(3, 1, 1)
    other.pointer(2, 2, 1)
    room.registry.set("ann", WRITE)
    room.seat.pointer(3, 1, 1)
    assert [told[1:] for told in room.desk.told] == [(1, 1, 1), (1, 1, 0), (2, 2, 1)]


steps = st.one_of(
    st.tuples(st.just("set"), st.sampled_from([NOTHING, READ, WRITE, OWNER, Right.KEYBOARD])),
    st.tuples(st.just("key"), st.integers(1, 4), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("pointer"), st.integers(0, 3), st.integers(0, 2), st.integers(0, 3)),
)


@given(st.lists(steps, max_size=40))
def test_after_any_life_nothing_stays_pressed(life: list[tuple[Any, ...]]) -> None:
    room = Room()
    for name, *args in life:
        if name == "set":
            room.registry.set("ann", *args)
        else:
            getattr(room.seat, name)(*args)
    room.seat.leave()
    held = set()
    for name, *args in room.desk.told:
        if name == "key":
            keysym, keycode, down = args
            ident = ("code", keycode) if keycode else ("sym", keysym)
            held.add(ident) if down else held.discard(ident)
    assert held == set()
    buttons = [told[3] for told in room.desk.told if told[0] == "pointer"]
    assert not buttons or buttons[-1] == 0
