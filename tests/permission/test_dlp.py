"""The rules as values: regions, buttons, keys, the clipboard."""

from __future__ import annotations

from itertools import product
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.permission.dlp import Edge, Input, Output, Pause, Rules, VisibleRegion, Way
from kasmd.permission.dlp_log import Level, Witness
from kasmd.screen.geometry import Rect

TEXT, HTML = "text/plain", "text/html"
LEFT, RIGHT, WHEEL_UP = 1, 4, 8


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def pixels(*amounts: int) -> VisibleRegion:
    return VisibleRegion(*(Edge(amount) for amount in amounts))


def percent(*amounts: int) -> VisibleRegion:
    return VisibleRegion(*(Edge(amount, True) for amount in amounts))


@pytest.mark.parametrize("region, rect", [
    (pixels(0, 0, 0, 0), Rect(0, 0, 200, 100)),
    (pixels(10, 20, 110, 70), Rect(10, 20, 100, 50)),
    (pixels(10, 20, -30, -40), Rect(10, 20, 160, 40)),
    (pixels(-10, -20, 0, -1), Rect(10, 20, 190, 79)),
    (pixels(0, 0, 999, 999), Rect(0, 0, 200, 100)),
    (pixels(150, 0, 100, 0), Rect(150, 0, 0, 100)),
    (pixels(900, 900, -900, 0), Rect(200, 100, 0, 0)),
    (percent(0, 0, 0, 0), Rect(0, 0, 200, 100)),
    (percent(10, 20, 30, 40), Rect(20, 20, 120, 40)),
    (percent(-10, 0, -10, 0), Rect(20, 0, 160, 100)),
    (percent(60, 0, 60, 0), Rect(120, 0, 0, 100)),
])
def test_visible_regions(region: VisibleRegion, rect: Rect) -> None:
    assert region.on(200, 100) == rect


@given(*[st.integers(-300, 300)] * 4, st.booleans())
def test_a_visible_region_lies_within_the_screen(
    left: int, top: int, right: int, bottom: int, hundredths: bool
) -> None:
    region = VisibleRegion(*(Edge(each, hundredths) for each in (left, top, right, bottom)))
    assert Rect(0, 0, 200, 100).contains(region.on(200, 100))


def sit(rules: Rules, now: Optional[Now] = None) -> Input:
    now = now or Now()
    return Input(rules, Witness(rules.log_level, "ann", now), now)


def pressed(rules: Rules, steps: list[tuple[int, bool]]) -> list[int]:
    """What the display is told of (buttons, whether the pointer is in the visible part)."""
    person, held, told = sit(rules), 0, []
    for buttons, visible in steps:
        held = person.buttons(buttons, held, visible)
        told.append(held)
    return told


@pytest.mark.parametrize("rules, steps, told", [
    (Rules(), [(LEFT, True), (0, True)], [LEFT, 0]),
    (Rules(), [(LEFT, False), (0, False)], [0, 0]),
    # Dragged in, it is not heard there either; pressed anew it is.
    (Rules(), [(LEFT, False), (LEFT, True), (0, True), (LEFT, True)], [0, 0, 0, LEFT]),
    # Let go out there it stays held, until the pointer is back.
    (Rules(), [(LEFT, True), (LEFT, False), (0, False), (0, True)], [LEFT, LEFT, LEFT, 0]),
    (Rules(), [(LEFT, True), (0, False), (LEFT, False), (LEFT, True)], [LEFT] * 4),
    (Rules(), [(LEFT, True), (LEFT | RIGHT, False), (RIGHT, True)], [LEFT, LEFT, 0]),
    # The wheel is no click.
    (Rules(), [(WHEEL_UP, False), (0, False)], [WHEEL_UP, 0]),
    (Rules(click_down=True), [(LEFT, False), (0, False), (0, True)], [LEFT, LEFT, 0]),
    (Rules(click_release=True), [(LEFT, True), (0, False)], [LEFT, 0]),
    (Rules(click_release=True), [(LEFT, False), (0, False)], [0, 0]),
    (Rules(click_down=True, click_release=True), [(LEFT, False), (0, False)], [LEFT, 0]),
])
def test_clicks_in_the_concealed_part(
    rules: Rules, steps: list[tuple[int, bool]], told: list[int]
) -> None:
    assert pressed(rules, steps) == told


@given(st.lists(st.tuples(st.integers(0, 255), st.booleans()), max_size=20))
def test_in_the_visible_part_everything_is_let_go(steps: list[tuple[int, bool]]) -> None:
    for down, release in product((False, True), repeat=2):
        told = pressed(Rules(click_down=down, click_release=release), [*steps, (0, True)])
        assert told[-1] == 0


def test_keys_that_come_too_soon_are_not_heard() -> None:
    now = Now()
    person = sit(Rules(keys_per_second=10), now)
    told = []
    for after, down in [(0, True), (0.01, False), (0.09, True), (0.02, True), (0.11, True)]:
        now.seconds += after
        told.append(person.key(0x61, down))
    assert told == [True, True, False, True, True]


def test_a_release_counts_as_the_last_key() -> None:
    now = Now()
    person = sit(Rules(keys_per_second=10), now)
    person.key(0x61, True)
    now.seconds += 0.09
    person.key(0x61, False)
    now.seconds += 0.09
    assert person.key(0x62, True) is False


def test_no_keys() -> None:
    person = sit(Rules(keyboard=False))
    assert not person.key(0x61, True) and not person.key(0x61, False)


CONTENT = {TEXT: b"12345", HTML: b"<b>12345</b>"}


@pytest.mark.parametrize("way, kinds, passed", [
    (Way(), None, CONTENT),
    (Way(size=12), None, CONTENT),
    (Way(size=11), None, {TEXT: b"12345"}),
    (Way(size=4), None, None),
    (Way(), frozenset({HTML}), CONTENT),
    (Way(), frozenset({"image/png"}), {TEXT: b"12345"}),
    (Way(enabled=False), None, None),
])
def test_the_clipboard_both_ways(way: Way, kinds: Any, passed: Any) -> None:
    back = sit(Rules(client_to_server=way, kinds=kinds))
    assert back.pasted(CONTENT) == passed
    out = Output(
        Rules(server_to_client=way, kinds=kinds), Witness(Level.OFF, "ann", Now()), Pause(0, Now())
    )
    assert out.copied(CONTENT) == passed
    assert out.copied({}) == back.pasted({}) == ({} if way.enabled else None)


def test_one_way_is_not_the_other() -> None:
    rules = Rules(client_to_server=Way(enabled=False))
    assert sit(rules).pasted(CONTENT) is None
    out = Output(rules, Witness(Level.OFF, "ann", Now()), Pause(0, Now()))
    assert out.copied(CONTENT) == CONTENT


def test_the_pause_between_copies() -> None:
    now = Now()
    out = Output(Rules(), Witness(Level.OFF, "ann", now), Pause(2.0, now))
    heard = []
    for after in (1.9, 0.1, 1.9, 0.0, 0.1):
        now.seconds += after
        heard.append(out.copied(CONTENT) is not None)
    assert heard == [False, True, False, False, True]
    assert out.copied({}) == {}
