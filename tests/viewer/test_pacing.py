"""Pacing: a link is filled, no queue is built in it, and its changes are noticed."""

from __future__ import annotations

import random
from math import inf
from typing import Callable, NamedTuple, Optional

import pytest
from twisted.internet.task import Clock

from kasmd.viewer.pacing import BESIDE, FLOOR, INITIAL, PROBE_AFTER, SMALLEST, SPAN, Pacing
from tests.viewer.link import STEP, Link, percentile

#: A frame where nothing is in the way, the smallest it can be made, and frames a second.
FRAME, LEAST, RATE = 65_000, 15_000, 30


class Arrived(NamedTuple):
    """One update at the viewer: when, how old what it shows is then, and its bytes."""

    at: float
    age: float
    size: int


class Film:
    """A film over a simulated link, and what came of it from second ``settled`` on."""

    def __init__(self, rate: float, trip: float, seconds: float = 20.0,
                 change: Optional[Callable[[float, Link, Link], None]] = None,
                 most: Optional[float] = None, least: int = LEAST,
                 decoding: Callable[[], float] = lambda: 0.0,
                 varying: Callable[[], float] = lambda: 1.0) -> None:
        self.clock, self.pacing = Clock(), Pacing()
        self.pacing.limit(most)
        self.least, self.decoding, self.decoded_at = least, decoding, 0.0
        self.varying = varying
        self.there, self.back = Link(self.clock, rate, trip / 2), Link(self.clock, 1e9, trip / 2)
        self.arrived: list[Arrived] = []
        drawn, next_frame = inf, 0.0
        while self.clock.seconds() < seconds:
            now = self.clock.seconds()
            if change is not None:
                change(now, self.there, self.back)
            if now >= next_frame:
                next_frame += 1 / RATE
                drawn = min(drawn, now)
            if drawn < inf and self.pacing.wait(now) <= 0:
                self._send(drawn, now)
                drawn = inf
            self.clock.advance(STEP)
            self.there.carry()
            self.back.carry()

    def _send(self, drawn: float, now: float) -> None:
        if self.pacing.probe_due(now):
            self.pacing.sent(0, now, now)
            self.there.enter(12, self._answer)
        budget = self.pacing.budget
        size = FRAME if budget is None else min(FRAME, int(budget * self.varying()))
        size = max(self.least, size)

        def arrive() -> None:
            at = self.clock.seconds()
            self.arrived.append(Arrived(at, at - drawn, size))
            self._echo()

        self.pacing.sent(size, now, now)
        self.pacing.cap.sent(size, now)
        self.there.enter(size, arrive)

    def _echo(self) -> None:
        now = self.clock.seconds()
        self.decoded_at = max(self.decoded_at, now + self.decoding())
        self.clock.callLater(self.decoded_at - now, self._answer)

    def _answer(self) -> None:
        self.back.enter(12, lambda: self.pacing.echoed(self.clock.seconds()))

    def age(self, first: float, last: float = inf) -> float:
        """Give how old pictures are on arrival between these times, at the 95th percentile."""
        ages = [update.age for update in self.arrived if first <= update.at < last]
        return percentile(ages, 0.95)

    def carried(self, first: float, last: float) -> float:
        """Give the bytes a second between these times."""
        sizes = [update.size for update in self.arrived if first <= update.at < last]
        return sum(sizes) / (last - first)


def test_a_thin_link_is_filled_and_has_no_queue() -> None:
    film = Film(rate=250_000, trip=0.1)
    assert film.carried(3, 20) > 0.93 * 250_000
    # Half a trip, the rest of one update, and its own 60 ms.
    assert film.age(3) < 0.05 + 2 * LEAST / 250_000 + 0.03


def test_a_fast_link_has_every_frame_whole() -> None:
    for trip in (0.0005, 0.2):
        film = Film(rate=12_500_000, trip=trip)
        assert film.carried(3, 20) > 0.97 * RATE * FRAME
        assert film.age(3) < trip / 2 + 0.02


def test_a_very_thin_link_is_not_filled_for_seconds() -> None:
    film = Film(rate=30_000, trip=0.1, seconds=30)
    assert film.age(10) < 0.05 + 2 * LEAST / 30_000 + 0.12


def test_a_link_that_becomes_thin_is_known_for_that() -> None:
    def change(now: float, there: Link, back: Link) -> None:
        there.rate = 2_500_000 if now < 10 or now > 20 else 250_000

    film = Film(2_500_000, 0.1, 30, change)
    assert film.age(5, 10) < 0.12
    assert film.age(12.5, 20) < 0.24
    assert film.carried(23, 30) > 0.9 * RATE * FRAME


