"""Gate one: every member and every event, under every right."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from kasmd.errors import PermissionDenied
from kasmd.interfaces import IDisplay, IDisplayObserver, ISeat
from kasmd.permission.seat import NEEDS, PROHIBITED
from kasmd.rights import NOTHING, OWNER, READ, WRITE, Right
from kasmd.screen.cursor import INVISIBLE
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.region import Region
from tests.permission.desk import FULL, INWARD, OUTWARD, OWNERS, RECT, SCREENS, Eye, Room, call

AGAIN = [("cursor_changed", INVISIBLE), ("leds_changed", 2), ("changed", FULL, ())]


def test_interfaces() -> None:
    room = Room()
    verifyObject(IDisplay, room.desk)
    verifyObject(IDisplayObserver, room.eye)
    verifyObject(ISeat, room.seat)
    room.look()
    verifyObject(IDisplayObserver, room.desk.observers[0])


def test_every_member_and_event_has_a_declared_right() -> None:
    members = {name for face in (ISeat, IDisplayObserver) for name in face.names(all=True)}
    assert members == set(NEEDS)
    named = set(INWARD) | set(OWNERS) | set(OUTWARD)
    assert named | {"size", "screens", "name", "grant", "leave", "observe"} == members
    assert all(NEEDS[name] for name in (*INWARD, *OWNERS, *OUTWARD))


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("member", INWARD)
def test_inward_matrix(member: str, right: Right) -> None:
    room = Room()
    rights = room.seat.grant
    rights.update(right)
    call(room.seat, member)
    passed = any(told[0] == member for told in room.desk.told)
    assert passed is (right == NEEDS[member])
    rights.update(~right)
    room.desk.told.clear()
    call(room.seat, member)
    passed = any(told[0] == member for told in room.desk.told)
    assert passed is (right != NEEDS[member])


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("member", OWNERS)
def test_what_is_the_owners(member: str, right: Right) -> None:
    room = Room()
    for rights in (right, ~right):
        room.seat.grant.update(rights)
        room.desk.told.clear()
        if rights & Right.MANAGE:
            getattr(room.seat, member)()
        else:
            with pytest.raises(PermissionDenied, match="MANAGE"):
                getattr(room.seat, member)()
        assert bool(room.desk.told) is (Right.MANAGE in rights)


def test_a_screenshot_that_comes_after_the_right_went_is_not_given() -> None:
    room = Room(OWNER)
    coming: Deferred[Snapshot] = Deferred()
    room.desk.screenshot = lambda: coming  # type: ignore
    taken = room.seat.screenshot()
    room.registry.set("ann", WRITE)
    coming.callback(room.desk.snapshot(RECT))
    failures: list[Any] = []
    taken.addErrback(failures.append)
    assert failures[0].check(PermissionDenied)


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("event", OUTWARD)
def test_outward_matrix(event: str, right: Right) -> None:
    room = Room()
    room.look()
    room.seat.grant.update(right)
    room.happen(event)
    assert bool(room.eye.heard) is (right == NEEDS[event])


@pytest.mark.parametrize(
    "rights, passes",
    [
        (NOTHING, {"renamed", "display_lost"}),
        (OWNER, {"renamed", "display_lost"}),
        (READ, {"snapshot"} | set(OUTWARD) - {"clipboard_offered"}),
        (WRITE, set(INWARD) | set(OUTWARD)),
    ],
)
def test_kasmvncs_accounts(rights: Right, passes: set[str]) -> None:
    room = Room(rights)
    room.look()
    for member in INWARD:
        call(room.seat, member)
    for event in OUTWARD:
        room.happen(event)
    names = {entry[0] for entry in room.desk.told + room.eye.heard}
    assert names == passes


def test_what_is_answered_without_the_right() -> None:
    seat = Room(NOTHING).seat
    with pytest.raises(PermissionDenied, match="'ann'.*VIEW"):
        seat.snapshot(RECT)
    answers: list[int] = []
    seat.resize(8, 6, SCREENS).addCallback(answers.append)
    assert answers == [PROHIBITED]
    assert (seat.size, seat.screens, seat.name) == ((4, 3), SCREENS, "desk")


def test_the_log_says_once_which_right_there_is_not() -> None:
    seat = Room(READ).seat
    with capturedLogs() as events:
        for member in ("pointer", "offer_clipboard", "pointer"):
            call(seat, member)
    assert [formatEvent(event) for event in events] == [
        f"'ann' is not heard: no right {right}" for right in ("pointer", "clipboard_in")
    ]


def test_what_passes_is_passed_unchanged() -> None:
    room = Room()
    room.look()
    for member in INWARD:
        call(room.seat, member)
    for event in OUTWARD:
        room.happen(event)
    assert room.desk.told == [(name, *args) for name, args in INWARD.items()]
    assert room.eye.heard == [(name, *args) for name, args in OUTWARD.items()]


def test_leaving() -> None:
    room = Room()
    room.look()
    room.seat.key(0x61, 30, True)
    room.seat.leave()
    room.seat.leave()
    assert room.desk.told == [("key", 0x61, 30, True), ("key", 0x61, 30, False)]
    assert room.desk.observers == []
    assert not room.seat.grant.holds(Right.ENTER) and len(room.registry) == 0
    for member in INWARD:
        call(room.seat, member)
    room.look()
    assert len(room.desk.told) == 2 and room.desk.observers == []


def test_a_failing_display_does_not_keep_a_seat_from_leaving() -> None:
    room = Room()
    room.look()
    room.seat.key(0x61, 30, True)
    room.seat.pointer(1, 1, 1)
    room.desk.key = room.desk.pointer = lambda *args: 1 // 0  # type: ignore
    room.seat.leave()
    assert room.desk.observers == [] and len(room.registry) == 0


def test_a_removed_account_lets_go_and_hears_no_more() -> None:
    room = Room()
    room.look()
    room.seat.key(0x61, 30, True)
    room.registry.remove("ann")
    assert room.desk.told[-1] == ("key", 0x61, 30, False)
    for event in OUTWARD:
        room.happen(event)
    assert room.eye.heard == []


def test_view_lost_and_regained() -> None:
    room = Room(READ)
    room.look()
    room.registry.set("ann", NOTHING)
    for event in ("changed", "resized", "bell_rung"):
        room.happen(event)
    assert room.eye.heard == []
    room.registry.set("ann", READ)
    assert room.eye.heard == [("resized", 4, 3, SCREENS), *AGAIN]
    room.eye.heard.clear()
    room.registry.set("ann", WRITE)
    assert room.eye.heard == []


def test_observed_without_view() -> None:
    room = Room(NOTHING)
    room.seat.observe(room.eye)
    assert room.eye.heard == []
    room.registry.set("ann", READ)
    assert room.eye.heard == [("resized", 4, 3, SCREENS), *AGAIN]


def test_the_latest_state_is_told_when_view_is_regained() -> None:
    room = Room(NOTHING)
    room.look()
    (outlet,) = room.desk.observers
    outlet.leds_changed(4)
    room.desk.size, room.desk.screens = (2, 2), (Screen(9, 0, 0, 2, 2),)
    outlet.resized(2, 2, room.desk.screens)
    room.registry.set("ann", READ)
    assert ("leds_changed", 4) in room.eye.heard
    assert room.eye.heard[0] == ("resized", 2, 2, (Screen(9, 0, 0, 2, 2),))
    assert room.eye.heard[-1] == ("changed", Region([Rect(0, 0, 2, 2)]), ())


def test_a_failing_observer_does_not_keep_the_others_from_being_told() -> None:
    room = Room(NOTHING)
    failing = Eye()
    failing.resized = lambda *args: 1 // 0  # type: ignore
    room.seat.observe(failing)
    room.look()
    room.registry.set("ann", READ)
    assert room.eye.heard[0][0] == "resized"


def test_view_lost_while_being_told() -> None:
    room = Room(NOTHING)
    room.look()
    room.eye.resized = lambda *args: room.registry.set("ann", NOTHING)  # type: ignore
    room.registry.set("ann", READ)
    assert room.eye.heard == []


def test_ending_one_observation() -> None:
    room = Room()
    end, other = room.look(), Eye()
    room.seat.observe(other)
    end()
    end()
    room.happen("bell_rung")
    assert room.eye.heard == [] and other.heard[-1] == ("bell_rung",)
    assert len(room.desk.observers) == 1


def test_leaving_while_being_told() -> None:
    room = Room()
    room.eye.cursor_changed = lambda cursor: room.seat.leave()  # type: ignore
    room.seat.observe(room.eye)
    assert room.desk.observers == [] and room.eye.heard == []


def test_a_seat_that_nobody_looked_from_needs_no_leaving() -> None:
    room = Room()
    seat = room.sit("bob")
    seat.snapshot(RECT)
    seat.grant.release()
    gone = weakref.ref(seat)
    del seat
    gc.collect()
    assert gone() is None


def test_who_left_is_forgotten() -> None:
    room, eye = Room(), Eye()
    room.seat.observe(eye)
    room.seat.leave()
    gone = weakref.ref(eye)
    del eye
    gc.collect()
    assert gone() is None
