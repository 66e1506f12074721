"""Leave that another process gave: what a worker remembers, and what it opened with it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Callable, NamedTuple, Optional, Sequence

from kasmd.edge.asking import Allowed
from kasmd.edge.messages import Given
from kasmd.http.headers import TICKET_FIELD
from kasmd.http.server import Request
from kasmd.interfaces import Principal
from kasmd.permission.grant import Grant
from kasmd.rights import NOTHING, Right

#: Proofs whose leave is remembered; of more, the oldest is asked for again.
MAX_PROOFS = 20_000
#: Sessions and services that are remembered for one proof.
MAX_EACH = 32
#: What a proof may be in, and what it may be good for.
_PROOFS = (b"Authorization", b"Cookie", TICKET_FIELD, b"Host")


class Proof(NamedTuple):
    """All by which a request says who sent it, byte by byte, and where it came from."""

    values: tuple[tuple[bytes, ...], ...]
    address: str
    secure: bool

    @classmethod
    def of(cls, request: Request) -> Proof:
        """Take it from a request."""
        values = tuple(tuple(request.values(name)) for name in _PROOFS)
        return cls(values, request.address, request.secure)


@dataclass(eq=False)
class Leave:
    """Something given, and the grants that were made of it."""

    given: Given
    proof: Proof
    ends: float
    #: How many changes there had been.
    age: int
    grants: set[Grant] = field(default_factory=set)
    remembered: bool = False


class Leaves:
    """``clock`` gives monotonic seconds; ``done`` is told once of each that is not used any more.

    What is given is either remembered, or in use, or done with.
    """

    def __init__(self, clock: Callable[[], float], done: Callable[[int], None]) -> None:
        self._clock = clock
        self._done = done
        self._leaves: dict[int, Leave] = {}
        self._age = 0
        #: What was given longest ago first.
        self._by_proof: OrderedDict[Proof, list[Leave]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._leaves)

    def put(self, given: Given, request: Request) -> Allowed:
        """Take what was given for ``request``, remember it while it holds, and use it."""
        leave = Leave(given, Proof.of(request), self._clock() + given.seconds, self._age)
        self._leaves[given.ident] = leave
        allowed = self._allow(leave, given.target)
        if given.reach is not None and given.seconds > 0:
            self._remember(leave)
        return allowed

    def refuse(self, given: Given) -> None:
        """Nobody waits for it any more."""
        self._done(given.ident)

    def find(self, request: Request) -> Optional[Allowed]:
        """Give the leave that there is already for ``request``, to be used.

        A browser that goes to a page is always asked for: it may be due a cookie.
        """
        leaves = self._by_proof.get(Proof.of(request))
        if leaves is None or request.navigates:
            return None
        now = self._clock()
        for leave in leaves:
            reach = leave.given.reach
            if reach is not None and leave.ends > now and leave.age == self._age:
                target = reach.target(request.uri)
                if target is not None:
                    return self._allow(leave, target)
        return None

    def _allow(self, leave: Leave, target: bytes) -> Allowed:
        given = leave.given
        principal = Principal(given.name, given.kind, str(given.ident))
        grant = Grant(principal, Right(given.rights), lambda grant: self._left(leave, grant))
        leave.grants.add(grant)
        return Allowed(
            grant, principal, given.session, given.upstream, target, tuple(given.fields)
        )

    def _left(self, leave: Leave, grant: Grant) -> None:
        leave.grants.discard(grant)
        self._settle(leave)

    def _settle(self, leave: Leave) -> None:
        if leave.remembered or leave.grants:
            return
        if self._leaves.pop(leave.given.ident, None) is not None:
            self._done(leave.given.ident)

    def end(self, ident: int) -> None:
        """It is over: close all that was opened with it."""
        leave = self._leaves.pop(ident, None)
        if leave is None:
            return
        self._forget(leave)
        for grant in [grant for grant in list(leave.grants) if grant.update(NOTHING)]:
            grant.tell()
        self._done(ident)

    def end_all(self) -> None:
        """Nobody can say any more what is over, so all is."""
        for ident in list(self._leaves):
            self.end(ident)

    def forget(self) -> None:
        """Use nothing again that is not in use now."""
        self._age += 1

    def look(self) -> None:
        """Be done with what no longer holds; call this every second."""
        now = self._clock()
        while self._by_proof:
            leaves = next(iter(self._by_proof.values()))
            over = [leave for leave in leaves if leave.ends <= now]
            last = len(over) < len(leaves)
            self._drop(over)
            if last:
                break

    def _remember(self, leave: Leave) -> None:
        """Put it in the place of what is older."""
        leaves = self._by_proof.get(leave.proof, [])
        former = [old for old in leaves if old.given.reach == leave.given.reach]
        self._drop(former or leaves[: max(0, len(leaves) + 1 - MAX_EACH)])
        self._by_proof.setdefault(leave.proof, []).append(leave)
        self._by_proof.move_to_end(leave.proof)
        leave.remembered = True
        if len(self._by_proof) > MAX_PROOFS:
            self._drop(next(iter(self._by_proof.values())))

    def _drop(self, leaves: Sequence[Leave]) -> None:
        for leave in list(leaves):
            self._forget(leave)
            self._settle(leave)

    def _forget(self, leave: Leave) -> None:
        if not leave.remembered:
            return
        leave.remembered = False
        leaves = self._by_proof[leave.proof]
        leaves.remove(leave)
        if not leaves:
            del self._by_proof[leave.proof]