@pytest.mark.parametrize("rate", [250_000, 12_500_000])
@pytest.mark.parametrize("least", [200, 1_500, 4_000])
def test_a_link_that_was_thin_for_a_moment_is_known_again(rate: int, least: int) -> None:
    """What is sent over a link that is thought thin is too small to tell by itself."""
    def change(now: float, there: Link, back: Link) -> None:
        there.rate = rate / 30 if 10 < now < 13 else rate

    film = Film(rate, 0.1, 26, change, least=least)
    assert film.carried(22, 26) > 0.8 * min(rate, RATE * FRAME)
    assert film.age(22) < 0.2


@pytest.mark.parametrize("trip", [0.02, 0.1])
def test_a_viewer_who_is_now_slow_and_now_quick_has_no_thin_link(trip: float) -> None:
    chance = random.Random(1)
    film = Film(250_000, trip, 30, least=1_500, decoding=lambda: chance.uniform(0, 0.1))
    assert film.carried(10, 30) > 0.65 * 250_000
    assert film.age(10) < trip / 2 + 0.3


@pytest.mark.parametrize("rate", [250_000, 2_500_000])
def test_what_a_viewer_takes_for_himself_is_no_fault_of_the_link(rate: int) -> None:
    """He needs 80 ms for each picture, however small."""
    chance = random.Random(1)
    film = Film(rate, 0.02, 30, least=1_000, decoding=lambda: 0.08,
                varying=lambda: chance.uniform(0.7, 1.2))
    assert film.carried(15, 30) > 0.5 * min(rate, RATE * FRAME)


@pytest.mark.parametrize("before, after", [(0.05, 0.2), (0.2, 0.05)])
def test_another_route_is_known_after_a_while(before: float, after: float) -> None:
    def change(now: float, there: Link, back: Link) -> None:
        there.delay = back.delay = (before if now < 10 else after) / 2

    film = Film(250_000, before, 10 + 3 * SPAN, change)
    end = 10 + 3 * SPAN
    assert after <= film.pacing.round_trip < after + 0.02
    assert film.age(end - 10) < after / 2 + 0.16
    assert film.carried(end - 10, end) > 0.9 * 250_000


def test_others_on_the_link_are_no_reason_to_send_more() -> None:
    """A download of somebody else's keeps 300 ms of queue before ours."""
    def change(now: float, there: Link, back: Link) -> None:
        if now > 5 and there.waits < 0.3:
            there.enter(7_500, lambda: None)

    film = Film(250_000, 0.1, 40, change)
    assert film.pacing.under_way <= 250_000 * 0.5
    assert film.age(35) < 1.0


def test_jitter_is_how_much_round_trips_differ() -> None:
    pacing = Pacing()
    for number in range(200):
        pacing.sent(1000, number, number)
        pacing.echoed(number + 0.1)
    assert pacing.jitter < 1e-9
    for number in range(200, 400):
        pacing.sent(1000, number, number)
        pacing.echoed(number + (0.1 if number % 2 else 0.14))
    assert 0.039 < pacing.jitter <= 0.0401


def test_nothing_under_way_at_first_and_after_every_echo() -> None:
    pacing = Pacing()
    assert pacing.wait(1.0) == 0 and pacing.under_way == 0
    pacing.sent(1000, 1.0, 1.0)
    assert pacing.under_way == 1000 and pacing.waiting_since(3.0) == 2.0
    pacing.echoed(1.5)
    assert pacing.under_way == 0 and pacing.waiting_since(3.0) == 0.0
    assert pacing.round_trip == 0.5


def test_an_echo_that_was_not_asked_for_changes_nothing() -> None:
    pacing = Pacing()
    pacing.echoed(1.0)
    assert pacing.rate == 0.0 and pacing.window == INITIAL and pacing.budget is None


def test_small_updates_tell_nothing_of_the_rate() -> None:
    pacing = Pacing()
    for number in range(100):
        pacing.sent(300, number, number)
        pacing.echoed(number + 0.1 + number % 3 * 0.01)
    assert pacing.rate == 0.0


