"""The connections of a face: how many there may be, and how many each address has."""

from __future__ import annotations

from typing import Optional

from twisted.logger import Logger

from kasmd.http.counts import Counts

_log = Logger(namespace="kasmd.http")


class Crowd:
    """At most ``most`` connections (None: any number).

    Of one client address ``per_address`` (0: any number).
    """

    def __init__(
        self, most: Optional[int] = None, per_address: int = 0, counts: Optional[Counts] = None
    ) -> None:
        self.counts = Counts() if counts is None else counts
        self._most = most
        self._per_address = per_address
        self._by_address: dict[str, int] = {}

    def has_room(self) -> bool:
        """Tell whether one more may come."""
        count = self.counts.connections
        if self._most is None or count < self._most:
            return True
        self.counts.reached("connections")
        _log.warn("Refused a connection: there are {count}", count=count)
        return False

    def arrived(self, address: str) -> bool:
        """Count a connection; tell whether it may stay.  An empty address is nobody's."""
        self.counts.connections += 1
        most = self._per_address
        if not most or not address:
            return True
        count = self._by_address[address] = self._by_address.get(address, 0) + 1
        if count <= most:
            return True
        self.counts.reached("connections_per_address")
        if count == most + 1:
            _log.warn("{address} has {most} connections and gets no more", address=address,
                      most=most)
        return False

    def left(self, address: str) -> None:
        """Count a connection that is gone."""
        self.counts.connections -= 1
        count = self._by_address.pop(address, 0) - 1
        if count > 0:
            self._by_address[address] = count
