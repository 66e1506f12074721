"""Invitations: a link that lets somebody in without an account.

-> open(code)
<- the secret of a guest's session; each opening is counted

A code is the invitation's ident and a MAC of it under a key of our own, so it
can be given again to whoever made it, and the file of invitations holds nothing
that opens a door.  An invitation ends when it is revoked, at its time, with its
maker's account, and rests while its maker does not manage.
"""

from __future__ import annotations

import hmac
import math
from base64 import urlsafe_b64encode
from secrets import token_bytes, token_hex
from typing import Any, Callable, Collection, Mapping, NamedTuple, Optional

from kasmd.errors import AccountsError, LoginRefused
from kasmd.interfaces import IAccounts, Principal
from kasmd.log.audit import audited
from kasmd.permission import durable
from kasmd.permission.ledger import Ledger
from kasmd.permission.registry import INVITATION
from kasmd.permission.sessions import Lifetime, Sessions
from kasmd.permission.tokens import check_label
from kasmd.permission.writes import Writes
from kasmd.rights import Right, feature_names, rights_from_features

#: Guests of one invitation at a time, at most.
MAX_GUESTS = 100
#: Seconds that a guest has from the opening to his connection.
ARRIVAL = 30.0
_KEY_LENGTH = 32
_MAX_CODE = 128
MAX_USES = 1_000_000


class Invitation(NamedTuple):
    """An invitation as it is kept and listed; times are seconds since the epoch."""

    ident: str
    label: str
    #: The account that made it.
    maker: str
    rights: Right
    created: float
    expires: float
    #: Guests at one time; a guest is a browser.
    guests: int = 1
    #: Openings in all, None for any number; and how many there were.
    uses: Optional[int] = None
    used: int = 0

    @property
    def guest_name(self) -> str:
        """What its guests are called; no account's name has a colon."""
        return f"guest: {self.label}"


