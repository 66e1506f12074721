"""What serving one viewer takes, in the units of KasmVNC's bottleneck statistics.

A score is 10 where nothing holds the picture back and 0 where everything does.
The processor's tells how many updates took as long to encode as a frame lasts
(or four fifths of it, which counts a fifth); the network's, how many frames went
by while something was owed that the link did not take.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, Optional

from twisted.internet.defer import Deferred

#: Seconds that count as recent.
RECENT = 10
#: A frame's share from which an update is nearly too slow, and what it counts then.
CLOSE = 0.8
CLOSE_COUNTS = 0.2
#: KasmVNC's ping before the first echo.
UNKNOWN_PING = 0xFFFFFFFF
#: Deferreds that wait for one client's own figures at one time.
MAX_ASKING = 64


class Scores(NamedTuple):
    """Each from 0 to 10, rounded to tenths."""

    cpu_recent: float
    cpu: float
    network_recent: float
    network: float


class Figures(NamedTuple):
    """What a client says of itself (message 179), and its round trip in milliseconds."""

    frames: int
    render: int
    ping: int


class Network(NamedTuple):
    """The link, as message 190 has it: milliseconds, milliseconds, bytes a second."""

    jitter: int
    ping: int
    bandwidth: int


@dataclass(slots=True)
class _Tally:
    """Counts of one second, or of many."""

    second: int = 0
    frames: float = 0
    slow: float = 0
    held: float = 0

    def add(self, frames: float, slow: float, held: float) -> None:
        self.frames += frames
        self.slow += slow
        self.held += held


class Measures:
    """Told by the painter what happens; times are seconds of one clock.

    ``frame`` is how long a frame lasts, and may be changed.
    """

    def __init__(self, frame: float) -> None:
        self.frame = frame
        self._total = _Tally()
        self._recent: deque[_Tally] = deque()
        self._encoding = 0.0
        self._held_since: Optional[float] = None
        #: The least round trip in seconds, the bytes a second that the link carries, and
        #: the seconds by which round trips differ.
        self.round_trip = 0.0
        self.rate = 0.0
        self.jitter = 0.0
        self._asking: list[Deferred[Figures]] = []

    def encoded(self, seconds: float) -> None:
        """A part of an update was encoded."""
        self._encoding += seconds

    def updated(self, now: float) -> None:
        """An update is complete."""
        frames, self._encoding = self._encoding / self.frame, 0.0
        if frames >= 1:
            # What took several frames kept as many from being made.
            self._count(now, int(frames), int(frames))
        else:
            self._count(now, 1, CLOSE_COUNTS if frames >= CLOSE else 0)

    def linked(self, round_trip: float, rate: float, jitter: float) -> None:
        """An echo came: the least round trip in seconds, bytes a second, and the jitter."""
        self.round_trip, self.rate, self.jitter = round_trip, rate, jitter

    def network(self) -> Network:
        """Give what is known of the link."""
        ping = round(self.round_trip * 1000) if self.round_trip else UNKNOWN_PING
        return Network(round(self.jitter * 1000), ping, round(self.rate))

    def link(self, held: bool, now: float) -> None:
        """The link does, or does not, take what is owed."""
        if held and self._held_since is None:
            self._held_since = now
        elif not held and self._held_since is not None:
            self._count(now, held=self._frames_held(now))
            self._held_since = None

    def scores(self, now: float) -> Scores:
        """Give the scores as they are now."""
        self._forget(now)
        waiting = self._frames_held(now)
        recent, total = _Tally(held=waiting), _Tally(held=waiting)
        for tally in self._recent:
            recent.add(tally.frames, tally.slow, tally.held)
        total.add(self._total.frames, self._total.slow, self._total.held)
        (cpu_recent, network_recent), (cpu, network) = _scores(recent), _scores(total)
        return Scores(cpu_recent, cpu, network_recent, network)

    def asked(self) -> Optional[Deferred[Figures]]:
        """Give what fires with the client's figures; None where too many wait for them."""
        if len(self._asking) >= MAX_ASKING:
            return None
        answer: Deferred[Figures] = Deferred(self._asking.remove)
        self._asking.append(answer)
        return answer

    def answered(self, frames: int, render: int) -> None:
        """The client told its figures."""
        asking, self._asking = self._asking, []
        for answer in asking:
            answer.callback(Figures(frames, render, round(self.round_trip * 1000)))

    def _frames_held(self, now: float) -> int:
        return 0 if self._held_since is None else int((now - self._held_since) / self.frame)

    def _count(self, now: float, frames: float = 0, slow: float = 0, held: float = 0) -> None:
        second = int(now)
        if not self._recent or self._recent[-1].second != second:
            self._recent.append(_Tally(second))
            self._forget(second)
        self._recent[-1].add(frames, slow, held)
        self._total.add(frames, slow, held)

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0].second <= now - RECENT:
            self._recent.popleft()


def _scores(tally: _Tally) -> tuple[float, float]:
    """Give the processor's and the network's."""
    if not tally.frames:
        return 10.0, 0.0 if tally.held else 10.0
    return _score(tally.slow / tally.frames), _score(tally.held / tally.frames)


def _score(share: float) -> float:
    return round(10 - 10 * min(share, 1.0), 1)
