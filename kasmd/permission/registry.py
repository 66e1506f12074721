"""Who may do what: gives out grants and keeps every one of them current.

The end of an account is the end of its grants: they lose everything and do not
come back to life when somebody makes another account of the same name.
"""

from __future__ import annotations

from typing import Mapping, Optional
from weakref import WeakSet

from zope.interface import implementer

from kasmd.errors import UnknownPrincipal
from kasmd.interfaces import IAccounts, IPermissionRegistry
from kasmd.permission.grant import Grant
from kasmd.rights import NOTHING, Right


class _LiveGrants:
    """The grants that are out; one that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        self._live: WeakSet[Grant] = WeakSet()

    def __len__(self) -> int:
        """The number of grants that are out."""
        return len(self._live)

    def rights_of(self, name: str) -> Optional[Right]:
        """Give the rights of ``name``, or None if there is no such account."""
        raise NotImplementedError

    def admit(self, principal: str, target: str) -> Grant:
        """Give a live grant; every target means the same, for there is one desktop."""
        rights = self.rights_of(principal)
        if rights is None:
            raise UnknownPrincipal(f"there is no account {principal!a}")
        grant = Grant(principal, rights, self._live.discard)
        self._live.add(grant)
        return grant

    def recompute(self) -> None:
        """Bring every grant up to date, and only then tell their holders."""
        changed = [grant for grant in list(self._live) if self._refresh(grant)]
        for grant in changed:
            grant.tell()

    def _refresh(self, grant: Grant) -> bool:
        rights = self.rights_of(grant.name)
        if rights is None:
            self._live.discard(grant)
        return grant.update(NOTHING if rights is None else rights)


@implementer(IPermissionRegistry)
class Registry(_LiveGrants):
    """Answers from ``accounts`` (an `IAccounts`), less what is ``withheld`` from all.

    What is withheld is the desktop's own policy, as KasmVNC's
    ``desktop.allow_resize`` is.
    """

    def __init__(self, accounts: IAccounts, withheld: Right = NOTHING) -> None:
        super().__init__()
        self._accounts = accounts
        self._withheld = withheld
        accounts.when_changed(self.recompute)

    def rights_of(self, name: str) -> Optional[Right]:
        """Give the rights that the account has now."""
        account = self._accounts.accounts().get(name)
        return account.rights & ~self._withheld if account is not None else None


@implementer(IPermissionRegistry)
class MemoryRegistry(_LiveGrants):
    """Answers from a mapping of names to rights; ``ENTER`` is always added."""

    def __init__(self, rights: Mapping[str, Right]) -> None:
        super().__init__()
        self._rights = {name: right | Right.ENTER for name, right in rights.items()}

    def rights_of(self, name: str) -> Optional[Right]:
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