class Invitations:
    """The invitations of one file; a `kasmd.permission.registry.Proof`.

    ``wall`` is the wall clock, for invitations outlive the daemon; their guests'
    sessions do not, and go by ``clock``, which never jumps.  Raises AccountsError.
    """

    def __init__(
        self,
        accounts: IAccounts,
        path: str,
        key: bytes,
        wall: Callable[[], float],
        clock: Callable[[], float],
        writes: Writes,
        lifetime: Lifetime = Lifetime(),
    ) -> None:
        self._accounts = accounts
        self._key = key
        self._wall = wall
        self._clock = clock
        self._writes = writes
        self._ledger: Ledger[Invitation] = Ledger(path, _load, _dump, self._good, writes)
        # Whether there is room for a guest is decided when he comes.
        self._sessions = Sessions(clock, lifetime._replace(each=MAX_GUESTS))
        accounts.when_changed(self._accounts_changed)
        self._ledger.when_changed(self._invitations_changed)
        self._accounts_changed()

    async def make(
        self,
        label: str,
        maker: str,
        rights: Right,
        expires: float,
        guests: int = 1,
        uses: Optional[int] = None,
    ) -> Invitation:
        """Make an invitation (ValueError names what is wrong; AccountsError)."""
        check_label(label)
        if Right.MANAGE in rights:
            raise ValueError("rights: nobody manages without an account")
        if not math.isfinite(expires) or expires <= self._wall():
            raise ValueError("expires must be a time that is still to come")
        if not 1 <= guests <= MAX_GUESTS:
            raise ValueError(f"guests must be from 1 to {MAX_GUESTS}")
        if uses is not None and not 1 <= uses <= MAX_USES:
            raise ValueError(f"uses must be from 1 to {MAX_USES}")
        invitation = Invitation(
            token_hex(8), label, maker, rights | Right.ENTER, self._wall(), expires, guests, uses
        )
        await self._writes.change(lambda: self._put(invitation))
        audited(INVITATION, invitation.ident, "made", after=",".join(feature_names(rights)))
        return invitation

    def code(self, ident: str) -> str:
        """Give what opens an invitation; it belongs behind the # of a link."""
        mac = hmac.digest(self._key, ident.encode("ascii"), "sha256")
        return f"{ident}.{urlsafe_b64encode(mac).decode('ascii').rstrip('=')}"

    async def open(self, code: str, present: Collection[str] = ()) -> str:
        """Count a use and give the secret of a guest's session.

        ``present`` has the idents of the guests who hold a connection; another
        guest makes way for the new one where there is no room.  LoginRefused
        says why not; AccountsError.
        """
        return await self._writes.change(lambda: self._open(code, present))

    async def _put(self, invitation: Invitation) -> None:
        await self._ledger.put(invitation.ident, invitation)
        # The maker may have gone meanwhile.
        self._accounts_changed()

    async def _open(self, code: str, present: Collection[str]) -> str:
        invitation = self._signed(code)
        if invitation is None or not self._rights(invitation):
            raise LoginRefused("this invitation is not valid, or not any more")
        if invitation.uses is not None and invitation.used >= invitation.uses:
            raise LoginRefused("this invitation has been used up")
        waiting = self._waiting(invitation, present)
        await self._put(invitation._replace(used=invitation.used + 1))
        self._sessions.end(*waiting)
        return self._sessions.start(invitation.ident)

    def principal(self, secret: str) -> Optional[Principal]:
        """Give the guest whose session this is, or None if it is nobody's or has ended."""
        session = self._sessions.find(secret)
        invitation = self._ledger.get(session.owner) if session is not None else None
        if session is None or invitation is None:
            return None
        return Principal(invitation.guest_name, INVITATION, session.ident)

    def ceiling(self, ident: str) -> Optional[Right]:
        """Give the rights of the guest's session ``ident``, or None once it has ended."""
        session = self._sessions.get(ident)
        invitation = self._ledger.get(session.owner) if session is not None else None
        return self._rights(invitation) if invitation is not None else None

    def invitations(self) -> list[Invitation]:
        """Give every invitation that has not ended, the oldest first."""
        return list(self._ledger.records().values())

    def guests(self, ident: str) -> list[str]:
        """Give the idents of an invitation's guests."""
        return [session.ident for session in self._sessions.of(ident)]

    async def revoke(self, ident: str) -> bool:
        """End an invitation, durably; tell whether there was one (AccountsError)."""
        removed = await self._writes.change(lambda: self._ledger.remove(ident))
        if removed:
            audited(INVITATION, ident, "revoked")
        return removed

    def end(self, ident: str) -> bool:
        """End one guest's session; tell whether there was one."""
        return self._sessions.end(ident)

    def expire(self, present: Collection[str]) -> None:
        """End the sessions that are over; those ``present`` hold a connection."""
        self._sessions.expire(present)
        self._invitations_changed()

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after guests' sessions ended, until the answer is called."""
        return self._sessions.when_changed(callback)

    def _good(self, invitation: Invitation) -> bool:
        return self._wall() < invitation.expires

    def _rights(self, invitation: Invitation) -> Optional[Right]:
        maker = self._accounts.accounts().get(invitation.maker)
        return invitation.rights if maker is not None and Right.MANAGE in maker.rights else None

    def _signed(self, code: str) -> Optional[Invitation]:
        if len(code) > _MAX_CODE or not code.isascii():
            return None
        ident = code.partition(".")[0]
        if not hmac.compare_digest(self.code(ident), code):
            return None
        return self._ledger.get(ident)

    def _waiting(self, invitation: Invitation, present: Collection[str]) -> list[str]:
        """Give who makes way for one more guest (LoginRefused if nobody does)."""
        here = self._sessions.of(invitation.ident)
        surplus = len(here) + 1 - invitation.guests
        if surplus <= 0:
            return []
        arrived = self._clock() - ARRIVAL
        away = [each.ident for each in here if each.ident not in present and each.used <= arrived]
        if len(away) < surplus:
            raise LoginRefused("this invitation is in use; try again when a guest has left")
        return away[:surplus]

    def _accounts_changed(self) -> None:
        accounts = self._accounts.accounts()
        # No account at all is a file that is missing for a while.
        if accounts:
            self._ledger.prune(lambda invitation: invitation.maker not in accounts)
        self._invitations_changed()

    def _invitations_changed(self) -> None:
        """End the sessions of invitations that are no more."""
        sessions = self._sessions.sessions()
        self._sessions.end(*[each.ident for each in sessions if self.ceiling(each.ident) is None])


def load_key(path: str) -> bytes:
    """Read the key of a file of ours alone, 0600, made at the first use (AccountsError)."""
    try:
        key = durable.read(path)
        if key is None:
            key = token_bytes(_KEY_LENGTH)
            durable.replace(path, key)
    except OSError as error:
        raise AccountsError(f"{path}: {error.strerror or error}") from error
    if len(key) != _KEY_LENGTH:
        raise AccountsError(f"{path}: is no key of {_KEY_LENGTH} bytes")
    return key


def _load(value: Any) -> Invitation:
    fields = {**value, "rights": rights_from_features(value["rights"])}
    return Invitation(**fields)


def _dump(invitation: Invitation) -> Mapping[str, object]:
    return {**invitation._asdict(), "rights": feature_names(invitation.rights)}
