"""All that can stand for a password: log-ins, tokens, invitations."""

from __future__ import annotations

from typing import Collection, Mapping, NamedTuple, Optional

from kasmd.interfaces import Principal
from kasmd.permission.invitations import Invitations
from kasmd.permission.logins import Logins
from kasmd.permission.registry import INVITATION, LOGIN, TOKEN, Proof
from kasmd.permission.tokens import Tokens


class Proofs(NamedTuple):
    """Where each kind is kept."""

    logins: Logins
    tokens: Tokens
    invitations: Invitations

    @property
    def kinds(self) -> Mapping[str, Proof]:
        """Give what a registry asks, by the kind of a principal."""
        return {LOGIN: self.logins, TOKEN: self.tokens, INVITATION: self.invitations}

    def by_cookie(self, secret: str) -> Optional[Principal]:
        """Give whose session this is, an account's or a guest's; None if it has ended."""
        return self.logins.principal(secret) or self.invitations.principal(secret)

    def end(self, principal: Principal) -> bool:
        """End the session that proved ``principal``; False if it was proven otherwise."""
        if principal.kind == LOGIN:
            return self.logins.end(principal.ident)
        return principal.kind == INVITATION and self.invitations.end(principal.ident)

    def expire(self, present: Collection[tuple[str, str]]) -> None:
        """End what is over; ``present`` has (kind, ident) of each who holds a grant."""
        self.logins.expire([ident for kind, ident in present if kind == LOGIN])
        self.invitations.expire([ident for kind, ident in present if kind == INVITATION])
