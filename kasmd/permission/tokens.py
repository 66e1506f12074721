"""Bearer tokens: an account's rights, or some of them, without its password.

A token is shown once, when it is made; what is kept is a hash of it.  It ends
when it is revoked, at its time, and with its account.  A new password leaves it.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping, NamedTuple, Optional

from kasmd.errors import UnknownPrincipal
from kasmd.interfaces import IAccounts, Principal
from kasmd.log.audit import audited
from kasmd.permission.kasmpasswd import is_one_line
from kasmd.permission.ledger import Ledger
from kasmd.permission.registry import TOKEN
from kasmd.permission.secret import digest, ident_of, is_secret, new_secret, same
from kasmd.permission.writes import Writes
from kasmd.rights import Right, feature_names, rights_from_features

#: Tells people and secret scanners what this is.
PREFIX = "kasmd_"
LABEL_LIMIT = 127


class Token(NamedTuple):
    """A token as it is kept and listed; times are seconds since the epoch."""

    label: str
    account: str
    #: Of the account's rights, these.
    scope: Right
    created: float
    expires: float
    digest: str

    @property
    def ident(self) -> str:
        """Names the token, and is no secret."""
        return ident_of(self.digest)


class Tokens:
    """The tokens of one file; a `kasmd.permission.registry.Proof`.

    ``clock`` is the wall clock (``time.time``), for tokens outlive the daemon.
    Raises AccountsError.
    """

    def __init__(
        self, accounts: IAccounts, path: str, clock: Callable[[], float], writes: Writes
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._writes = writes
        self._ledger: Ledger[Token] = Ledger(path, _load, _dump, self._good, writes)
        self._used: dict[str, float] = {}
        accounts.when_changed(self._accounts_changed)
        self._accounts_changed()

    async def make(
        self, label: str, account: str, scope: Right, expires: float
    ) -> tuple[Token, str]:
        """Make a token and give it with its text, which cannot be given again.

        ValueError says what is wrong with ``label`` or ``expires``; also
        UnknownPrincipal, AccountsError.
        """
        return await self._writes.change(lambda: self._make(label, account, scope, expires))

    async def _make(
        self, label: str, account: str, scope: Right, expires: float
    ) -> tuple[Token, str]:
        check_label(label)
        if not math.isfinite(expires) or expires <= self._clock():
            raise ValueError("expires must be a time that is still to come")
        if account not in self._accounts.accounts():
            raise UnknownPrincipal(f"there is no account {account!a}")
        secret = new_secret()
        token = Token(label, account, scope | Right.ENTER, self._clock(), expires, digest(secret))
        await self._ledger.put(token.ident, token)
        # The account may have gone meanwhile.
        self._accounts_changed()
        audited(TOKEN, f"{account} {token.ident}", "made", after=",".join(feature_names(scope)))
        return token, PREFIX + secret

    def principal(self, text: str) -> Optional[Principal]:
        """Give who carries this token, or None if it is no token or has ended."""
        secret = text.removeprefix(PREFIX)
        if secret == text or not is_secret(secret):
            return None
        digested = digest(secret)
        ident = ident_of(digested)
        token = self._ledger.get(ident)
        if token is None or not same(token.digest, digested):
            return None
        self._used[ident] = self._clock()
        return Principal(token.account, TOKEN, ident)

    def ceiling(self, ident: str) -> Optional[Right]:
        """Give the token's scope, or None once it has ended."""
        token = self._ledger.get(ident)
        return token.scope if token is not None else None

    def tokens(self) -> list[Token]:
        """Give every token that has not ended, the oldest first."""
        return list(self._ledger.records().values())

    def last_used(self, ident: str) -> Optional[float]:
        """Give when a token was last used, if that was since the daemon started."""
        return self._used.get(ident)

    async def revoke(self, ident: str) -> bool:
        """End a token, durably; tell whether there was one (AccountsError)."""
        return await self._writes.change(lambda: self._revoke(ident))

    async def _revoke(self, ident: str) -> bool:
        token = self._ledger.get(ident)
        removed = await self._ledger.remove(ident)
        if removed and token is not None:
            audited(TOKEN, f"{token.account} {ident}", "revoked")
        return removed

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""
        return self._ledger.when_changed(callback)

    def _good(self, token: Token) -> bool:
        return self._clock() < token.expires

    def _accounts_changed(self) -> None:
        accounts = self._accounts.accounts()
        # No account at all is a file that is missing for a while.
        if accounts:
            self._ledger.prune(lambda token: token.account not in accounts)
        self._used = {
            ident: used for ident, used in self._used.items() if self._ledger.get(ident)
        }


def check_label(label: str) -> None:
    """Refuse what cannot be shown on one line (ValueError)."""
    if not label.strip() or not is_one_line(label) or len(label.encode()) > LABEL_LIMIT:
        raise ValueError(f"label must be a line of text of at most {LABEL_LIMIT} bytes")


def _load(value: Any) -> Token:
    return Token(
        str(value["label"]),
        str(value["account"]),
        rights_from_features(value["scope"]),
        float(value["created"]),
        float(value["expires"]),
        str(value["digest"]),
    )


def _dump(token: Token) -> Mapping[str, object]:
    return {**token._asdict(), "scope": feature_names(token.scope)}
