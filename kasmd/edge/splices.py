"""All websockets of one edge: what they have in common, and who looks after their silence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

if TYPE_CHECKING:
    from kasmd.edge.splice import Splice

#: Each splice is visited once a beat, a slot of them at a time.
SLOTS = 50
#: Seconds between the slots when all are closed.
_PACE = 0.01


class Timing(NamedTuple):
    """Seconds."""

    #: Between two visits of a splice.
    beat: float = 5.0
    #: Of silence after which an end is pinged at the latest.
    ping: float = 25.0
    #: After a ping until a silent end counts as dead.
    dead: float = 15.0
    #: For the answer to a close frame.
    close: float = 5.0
    #: For all of a close that the edge wants, the frames under way among it.
    cut: float = 0.8


class Splices:
    """All websockets of one edge; one clock looks after their silence."""

    def __init__(self, clock: IReactorTime, timing: Timing = Timing()) -> None:
        self.clock = clock
        self.timing = timing
        #: The payload of our pings.
        self.token = os.urandom(8)
        # A visit finds what was heard since the one before, so silence began up to a beat earlier.
        self.ping_after = max(1, int(timing.ping / timing.beat) - 1)
        self.dead_after = self.ping_after + max(1, int(timing.dead / timing.beat))
        self._slots: list[set[Splice]] = [set() for _ in range(SLOTS)]
        self._count = 0
        #: Bytes that the clients and the upstreams sent of those that are over.
        self._received = self._sent = 0
        #: How many an end of which did not answer, and how many whose leave ended.
        self.dead = self.revoked = 0
        self._next = 0
        self._hand = 0
        self._turns = LoopingCall.withCount(self._turn)
        self._turns.clock = clock

    def __len__(self) -> int:
        return self._count

    def relayed(self) -> tuple[int, int]:
        """Give how many bytes the clients and the upstreams sent since the start."""
        received, sent = self._received, self._sent
        for splice in (splice for slot in self._slots for splice in slot):
            received += splice.client.received
            sent += splice.upstream.received
        return received, sent

    def close_all(self, code: int, reason: str) -> None:
        """Close them all, a slot at a time."""
        for number, slot in enumerate(self._slots):
            self.clock.callLater(number * _PACE, self._close, slot, code, reason)

    def add(self, splice: Splice) -> int:
        """Look after a splice; give its slot."""
        if not self._turns.running:
            self._turns.start(self.timing.beat / SLOTS, now=False)
        self._next = (self._next + 1) % SLOTS
        self._slots[self._next].add(splice)
        self._count += 1
        return self._next

    def discard(self, splice: Splice) -> None:
        """A splice is over."""
        self._slots[splice.slot].discard(splice)
        self._count -= 1
        self._received += splice.client.received
        self._sent += splice.upstream.received
        if not self._count:
            self._turns.stop()

    def _turn(self, slots: int) -> None:
        for _ in range(min(slots, SLOTS)):
            self._hand = (self._hand + 1) % SLOTS
            for splice in tuple(self._slots[self._hand]):
                splice.visit()

    @staticmethod
    def _close(slot: set[Splice], code: int, reason: str) -> None:
        for splice in tuple(slot):
            splice.close(code, reason)
