"""The connections of a face: how many there may be, and how many each address has."""

from __future__ import annotations

from typing import Callable, Optional, Protocol

from twisted.logger import Logger

from kasmd.http.counts import Counts

_log = Logger(namespace="kasmd.http")


class Connection(Protocol):
    """A connection that can be cut; the same one arrives and leaves."""

    def abortConnection(self) -> None:
        """Cut it."""


class Crowd:
    """At most ``most`` connections (None: any number).

    Of one client address ``per_address`` (0: any number), unless ``exempt`` says that
    it is a proxy's, behind which many clients are.
    """

    def __init__(
        self,
        most: Optional[int] = None,
        per_address: int = 0,
        counts: Optional[Counts] = None,
        exempt: Callable[[str], bool] = lambda address: False,
    ) -> None:
        self.counts = Counts() if counts is None else counts
        self._most = most
        self._per_address = per_address
        self._exempt = exempt
        self._by_address: dict[str, int] = {}

    def has_room(self) -> bool:
        """Tell whether one more may come."""
        count = self.counts.connections
        if self._most is None or count < self._most:
            return True
        self.full(count)
        return False

    def arrived(self, address: str, connection: Connection) -> bool:
        """Count a connection; tell whether it may stay.  An empty address is nobody's."""
        self.counts.connections += 1
        if not self.is_limited(address):
            return True
        count = self._by_address[address] = self._by_address.get(address, 0) + 1
        if count <= self._per_address:
            return True
        self.too_many(address, tell=count == self._per_address + 1)
        return False

    def left(self, address: str, connection: Connection) -> None:
        """Count a connection that is gone."""
        self.counts.connections -= 1
        count = self._by_address.pop(address, 0) - 1
        if count > 0:
            self._by_address[address] = count

    def is_limited(self, address: str) -> bool:
        """Tell whether the connections of ``address`` are counted by themselves."""
        return bool(self._per_address and address) and not self._exempt(address)

    def full(self, count: int) -> None:
        """Tell that a connection is refused, for there are ``count``."""
        self.counts.reached("connections")
        _log.warn("Refused a connection: there are {count}", count=count)

    def too_many(self, address: str, tell: bool = True) -> None:
        """Tell that a connection of ``address`` is refused."""
        self.counts.reached("connections_per_address")
        if tell:
            _log.warn("{address} has {most} connections and gets no more", address=address,
                      most=self._per_address)
