"""Log-ins that last: a session for an account, begun with its password.

It ends by log-out, when it is not used, after its time, and with the account or
its password.  All its grants end with it, before the call that ended it returns.
"""

from __future__ import annotations

from typing import Callable, Collection, NamedTuple, Optional

from twisted.logger import Logger

from kasmd.errors import UnknownPrincipal
from kasmd.interfaces import IAccounts, Principal
from kasmd.permission.registry import EVERYTHING, LOGIN
from kasmd.permission.sessions import Lifetime, Session, Sessions
from kasmd.rights import Right

_log = Logger()


class Login(NamedTuple):
    """A log-in as it is listed: no secret, and seconds ago."""

    ident: str
    name: str
    started: float
    used: float


class Logins:
    """The log-ins of ``accounts``; a `kasmd.permission.registry.Proof`."""

    def __init__(
        self, accounts: IAccounts, clock: Callable[[], float], lifetime: Lifetime = Lifetime()
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._sessions = Sessions(clock, lifetime)
        accounts.when_changed(self._accounts_changed)

    def start(self, name: str) -> str:
        """Begin a log-in, always a new one; give the secret for its holder alone.

        Raises UnknownPrincipal.
        """
        account = self._accounts.accounts().get(name)
        if account is None:
            raise UnknownPrincipal(f"there is no account {name!a}")
        _log.info("{name!a} logged in", name=name)
        return self._sessions.start(name, account.secret)

    def principal(self, secret: str) -> Optional[Principal]:
        """Give whose log-in this is, or None if it is nobody's or has ended."""
        session = self._sessions.find(secret)
        return Principal(session.owner, LOGIN, session.ident) if session is not None else None

    def ceiling(self, ident: str) -> Optional[Right]:
        """Give everything, for a log-in narrows nothing; None once it has ended."""
        return EVERYTHING if self._sessions.get(ident) is not None else None

    def logins(self) -> list[Login]:
        """Give every log-in, oldest use first."""
        now = self._clock()
        return [_listed(session, now) for session in self._sessions.sessions()]

    def end(self, ident: str) -> bool:
        """End one; tell whether there was such a log-in."""
        session = self._sessions.get(ident)
        if session is not None:
            _log.info("{name!a} logged out", name=session.owner)
        return self._sessions.end(ident)

    def expire(self, present: Collection[str]) -> None:
        """End what is over; those ``present``, by ident, hold a connection."""
        self._sessions.expire(present)

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after log-ins ended, until the answer is called."""
        return self._sessions.when_changed(callback)

    def _accounts_changed(self) -> None:
        accounts = self._accounts.accounts()
        stale = []
        for session in self._sessions.sessions():
            account = accounts.get(session.owner)
            if account is None or account.secret != session.bond:
                stale.append(session.ident)
        self._sessions.end(*stale)


def _listed(session: Session, now: float) -> Login:
    return Login(session.ident, session.owner, now - session.started, now - session.used)
