"""How much may be under way to one viewer, from the echoes of its fences.

A link is modelled as BBR does (Cardwell et al., "BBR: Congestion-Based
Congestion Control", ACM Queue 14/5, 2016): the least round trip and the best
delivery rate of late give what the link holds; twice that may be under way.
The least round trip is remembered for good: one measured over our own queue
would make the queue grow.
So on a thin or long link the newest picture wins: there is no queue of old
ones.  A viewer that cannot echo is paced by its own requests.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

#: Bytes that may be under way before anything is known of the link, and at
#: the least ever: small updates, letters typed, must not wait for an echo.
FLOOR = 64 * 1024
#: How long a measured rate counts, in seconds.
MEMORY = 10.0
#: Measurements kept at the most.
MAX_SAMPLES = 64


class _Flight(NamedTuple):
    sent_at: float
    total: int
    delivered: int
    delivered_at: float


class Pacing:
    """Bytes under way, counted from fence to echo; times are seconds, any origin."""

    def __init__(self) -> None:
        self._sent = 0
        self._delivered = 0
        self._delivered_at = 0.0
        self._flights: deque[_Flight] = deque()
        self._rates: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)
        #: The least round trip, in seconds; 0 before the first echo.
        self.round_trip = 0.0
        #: How much round trips differ from one to the next, in seconds, smoothed
        #: as RFC 3550 section 6.4.1 has it.
        self.jitter = 0.0
        self._last_trip = 0.0

    @property
    def under_way(self) -> int:
        """Bytes sent whose echo is outstanding."""
        return self._sent - self._delivered if self._flights else 0

    @property
    def rate(self) -> float:
        """The best delivery rate of late, in bytes a second."""
        return max((rate for _, rate in self._rates), default=0.0)

    @property
    def window(self) -> int:
        """Bytes that may be under way."""
        return max(FLOOR, int(2 * self.rate * self.round_trip))

    def may_send(self) -> bool:
        """Tell whether another update may leave."""
        return self.under_way < self.window

    def waiting_since(self, now: float) -> float:
        """Give how long the oldest echo is outstanding, in seconds."""
        return now - self._flights[0].sent_at if self._flights else 0.0

    def sent(self, count: int, now: float) -> None:
        """``count`` bytes and a fence behind them left."""
        if not self._flights:
            self._delivered, self._delivered_at = self._sent, now
        self._sent += count
        self._flights.append(_Flight(now, self._sent, self._delivered, self._delivered_at))

    def echoed(self, now: float) -> None:
        """The oldest outstanding fence came back; without one, nothing happens."""
        if not self._flights:
            return
        flight = self._flights.popleft()
        self._delivered, self._delivered_at = flight.total, now
        trip = max(now - flight.sent_at, 1e-6)
        if self._last_trip:
            self.jitter += (abs(trip - self._last_trip) - self.jitter) / 16
        self._last_trip = trip
        self.round_trip = min(self.round_trip or trip, trip)
        elapsed = max(now - flight.delivered_at, trip)
        self._rates.append((now, (flight.total - flight.delivered) / elapsed))
        while self._rates[0][0] < now - MEMORY:
            self._rates.popleft()
