"""Who may do what in which session: the registry of an edge with desktops of many people.

The owner of a session holds every right in it, those whom he lets in what was
written for them, nobody else any.  Rights in an account's letters are about
kasmd's own desktop and mean nothing here; the account must be there.
"""

from __future__ import annotations

from typing import Callable, Iterator, Mapping, NamedTuple, Optional, Protocol, Sequence
from weakref import WeakKeyDictionary

from zope.interface import implementer

from kasmd.errors import PermissionDenied
from kasmd.interfaces import IAccounts, IPermissionRegistry, Principal
from kasmd.permission.grant import Grant
from kasmd.permission.registry import EVERYTHING, GUESTS, LiveGrants, Proof
from kasmd.rights import Right

#: The target of those who are at the door, and in no session.
LOBBY = ""


class Share(NamedTuple):
    """One session, as far as rights go."""

    #: By account, the owner among them.
    rights: Mapping[str, Right]
    #: What somebody entered; when it is another one, he has to enter again.
    bond: object = None


class Shares(Protocol):
    """Where the sessions are kept."""

    def share(self, target: str) -> Optional[Share]:
        """Give what is known of the session ``target``; None if there is none."""

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""

    def spread(self, steps: Iterator[None]) -> None:
        """Take the steps that a change asks for, so that they hold nobody up."""


class _Entered(NamedTuple):
    rights: Right
    share: Share


@implementer(IPermissionRegistry)
class SessionRegistry(LiveGrants):
    """Answers from ``shares`` for the ``accounts`` that there are.

    A grant in a session ends when any right goes that it was given with, for
    what it opened at the desktop was opened with those rights; whoever asks
    again gets what is left.
    """

    def __init__(self, accounts: IAccounts, shares: Shares,
                 proofs: Mapping[str, Proof] = {}) -> None:
        super().__init__(proofs)
        self._accounts = accounts
        self._shares = shares
        self._entered: WeakKeyDictionary[Grant, _Entered] = WeakKeyDictionary()
        accounts.when_changed(self.recompute)
        shares.when_changed(self._shares_changed)

    def account_rights(self, name: str) -> Optional[Right]:
        """Give everything to whoever has an account: the session says what of it."""
        return EVERYTHING if name in self._accounts.accounts() else None

    def rights_of(self, principal: Principal, target: str) -> Optional[Right]:
        """Give what ``principal`` may do in the session ``target``, None if he is not let in.

        Guests are those of kasmd's own desktop.
        """
        ceiling = super().rights_of(principal, target)
        if ceiling is None or principal.kind in GUESTS:
            return None
        if target == LOBBY:
            return ceiling & Right.ENTER
        share = self._shares.share(target)
        own = share.rights.get(principal.name) if share is not None else None
        return None if own is None else ceiling & own

    def admit(self, principal: Principal, target: str) -> Grant:
        """Give a live grant (UnknownPrincipal; PermissionDenied for one who is not let in)."""
        rights = self.rights_of(principal, target)
        if rights is None and self.rights_of(principal, LOBBY) is not None:
            raise PermissionDenied(f"{principal.name!a} is not let into session {target!a}")
        grant = super().admit(principal, target)
        share = self._shares.share(target)
        if share is not None and rights is not None:
            self._entered[grant] = _Entered(rights, share)
        return grant

    def _shares_changed(self) -> None:
        self._shares.spread(self._renew_entered(list(self._live)))

    def _renew_entered(self, live: Sequence[Grant]) -> Iterator[None]:
        """Look at the grants whose session's share is another one than they were given on."""
        for grant in live:
            entered = self._entered.get(grant)
            if entered is not None and self._shares.share(grant.target) is not entered.share:
                self._renew((grant,))
            yield

    def rights_now(self, grant: Grant) -> Optional[Right]:
        """Give what a grant that is out is to hold, or None where it has ended."""
        rights = super().rights_now(grant)
        entered = self._entered.get(grant)
        if rights is None or entered is None:
            return rights
        share = self._shares.share(grant.target)
        same = share is not None and share.bond == entered.share.bond
        return rights if same and entered.rights in rights else None
