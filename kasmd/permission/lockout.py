"""Keeps those away for a while who give too many wrong passwords.

KasmVNC's meaning, kept: ``threshold`` refused log-ins from one address lock it
out for ``timeout`` seconds, and then it starts afresh.  Changed on purpose: an
attempt while locked out does not begin the time again (a browser that retries
would never get in), a right password clears the count, and a whole /64 of IPv6
counts as one address.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import NamedTuple, Optional

#: Addresses remembered at once; the one that was quiet longest is forgotten.
CAPACITY = 10_000


class _Record(NamedTuple):
    failures: int
    #: None while it is not locked out.
    locked_at: Optional[float] = None


class Lockout:
    """Counts by address; ``now`` is seconds on a clock that never jumps.

    A ``threshold`` of 0 locks out nobody.  Both numbers may be changed at any
    time, and then hold for those who are locked out too.
    """

    def __init__(self, threshold: int, timeout: float, capacity: int = CAPACITY) -> None:
        self.threshold = threshold
        self.timeout = timeout
        self._capacity = capacity
        self._records: OrderedDict[str, _Record] = OrderedDict()
        #: How often somebody was locked out.
        self.locks = 0

    def __len__(self) -> int:
        """The number of addresses that are remembered."""
        return len(self._records)

    def seconds_left(self, address: str, now: float) -> float:
        """Give how long ``address`` stays locked out, 0.0 if it is not."""
        record = self._records.get(_subscriber(address)) if self._records else None
        if record is None or record.locked_at is None or self.threshold <= 0:
            return 0.0
        return max(0.0, record.locked_at + self.timeout - now)

    def failed(self, address: str, now: float) -> bool:
        """Count a wrong password; tell whether it locked the address out."""
        if self.threshold <= 0 or self.seconds_left(address, now):
            return False
        subscriber = _subscriber(address)
        record = self._records.pop(subscriber, _Record(0))
        served = record.locked_at is not None
        failures = 1 if served else record.failures + 1
        locks = failures >= self.threshold
        self.locks += locks
        self._records[subscriber] = _Record(failures, now if locks else None)
        if len(self._records) > self._capacity:
            self._records.popitem(last=False)
        return locks

    def succeeded(self, address: str) -> None:
        """Forget the wrong passwords of ``address``."""
        self._records.pop(_subscriber(address), None)


#: Wrong passwords for one account, from wherever, for each that one address may give.
ACCOUNT_FACTOR = 4


class AccountLockout:
    """Slows those who guess one account's password from many addresses.

    Once an account has had ACCOUNT_FACTOR times ``threshold`` refusals, addresses
    that never logged in to it wait ``timeout`` seconds, and then it starts afresh.
    Those that did are not kept waiting, so nobody can shut the owner of an
    account out of where he usually is.  Names without an account count alike.
    """

    def __init__(self, threshold: int, timeout: float, capacity: int = CAPACITY) -> None:
        self._names = Lockout(threshold * ACCOUNT_FACTOR, timeout, capacity)
        self._capacity = capacity
        #: Who logged in to what, the one unused longest first.
        self._familiar: OrderedDict[tuple[str, str], None] = OrderedDict()

    def set_limits(self, threshold: int, timeout: float) -> None:
        """Slow them by other numbers from now on."""
        self._names.threshold = threshold * ACCOUNT_FACTOR
        self._names.timeout = timeout

    @property
    def locks(self) -> int:
        """How often an account was locked."""
        return self._names.locks

    def seconds_left(self, name: str, address: str, now: float) -> float:
        """Give how long ``address`` is kept from ``name``, 0.0 if it is not."""
        left = self._names.seconds_left(_account(name), now)
        return 0.0 if left and (name, _subscriber(address)) in self._familiar else left

    def failed(self, name: str, now: float) -> bool:
        """Count a wrong password; tell whether it locked the account."""
        return self._names.failed(_account(name), now)

    def succeeded(self, name: str, address: str) -> None:
        """Let ``address`` be familiar to ``name`` from now on."""
        pair = name, _subscriber(address)
        self._familiar[pair] = None
        self._familiar.move_to_end(pair)
        if len(self._familiar) > self._capacity:
            self._familiar.popitem(last=False)


def _account(name: str) -> str:
    # Not to be taken for an address; cut, for anybody may send one.
    return f"account {name[:128]}"


@lru_cache(maxsize=1024)
def _subscriber(address: str) -> str:
    """Give what one subscriber holds: an IPv4 address, a /64, or what is no IP as it is."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(IPv6Network((int(ip), 64), strict=False))
