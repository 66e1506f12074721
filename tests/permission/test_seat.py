"""Gate one: every member and every event, under every right."""

from __future__ import annotations

import gc
import weakref
from typing import Any, Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs, formatEvent
from zope.interface import implementer
from zope.interface.verify import verifyObject

from kasmd.display.memory import MemoryDisplay
from kasmd.errors import PermissionDenied
from kasmd.interfaces import ClipboardContent, IDisplay, IDisplayObserver, ISeat, Principal
from kasmd.permission.dlp import Edge, Rules, VisibleRegion, Way
from kasmd.permission.prevention import Prevention
from kasmd.permission.registry import MemoryRegistry
from kasmd.permission.seat import HELD_LIMIT, NEEDS, PROHIBITED, Hold, Seat
from kasmd.permission.watermark import Watermark
from kasmd.rights import NOTHING, OWNER, READ, WRITE, Right
from kasmd.screen.cursor import INVISIBLE
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.region import Region

RECT = Rect(0, 0, 4, 3)
SCREENS = (Screen(7, 0, 0, 4, 3),)
REGION = Region([Rect(1, 1, 1, 1)])
TEXT = {"text/plain": b"secret"}


@implementer(IDisplay)
class Desk:
    """A display that writes down what it is told, and keeps its observers."""

    name = "desk"

    def __init__(self) -> None:
        self.size = (4, 3)
        self.screens = SCREENS
        self.told: list[tuple[Any, ...]] = []
        self.observers: list[Any] = []

    def observe(self, observer: Any) -> Callable[[], None]:
        self.observers.append(observer)
        observer.cursor_changed(INVISIBLE)
        observer.leds_changed(2)
        return lambda: observer in self.observers and self.observers.remove(observer)

    def snapshot(self, rect: Rect) -> Snapshot:
        self.told.append(("snapshot", rect))
        return Snapshot(Identity(1, 1), rect, np.zeros((rect.height, rect.width, 4), np.uint8))

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        self.told.append(("key", keysym, keycode, down))

    def pointer(self, x: int, y: int, buttons: int) -> None:
        self.told.append(("pointer", x, y, buttons))

    def offer_clipboard(self, content: ClipboardContent) -> None:
        self.told.append(("offer_clipboard", content))

    def resize(self, width: int, height: int, screens: Sequence[Screen]) -> Deferred[int]:
        self.told.append(("resize", width, height, screens))
        return succeed(0)

    def screenshot(self) -> Deferred[Snapshot]:
        return succeed(self.snapshot(RECT))

    def copied(self) -> Any:
        self.told.append(("copied",))
        return TEXT

    def clear_clipboard(self) -> None:
        self.told.append(("clear_clipboard",))


@implementer(IDisplayObserver)
class Eye:
    """An observer that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def changed(self, region: Region, moves: Any) -> None:
        self.heard.append(("changed", region, moves))

    def resized(self, width: int, height: int, screens: Any) -> None:
        self.heard.append(("resized", width, height, tuple(screens)))

    def cursor_changed(self, cursor: Any) -> None:
        self.heard.append(("cursor_changed", cursor))

    def leds_changed(self, leds: int) -> None:
        self.heard.append(("leds_changed", leds))

    def clipboard_offered(self, content: Any) -> None:
        self.heard.append(("clipboard_offered", content))

    def bell_rung(self) -> None:
        self.heard.append(("bell_rung",))

    def renamed(self, name: str) -> None:
        self.heard.append(("renamed", name))

    def display_lost(self, reason: str) -> None:
        self.heard.append(("display_lost", reason))


INWARD: dict[str, tuple[Any, ...]] = {
    "snapshot": (RECT,),
    "key": (0x61, 30, True),
    "pointer": (1, 2, 1),
    "offer_clipboard": (TEXT,),
    "copied": (),
    "resize": (8, 6, SCREENS),
}
#: What the owner does by the API; a screenshot ends in the display's own snapshot.
OWNERS: dict[str, tuple[Any, ...]] = {"screenshot": (), "clear_clipboard": ()}
OUTWARD: dict[str, tuple[Any, ...]] = {
    "changed": (REGION, ()),
    "resized": (4, 3, SCREENS),
    "cursor_changed": (INVISIBLE,),
    "leds_changed": (1,),
    "bell_rung": (),
    "clipboard_offered": (TEXT,),
    "renamed": ("den",),
    "display_lost": ("it died",),
}
FULL = Region([RECT])
AGAIN = [("cursor_changed", INVISIBLE), ("leds_changed", 2), ("changed", FULL, ())]


class Room:
    """A desk, and seats at it."""

    def __init__(self, rights: Right = WRITE, rules: Rules = Rules()) -> None:
        self.desk = Desk()
        self.prevention = Prevention(rules)
        self.registry = MemoryRegistry({"ann": rights, "bob": WRITE})
        self.hold = Hold()
        self.seat = self.sit("ann")
        self.eye = Eye()

    def sit(self, name: str) -> Seat:
        return Seat(self.desk, self.registry.admit(Principal(name), "desktop"), self.hold,
                    self.prevention)

    def look(self) -> Callable[[], None]:
        end = self.seat.observe(self.eye)
        self.eye.heard.clear()
        return end

    def happen(self, event: str) -> None:
        for observer in list(self.desk.observers):
            getattr(observer, event)(*OUTWARD[event])


def call(seat: Seat, member: str) -> object:
    try:
        return getattr(seat, member)(*INWARD[member])
    except PermissionDenied:
        return None


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
