"""Who may do what: gives out grants and keeps every one of them current.

The end of an account, a login, a token or an invitation is the end of its
grants: they lose everything and do not come back to life when somebody makes
another of the same name.
"""

from __future__ import annotations

from typing import Callable, Mapping, Optional, Protocol, Sequence
from weakref import WeakSet

from zope.interface import implementer

from kasmd.errors import UnknownPrincipal
from kasmd.interfaces import IAccounts, IPermissionRegistry, Principal
from kasmd.permission.grant import Grant
from kasmd.rights import NOTHING, Right

PASSWORD, LOGIN, TOKEN, INVITATION = "password", "login", "token", "invitation"
TICKET = "ticket"
#: Kinds whose holders need no account here.
GUESTS = (INVITATION, TICKET)
#: What a proof does not narrow.
EVERYTHING = ~NOTHING


class Proof(Protocol):
    """Where proofs of one kind are kept, and what each is good for."""

    def ceiling(self, ident: str) -> Optional[Right]:
        """Give the rights that ``ident`` may carry, or None once it has ended."""

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""


class LiveGrants:
    """The grants that are out; one that nobody holds any more is forgotten.

    ``proofs`` has whatever keeps the proofs of a kind.  A password is no such
    proof: nothing is kept of it, and it carries all that its account has.
    """

    def __init__(self, proofs: Mapping[str, Proof]) -> None:
        self._live: WeakSet[Grant] = WeakSet()
        self._proofs = proofs
        for proof in proofs.values():
            proof.when_changed(self.recompute)

    def __len__(self) -> int:
        """The number of grants that are out."""
        return len(self._live)

    def account_rights(self, name: str) -> Optional[Right]:
        """Give the rights of the account ``name``, or None if there is no such account."""
        raise NotImplementedError

    def rights_of(self, principal: Principal, target: str) -> Optional[Right]:
        """Give what ``principal`` may do, or None where he or his proof is gone.

        Every target means the same where there is one desktop.
        """
        ceiling = self._ceiling(principal)
        guest = principal.kind in GUESTS
        own = EVERYTHING if guest else self.account_rights(principal.name)
        return None if ceiling is None or own is None else ceiling & own

    def _ceiling(self, principal: Principal) -> Optional[Right]:
        if principal.kind == PASSWORD:
            return EVERYTHING
        if principal.kind == TICKET:
            # Its end is known to the hop that signed it, and closes the connection.
            return principal.rights
        proof = self._proofs.get(principal.kind)
        return proof.ceiling(principal.ident) if proof is not None else None

    def admit(self, principal: Principal, target: str) -> Grant:
        """Give a live grant."""
        rights = self.rights_of(principal, target)
        if rights is None:
            what = "account" if principal.kind == PASSWORD else f"{principal.kind} any more for"
            raise UnknownPrincipal(f"there is no {what} {principal.name!a}")
        grant = Grant(principal, rights, self._live.discard, target)
        self._live.add(grant)
        return grant

    def present(self) -> set[tuple[str, str]]:
        """Give (kind, ident) of each who holds a grant."""
        return {(grant.principal.kind, grant.principal.ident) for grant in list(self._live)}

    def recompute(self, kind: str = "") -> None:
        """Bring the grants up to date, and only then tell their holders.

        All of them, or those that were proven by ``kind``: only a token ends by
        itself, without a word of its keeper.
        """
        self._renew([grant for grant in list(self._live) if kind in ("", grant.principal.kind)])

    def _renew(self, live: Sequence[Grant]) -> None:
        changed = [grant for grant in live if self._refresh(grant)]
        for grant in changed:
            grant.tell()

    def _refresh(self, grant: Grant) -> bool:
        rights = self.rights_now(grant)
        if rights is None:
            self._live.discard(grant)
        return grant.update(NOTHING if rights is None else rights)

    def rights_now(self, grant: Grant) -> Optional[Right]:
        """Give what a grant that is out is to hold, or None where it has ended."""
        return self.rights_of(grant.principal, grant.target)


@implementer(IPermissionRegistry)
class Registry(LiveGrants):
    """Answers from ``accounts`` (an `IAccounts`), less what is ``withheld`` from all.

    What is withheld is the desktop's own policy, as KasmVNC's
    ``desktop.allow_resize`` is.
    """

    def __init__(
        self,
        accounts: IAccounts,
        withheld: Right = NOTHING,
        proofs: Mapping[str, Proof] = {},
    ) -> None:
        super().__init__(proofs)
        self._accounts = accounts
        self.withheld = withheld
        accounts.when_changed(self.recompute)

    def withhold(self, rights: Right) -> None:
        """Withhold ``rights`` instead from everybody, those who are here too."""
        self.withheld = rights
        self.recompute()

    def account_rights(self, name: str) -> Optional[Right]:
        """Give the rights that the account has now."""
        account = self._accounts.accounts().get(name)
        return account.rights if account is not None else None

    def rights_of(self, principal: Principal, target: str) -> Optional[Right]:
        """Give what ``principal`` may do on this desktop."""
        rights = super().rights_of(principal, target)
        return None if rights is None else rights & ~self.withheld


@implementer(IPermissionRegistry)
class MemoryRegistry(LiveGrants):
    """Answers from a mapping of names to rights; ``ENTER`` is always added."""

    def __init__(self, rights: Mapping[str, Right], proofs: Mapping[str, Proof] = {}) -> None:
        super().__init__(proofs)
        self._rights = {name: right | Right.ENTER for name, right in rights.items()}

    def account_rights(self, name: str) -> Optional[Right]:
        """Give what was set last."""
        return self._rights.get(name)

    def set(self, name: str, rights: Right) -> None:
        """Add ``name`` or change what it may do."""
        self._rights[name] = rights | Right.ENTER
        self.recompute()

    def remove(self, name: str) -> None:
        """Remove ``name`` (UnknownPrincipal)."""
        if self._rights.pop(name, None) is None:
            raise UnknownPrincipal(f"there is no account {name!a}")
        self.recompute()
