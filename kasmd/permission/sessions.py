"""Sessions: who holds which opaque secret, and for how long it is good.

They are kept in memory: a restart of the daemon ends them all.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Callable, Collection, NamedTuple, Optional

from kasmd.permission.callbacks import Callbacks
from kasmd.permission.secret import digest, ident_of, is_secret, new_secret, same

#: Sessions at once, of all owners.
CAPACITY = 4096


class Lifetime(NamedTuple):
    """Seconds after which a session ends, and how many one owner may have."""

    #: Since it was last used; a session that holds a connection is in use.
    idle: float = 8 * 3600.0
    #: Since it was made, used or not.
    whole: float = 7 * 86400.0
    each: int = 32


class Session(NamedTuple):
    """One session; times are seconds of the clock that `Sessions` was given."""

    ident: str
    owner: str
    #: What the owner had when it began; whoever cares compares it later.
    bond: str
    digest: str
    started: float
    used: float


class Sessions:
    """Sessions by their ident.

    ``clock`` gives seconds and never jumps.  Where one owner has too many, or
    all together, the session that was unused longest ends.
    """

    def __init__(
        self, clock: Callable[[], float], lifetime: Lifetime, capacity: int = CAPACITY
    ) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._capacity = capacity
        #: The one that was unused longest first.
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._callbacks = Callbacks()

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after sessions ended, until the answer is called."""
        return self._callbacks.add(callback)

    def sessions(self) -> list[Session]:
        """Give every session, the one unused longest first."""
        return list(self._sessions.values())

    def of(self, owner: str) -> list[Session]:
        """Give the sessions of ``owner``, the one unused longest first."""
        return [session for session in self._sessions.values() if session.owner == owner]

    def get(self, ident: str) -> Optional[Session]:
        """Give a session that has not ended."""
        return self._sessions.get(ident)

    def start(self, owner: str, bond: str = "") -> str:
        """Make a session and give its secret, which is not kept."""
        secret = new_secret()
        digested, now = digest(secret), self._clock()
        session = Session(ident_of(digested), owner, bond, digested, now, now)
        theirs = self.of(owner)
        surplus = [old.ident for old in theirs[: max(0, len(theirs) + 1 - self._lifetime.each)]]
        if not surplus and len(self._sessions) >= self._capacity:
            surplus = [next(iter(self._sessions))]
        self._sessions[session.ident] = session
        self.end(*surplus)
        return secret

    def find(self, secret: str) -> Optional[Session]:
        """Give the session of ``secret`` and mark it as used; None if it has ended."""
        if not is_secret(secret):
            return None
        digested = digest(secret)
        session = self._sessions.get(ident_of(digested))
        if session is None or not same(session.digest, digested):
            return None
        if self._is_over(session):
            self.end(session.ident)
            return None
        self._use(session)
        return session

    def end(self, *idents: str) -> bool:
        """End sessions; tell whether there were any.  Who holds a grant of one is told."""
        ended = [ident for ident in idents if self._sessions.pop(ident, None) is not None]
        if ended:
            self._callbacks.call()
        return bool(ended)

    def expire(self, present: Collection[str] = ()) -> None:
        """End what is over; those ``present``, by ident, are in use now."""
        for ident in present:
            session = self._sessions.get(ident)
            if session is not None:
                self._use(session)
        self.end(*[ident for ident, session in self._sessions.items() if self._is_over(session)])

    def _use(self, session: Session) -> None:
        self._sessions[session.ident] = session._replace(used=self._clock())
        self._sessions.move_to_end(session.ident)

    def _is_over(self, session: Session) -> bool:
        now = self._clock()
        return (
            now - session.used >= self._lifetime.idle
            or now - session.started >= self._lifetime.whole
        )
