"""Grants that live by another's word: what a control plane allowed, and for how long.

An answer is remembered for its lease, so that a page of fifty files is one
question; a revocation ends it at once, and the grants that were given on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Collection, Iterator, Optional, Sequence
from weakref import WeakSet

from zope.interface import implementer

from kasmd.errors import UnknownPrincipal
from kasmd.interfaces import IPermissionRegistry, Principal
from kasmd.permission.grant import Grant
from kasmd.rights import NOTHING, Right

#: Leases at one time; of more, the one that ends first goes.
MAX_LEASES = 20_000
#: The kind of a principal whom a control plane vouches for; its ident is the proof's.
LEASE = "lease"


@dataclass(eq=False)
class Lease:
    """What was allowed, to whom, and until when on the clock of `Leases`."""

    principal: Principal
    target: str
    rights: Right
    ends: float
    grants: WeakSet[Grant] = field(default_factory=WeakSet)

    @property
    def in_use(self) -> bool:
        """Whether anybody holds a grant of it."""
        return bool(self.grants)


@implementer(IPermissionRegistry)
class Leases:
    """Answers by what was allowed last; ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._leases: dict[tuple[str, str], Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def put(self, principal: Principal, target: str, rights: Right, seconds: float) -> Lease:
        """Remember that ``principal`` may use ``target``; grants that are out follow.

        With 0 seconds it is forgotten as soon as nobody holds a grant of it.
        """
        key = principal.ident, target
        ends = self._clock() + seconds
        lease = self._leases.get(key)
        if lease is None:
            self._make_room()
            lease = self._leases[key] = Lease(principal, target, rights, ends)
            return lease
        lease.ends = ends
        if lease.rights != rights:
            lease.rights = rights
            _tell([grant for grant in list(lease.grants) if grant.update(rights)])
        return lease

    def current(self, ident: str, target: str) -> Optional[Lease]:
        """Give the lease of this proof that may still be used without asking again."""
        lease = self._leases.get((ident, target))
        return lease if lease is not None and self._clock() < lease.ends else None

    def admit(self, principal: Principal, target: str) -> Grant:
        """Give a live grant of the lease, over or not; the caller has just asked, or looked."""
        lease = self._leases.get((principal.ident, target))
        if lease is None:
            raise UnknownPrincipal(f"nobody vouches for {principal.name!a} any more")
        grant = Grant(principal, lease.rights, lease.grants.discard)
        lease.grants.add(grant)
        return grant

    def rights_of(self, principal: Principal, target: str) -> Right:
        """Give what was allowed last."""
        lease = self._leases.get((principal.ident, target))
        return NOTHING if lease is None else lease.rights

    def left(self, principal: Principal, target: str) -> float:
        """Give the seconds for which that is used without asking again."""
        lease = self._leases.get((principal.ident, target))
        return 0.0 if lease is None else max(0.0, lease.ends - self._clock())

    def over(self) -> Iterator[Lease]:
        """Forget the leases that are over and unused; give those over and in use."""
        now = self._clock()
        for key, lease in list(self._leases.items()):
            if lease.ends > now:
                continue
            if lease.in_use:
                yield lease
            else:
                del self._leases[key]

    def revoke(self, name: Optional[str] = None, target: Optional[str] = None) -> int:
        """End every lease of this person, of this session, or of this person in it."""
        ended = [
            lease
            for lease in self._leases.values()
            if name in (None, lease.principal.name) and target in (None, lease.target)
        ]
        for lease in ended:
            self.end(lease)
        return len(ended)

    def ending(self, targets: Collection[str]) -> Iterator[None]:
        """Give steps that end every lease of these sessions that there is now."""
        leases = [lease for lease in self._leases.values() if lease.target in targets]
        return self._end_each(leases)

    def _end_each(self, leases: Sequence[Lease]) -> Iterator[None]:
        for lease in leases:
            if self._leases.get((lease.principal.ident, lease.target)) is lease:
                self.end(lease)
            yield

    def end(self, lease: Lease) -> None:
        """End one lease and all that was given on it."""
        self._leases.pop((lease.principal.ident, lease.target), None)
        _tell([grant for grant in list(lease.grants) if grant.update(NOTHING)])

    def _make_room(self) -> None:
        while len(self._leases) >= MAX_LEASES:
            self.end(min(self._leases.values(), key=lambda lease: (lease.in_use, lease.ends)))


def _tell(changed: list[Grant]) -> None:
    for grant in changed:
        grant.tell()
