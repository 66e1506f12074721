"""How much may leave for one viewer, and when, from the echoes of its fences.

The link is taken for a pipe with a queue before it, as BBR does (Cardwell et al.,
"BBR: Congestion-Based Congestion Control", ACM Queue 14/5, 2016).  What the pipe
delivers in a second is measured where it was busy: an update is served from when
the one before it was through, or from when it could have come at the earliest, to
when its echo could have left.  So a link that is seldom full is known for what it
can do, not for what was asked of it.

An update begins only when those before it have nearly left the queue: the newest
picture wins, and what happens on the screen is seen within the round trip, the
rest of one update, and its own.  A viewer that cannot echo is paced by its own
requests.  Nobody is sent more than his cap allows.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple, Optional

from kasmd.viewer.cap import Cap
from kasmd.viewer.throughput import Throughput

#: Bytes that an update may have before anything is known of the link; another begins
#: only while less than half of that is under way.
INITIAL = 16 * 1024
#: And at the least ever.
FLOOR = 4096
#: Seconds that may be queued when the next update begins, so that the pipe never idles.
AHEAD = 0.01
#: Seconds that one update should take on the link, and bytes that it may have however
#: thin that is.
SLOT = 0.04
SMALLEST = 1024
#: An update that has so many times what it should is ended, where it can be.
_TOO_LONG = 3
#: One so near, in seconds, has no link so thin that a first picture fills it for long,
#: and to him a picture that is encoded while it waits is not old.
NEAR = 0.05
#: Seconds of the queue that nobody wants, which the window allows beyond the round trip.
QUEUE = 0.06
#: The least round trip is that of this span of seconds and the one before.
SPAN = 15.0
#: After so many seconds without a light update, a fence alone is sent to tell the trip,
#: so many seconds after the queue is thought to be empty.
PROBE_AFTER = 5.0
DRAIN = 0.03
LIGHT = 1500
#: Of light updates so many bytes, in so many seconds, leave without asking for an echo.
UNASKED_BYTES = 4096
UNASKED_TIME = 0.5
#: One so near, in seconds, is asked no more often than this: an echo costs as much as
#: a light update, and tells nothing new.
BESIDE, BESIDE_TIME = 0.005, 0.1
#: Shorter times cannot be told from none.
_INSTANT = 1e-5


class _Flight(NamedTuple):
    begun_at: float
    sent_at: float
    size: int
    drained_at: float


class Pacing:
    """Bytes under way, counted from fence to echo; times are seconds, any origin."""

    def __init__(self) -> None:
        self.cap = Cap()
        #: Bytes sent whose echo is outstanding, and how many may be.
        self.under_way, self.window = 0, INITIAL
        #: The least round trip of late, in seconds; 0 before the first echo.
        self.round_trip = 0.0
        #: Bytes a second that may be counted on; 0 while nothing is known.
        self.rate = 0.0
        #: The bytes that one update should have at the most, and those that pictures of a
        #: film should have; None: any number.
        self.budget: Optional[int] = None
        self.film_budget: Optional[int] = None
        #: How much round trips differ from one to the next, in seconds, smoothed
        #: as RFC 3550 section 6.4.1 has it.
        self.jitter = 0.0
        self._flights: deque[_Flight] = deque()
        self._throughput = Throughput()
        self._least = self._least_before = inf
        self._span_begins = -inf
        self._light_at = self._asked_at = -inf
        self._unasked = 0
        self._last_trip = 0.0
        self._echoed_at = -inf
        self._drained_at = -inf

    def limit(self, most: Optional[float]) -> None:
        """Count on ``most`` bytes a second, whatever the link carries; None: on all of that."""
        self.cap.most = most
        self._reckon()

    @property
    def longest(self) -> Optional[int]:
        """The bytes after which an update should end, where it can; None: never."""
        if self.budget is not None:
            return _TOO_LONG * self.budget
        far = self.round_trip >= NEAR if self.round_trip else bool(self._flights)
        return INITIAL if far else None

    def wait(self, now: float) -> float:
        """Give the seconds until another update may begin; infinity: until an echo."""
        window = self.window if self.rate else INITIAL // 2
        if self.under_way >= window or self._overdue(now):
            return inf
        ahead = -DRAIN if self.probe_due(now) else AHEAD
        return max(0.0, self._drained_at - ahead - now, self.cap.wait(now))

    def waiting_since(self, now: float) -> float:
        """Give how long the oldest echo is outstanding, in seconds."""
        return now - self._flights[0].sent_at if self._flights else 0.0

    def probe_due(self, now: float) -> bool:
        """Tell whether a fence alone should go ahead, for the trip is not known well."""
        return now - self._light_at > PROBE_AFTER

    def wants_echo(self, size: int, now: float) -> bool:
        """Tell whether a fence is worth it behind so many bytes: letters typed need none."""
        if 0 < self.round_trip < BESIDE and now - self._asked_at < BESIDE_TIME:
            return False
        return (
            size > LIGHT
            or self._unasked + size > UNASKED_BYTES
            or now - self._asked_at > UNASKED_TIME
        )

    def sent(self, size: int, begun_at: float, now: float, echoing: bool = True) -> None:
        """``size`` bytes left, and if ``echoing`` a fence behind them."""
        self._drained_at = max(begun_at, self._drained_at)
        self._drained_at += size * (self._throughput.seconds_a_byte or 0.0)
        if size <= LIGHT or not echoing:
            self._light_at = now
        if not echoing:
            self._unasked += size
            return
        self._unasked, self._asked_at = 0, now
        self.under_way += size
        self._flights.append(_Flight(begun_at, now, size, self._drained_at))

    def echoed(self, now: float) -> None:
        """The oldest outstanding fence came back; without one, nothing happens."""
        if not self._flights:
            return
        flight = self._flights.popleft()
        self.under_way -= flight.size
        trip = max(now - flight.sent_at, _INSTANT)
        if self._last_trip:
            self.jitter += (abs(trip - self._last_trip) - self.jitter) / 16
        self._last_trip = trip
        self._note_throughput(flight, now)
        self._note_trip(trip, now)
        self._reckon()
        self._correct(now - self.round_trip - flight.drained_at)
        self._echoed_at = now

    def _overdue(self, now: float) -> bool:
        """Tell whether the oldest echo should be here: the link does less than it did."""
        if not self._flights or not self.round_trip:
            return False
        return now - self._flights[0].drained_at - self.round_trip > QUEUE

    def _reckon(self) -> None:
        """Set what follows from what is known of the link, and from the cap."""
        least, most = min(self._least, self._least_before), self.cap.most
        self.round_trip = 0.0 if least == inf else least
        seconds = self._throughput.seconds_a_byte
        carried = 1 / seconds if seconds else 0.0
        self.window = max(FLOOR, int(carried * (least + QUEUE))) if carried else INITIAL
        self.rate = carried if most is None else min(carried or inf, most)
        self.budget = self.film_budget = _in_a_slot(self.rate) if self.rate else None
        if 0 < least < BESIDE:
            # He waits for his decoder, not for a link: only a cap makes his thin.
            self.film_budget = None if most is None else _in_a_slot(most)

    def _correct(self, late: float) -> None:
        """The last update left the queue so much later than was thought."""
        self._drained_at += late
        self._flights = deque(
            flight._replace(drained_at=flight.drained_at + late) for flight in self._flights
        )

    def _note_trip(self, trip: float, now: float) -> None:
        if now - self._span_begins > SPAN:
            self._least_before = self._least if self._span_begins > -inf else inf
            self._least, self._span_begins = inf, now
        self._least = min(self._least, trip)

    def _note_throughput(self, flight: _Flight, now: float) -> None:
        if not self.round_trip or not flight.size:
            return
        begun = max(self._echoed_at, flight.begun_at + self.round_trip)
        seconds = max(now - begun, _INSTANT)
        self._throughput.took(flight.size, seconds)


def _in_a_slot(rate: float) -> int:
    """Give the bytes of one update for who has so many a second."""
    return max(SMALLEST, int(rate * SLOT))
