"""The connections of all processes of one edge, counted together: a limit is one number.

    worker  -> Here    how many connections it has: in all, and of an address
    decider -> Bound   it may have that many of them; what came last beyond that is cut

A worker takes what it is within the limits by itself, and hears in milliseconds where
all together are beyond them.  Until there is room again it then takes no more.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Optional, Protocol, Sequence

from kasmd.edge.messages import Bound, Here
from kasmd.http.crowd import Connection, Crowd
from kasmd.http.server import Limits

#: Stands for every address: the connections in all.
ALL = ""
#: Seconds for which changes are gathered before they are told.
GATHER = 0.01


class Process(Protocol):
    """One of the processes."""

    def bound(self, address: str, most: Optional[int]) -> None:
        """Tell it how many it may have; None: as many as one edge may."""


class Census:
    """What all processes have, within ``limits``; whoever goes beyond them is bound."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        #: By address and process; all of an address are never more than there may be.
        self._here: dict[str, dict[Process, int]] = {}
        self._bound: dict[str, set[Process]] = {}

    def told(self, process: Process, counts: Sequence[tuple[str, int]]) -> None:
        """Take what a process has now."""
        for address, count in counts:
            self._count(process, address, count)

    def gone(self, process: Process) -> None:
        """A process is gone, and all that it had."""
        for address in [address for address, here in self._here.items() if process in here]:
            self._bound.get(address, set()).discard(process)
            self._count(process, address, 0)

    def _count(self, process: Process, address: str, count: int) -> None:
        here = self._here.setdefault(address, {})
        here[process] = count
        over = sum(here.values()) - self._most(address)
        if over > 0:
            here[process] = count - over
            self._bound.setdefault(address, set()).add(process)
            process.bound(address, count - over)
        elif over < 0:
            for each in self._bound.pop(address, ()):
                each.bound(address, None)
        if not here[process]:
            del here[process]
        if not here:
            del self._here[address]

    def _most(self, address: str) -> int:
        limits = self._limits
        return limits.connections if address == ALL else limits.connections_per_address


class SharedCrowd(Crowd):
    """The connections of one of the processes; ``send`` tells `Here`, False: not now."""

    def __init__(self, reactor: Any, send: Callable[[Here], bool], limits: Limits,
                 **options: Any) -> None:
        super().__init__(limits.connections, limits.connections_per_address, **options)
        self._reactor = reactor
        self._send = send
        #: By address, in the order in which they came.
        self._here: dict[str, dict[Connection, None]] = {ALL: {}}
        self._bounds: dict[str, int] = {}
        #: Addresses whose number is another one than was told.
        self._changed: set[str] = set()

    def has_room(self) -> bool:
        """Tell whether one more may come."""
        if not super().has_room():
            return False
        fits = self._fits(ALL, 1)
        if not fits:
            self.full(self._count(ALL))
        return fits

    def arrived(self, address: str, connection: Connection) -> bool:
        """Count a connection; tell whether it may stay."""
        stays = super().arrived(address, connection)
        for key in self._keys(address):
            self._here.setdefault(key, {})[connection] = None
            self._change(key)
        if stays and self.is_limited(address) and not self._fits(address, 0):
            self.too_many(address)
            return False
        return stays

    def left(self, address: str, connection: Connection) -> None:
        """Count a connection that is gone."""
        super().left(address, connection)
        for key in self._keys(address):
            here = self._here[key]
            here.pop(connection, None)
            if not here and key != ALL:
                del self._here[key]
            self._change(key)

    def bound(self, bound: Bound) -> None:
        """Cut what came last and is too much, and take no more; or take them again."""
        address, most = bound
        if most is None:
            self._bounds.pop(address, None)
            return
        self._bounds[address] = most
        last = list(islice(self._here.get(address, ()), most, None))
        for connection in last:
            if address == ALL:
                self.full(most)
            else:
                self.too_many(address, tell=connection is last[0])
            connection.abortConnection()

    def _keys(self, address: str) -> tuple[str, ...]:
        return (ALL, address) if self.is_limited(address) else (ALL,)

    def _count(self, address: str) -> int:
        return len(self._here.get(address, ()))

    def _fits(self, address: str, more: int) -> bool:
        most = self._bounds.get(address)
        return most is None or self._count(address) + more <= most

    def _change(self, address: str) -> None:
        if not self._changed:
            self._reactor.callLater(GATHER, self._tell)
        self._changed.add(address)

    def _tell(self) -> None:
        if self._send(Here([(address, self._count(address)) for address in self._changed])):
            self._changed.clear()
        else:
            self._reactor.callLater(GATHER, self._tell)