def test_what_is_not_known_is_filled_but_once() -> None:
    pacing = Pacing()
    pacing.sent(INITIAL // 2 - 1, 0.0, 0.0)
    assert pacing.wait(0.0) < inf
    pacing.sent(1, 0.0, 0.0)
    assert pacing.wait(0.0) == inf, "over 56 kbit/s what is under way takes more than a second"


def test_an_echo_that_is_overdue_stops_all() -> None:
    pacing = Pacing()
    for number in range(10):
        pacing.sent(0, number, number)
        pacing.echoed(number + 0.01)
        pacing.sent(20_000, number + 0.1, number + 0.1)
        pacing.echoed(number + 0.12)
    pacing.sent(20_000, 10.0, 10.0)
    assert pacing.wait(10.05) == 0
    assert pacing.wait(10.2) == inf


def test_an_echo_that_is_overdue_stops_all_before_the_rate_is_known() -> None:
    pacing = Pacing()
    pacing.sent(0, 0.0, 0.0)
    pacing.sent(8_000, 0.0, 0.0)
    pacing.echoed(0.1)
    assert pacing.wait(0.12) == 0
    assert pacing.wait(0.2) == inf
    pacing.echoed(1.5)
    assert pacing.wait(1.5) == 0


def test_an_update_is_as_long_as_the_link_bears() -> None:
    pacing = Pacing()
    assert pacing.longest is None, "one who does not echo is paced by what he asks for"
    pacing.sent(0, 0.0, 0.0)
    assert pacing.longest == INITIAL
    pacing.echoed(0.002)
    assert pacing.longest is None, "he is near"
    pacing = Pacing()
    for number in range(20):
        pacing.sent(0, number, number)
        pacing.echoed(number + 0.1)
        assert number or pacing.longest == INITIAL
        pacing.sent(20_000, number + 0.2, number + 0.2)
        pacing.echoed(number + 0.38)
    assert pacing.longest is not None and pacing.budget is not None
    assert 8_000 < pacing.budget < 12_000 and pacing.longest == 3 * pacing.budget
    pacing.limit(100)
    assert pacing.budget == SMALLEST


def test_a_slow_decoder_beside_us_is_no_thin_link() -> None:
    for trip, near in ((BESIDE / 2, True), (2 * BESIDE, False)):
        pacing = Pacing()
        pacing.sent(0, 0.0, 0.0)
        pacing.echoed(trip)
        for number in range(1, 9):
            pacing.sent(20_000, number, number)
            pacing.echoed(number + 0.2)
        assert pacing.budget is not None and pacing.budget < 8_000
        assert pacing.film_budget == (None if near else pacing.budget)
        pacing.limit(50_000)
        assert pacing.film_budget == pacing.budget == 2_000


def test_the_trip_is_asked_for_where_it_is_not_known() -> None:
    pacing = Pacing()
    assert pacing.probe_due(0.0)
    pacing.sent(0, 0.0, 0.0)
    assert not pacing.probe_due(0.0)
    assert pacing.probe_due(PROBE_AFTER + 0.1)


def test_a_cap_holds_whatever_the_link_does() -> None:
    for echoing in (True, False):
        pacing, now, sent = Pacing(), 0.0, 0
        pacing.limit(100_000)
        while now < 10:
            wait = pacing.wait(now)
            assert wait < inf
            now += wait
            if echoing and pacing.probe_due(now):
                pacing.sent(0, now, now)
                pacing.echoed(now)
            pacing.sent(5_000, now, now, echoing)
            pacing.cap.sent(5_000, now)
            sent += 5_000
            pacing.echoed(now)
        assert 900_000 < sent <= 1_010_000
        assert pacing.window >= FLOOR


def test_a_cap_above_what_the_link_carries_changes_nothing() -> None:
    free, capped = Film(250_000, 0.1), Film(250_000, 0.1, most=2_500_000)
    assert capped.carried(3, 20) > 0.97 * free.carried(3, 20)
    assert capped.age(3) < free.age(3) + 0.01


def test_a_cap_below_what_the_link_carries_is_the_rate() -> None:
    film = Film(12_500_000, 0.1, most=450_000)
    assert 0.95 * 450_000 < film.carried(3, 20) < 1.02 * 450_000
    assert film.pacing.rate == 450_000 and film.age(3) < 0.05 + 0.1


def test_letters_typed_ask_for_few_echoes_and_are_bounded() -> None:
    pacing, asked, letters = Pacing(), 0, 0
    for number in range(150):
        echoing = pacing.wants_echo(300, number / 15)
        pacing.sent(300, number / 15, number / 15, echoing)
        asked += echoing
    assert 15 <= asked <= 25
    while not pacing.wants_echo(1000, 10.0):
        pacing.sent(1000, 10.0, 10.0, echoing=False)
        letters += 1
    assert letters <= 4
    assert pacing.wants_echo(10_000, 10.0)
