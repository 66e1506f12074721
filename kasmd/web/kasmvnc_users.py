"""KasmVNC's users: made, changed, removed and listed by the owner.

-> GET /api/create_user?name=&password=&read=&write=&owner=     one, which is new
-> GET /api/update_user?name=&read=&write=&owner=               what is named of one
-> GET /api/remove_user?name=                                   one
-> POST the same, [{"user", "password", "read", "write", "owner"}, ...]    all or none
-> GET /api/get_users

Every change is made within one `IAccounts.edit`: what it depends on is looked
up there, so two owners at once cannot undo each other's conditions, and it has
reached all who are connected when it is answered.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Mapping, NamedTuple, Optional

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from kasmd.errors import AccountsBusy, AccountsError, UnknownPrincipal
from kasmd.http.faults import FAULTS
from kasmd.http.query import Query
from kasmd.http.server import Request, Response
from kasmd.interfaces import Account, IAccounts, IWorker
from kasmd.permission.kasmpasswd import FIELD_LIMIT, canonical, hash_password
from kasmd.rights import OWNER, READ, WRITE, Right
from kasmd.web.kasmvnc_says import Refusal, done, not_the_owner, said

_KINDS: Mapping[str, type] = {
    "user": str, "password": str, "read": bool, "write": bool, "owner": bool
}
_log = Logger(namespace="kasmd.api")

Accounts = Mapping[str, Account]
Changes = dict[str, Optional[Account]]


class Entry(NamedTuple):
    """One user as a request has it; None is what was not said."""

    user: str
    password: str = ""
    read: Optional[bool] = None
    write: Optional[bool] = None
    owner: Optional[bool] = None

    def rights(self, before: Right) -> Right:
        """Give ``before`` with what was said changed.

        To write is to read as well, so who may no longer read may no longer
        write, unless just that was said.
        """
        if self.owner is not None:
            before = before & ~OWNER | (OWNER if self.owner else Right(0))
        if self.write is not None:
            before = before & (~WRITE | READ) | (WRITE if self.write else Right(0))
        if self.read is False and not self.write:
            before &= ~WRITE
        return before | READ if self.read else before


class Users:
    """The accounts of ``accounts``; passwords are hashed on ``worker``."""

    def __init__(self, accounts: IAccounts, worker: IWorker) -> None:
        self._accounts = accounts
        self._worker = worker
        self._listed: Accounts = {}
        self._list = b"[]\n"

    def all(self, request: Request, query: Query) -> Response:
        """Answer with every user, in the order of the file."""
        accounts: Accounts = self._accounts.accounts()
        if accounts is not self._listed:
            users = [_user(account) for account in accounts.values()]
            self._listed, self._list = accounts, json.dumps(users).encode("ascii") + b"\n"
        return said(self._list)

    def create(self, request: Request, query: Query) -> Deferred[Response]:
        """Make one user that is not there."""
        flags = [query.flag(key) or False for key in ("read", "write", "owner")]
        entry = Entry(query.text("name"), query.text("password"), *flags)
        return Deferred.fromCoroutine(self._create(request, query, [entry], True))

    def create_each(self, request: Request, query: Query) -> Deferred[Response]:
        """Make or replace several."""
        return Deferred.fromCoroutine(self._create(request, query, entries(request.body), False))

    def update(self, request: Request, query: Query) -> Deferred[Response]:
        """Change what was said of one user's rights."""
        flags = [query.flag(key) for key in ("read", "write", "owner")]
        if flags == [None, None, None]:
            raise Refusal(400)
        entry = Entry(query.text("name"), "", *flags)
        return Deferred.fromCoroutine(self._update(request, query, [entry]))

    def update_each(self, request: Request, query: Query) -> Deferred[Response]:
        """Replace the rights of several users, and the passwords that are not empty."""
        given = entries(request.body)
        return Deferred.fromCoroutine(self._update(request, query, given))

    def remove(self, request: Request, query: Query) -> Deferred[Response]:
        """Remove one user."""
        return self._remove(request, query, [Entry(query.text("name"))])

    def remove_each(self, request: Request, query: Query) -> Deferred[Response]:
        """Remove several."""
        return self._remove(request, query, entries(request.body))

    async def _create(
        self, request: Request, query: Query, given: list[Entry], new: bool
    ) -> Response:
        if not all(entry.user and entry.password for entry in given):
            raise Refusal(400)
        secrets = await self._hash(given)

        def change(accounts: Accounts) -> Changes:
            if new and given[0].user in accounts:
                raise Refusal(400)
            return {
                entry.user: Account(entry.user, secrets[entry.password], entry.rights(Right.ENTER))
                for entry in given
            }

        return await self._make(request, query, change)

    async def _update(self, request: Request, query: Query, given: list[Entry]) -> Response:
        secrets = await self._hash(given)

        def change(accounts: Accounts) -> Changes:
            changes: Changes = {}
            for entry in given:
                if entry.user not in accounts:
                    raise Refusal(400)
                account = changes.get(entry.user) or accounts[entry.user]
                changes[entry.user] = account._replace(
                    secret=secrets.get(entry.password, account.secret),
                    rights=entry.rights(account.rights),
                )
            return changes

        return await self._make(request, query, change)

    def _remove(self, request: Request, query: Query, given: list[Entry]) -> Deferred[Response]:
        gone: Changes = dict.fromkeys(entry.user for entry in given)
        return Deferred.fromCoroutine(self._make(request, query, lambda accounts: gone))

    async def _make(
        self, request: Request, query: Query, change: Callable[[Accounts], Changes]
    ) -> Response:
        """Make a change for one who is the owner still, and keep an owner."""

        def guarded(accounts: Accounts) -> Changes:
            if request.grant is None or not request.grant.holds(Right.MANAGE):
                raise not_the_owner()
            changes = change(accounts)
            if not query.flag("force") and bereaves(accounts, changes):
                raise Refusal(409, "No owner would be left; to do it all the same, say force=true.")
            return changes

        try:
            await self._accounts.edit(guarded)
        except UnknownPrincipal:
            raise Refusal(400) from None
        except AccountsBusy:
            raise FAULTS["accounts-busy"].told_as(Refusal) from None
        except AccountsError as error:
            _log.error("{error}", error=error)
            raise Refusal(500, "The accounts cannot be kept; the log says why.") from None
        return done()

    async def _hash(self, given: list[Entry]) -> dict[str, str]:
        """Give the secret for every password."""
        for entry in given:
            _check(entry)
        secrets: dict[str, str] = {}
        for entry in given:
            if entry.password and entry.password not in secrets:
                secrets[entry.password] = await self._worker.do(hash_password, entry.password)
        return secrets


def entries(body: bytes) -> list[Entry]:
    """Read the array of a POST (`Refusal`); a right that is not named is refused to the user."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400) from None
    if not isinstance(given, list):
        raise Refusal(400)
    return [_entry(each) for each in given]


def _entry(given: Any) -> Entry:
    if not isinstance(given, dict):
        raise Refusal(400)
    for key, value in given.items():
        if key not in _KINDS or type(value) is not _KINDS[key]:
            raise Refusal(400)
    return Entry(**{"user": "", "read": False, "write": False, "owner": False, **given})


def _check(entry: Entry) -> None:
    """Refuse a name or a password that cannot be kept."""
    if not entry.user:
        raise Refusal(400)
    try:
        canonical(Account(entry.user, "", Right.ENTER))
    except ValueError as error:
        raise Refusal(400, f"Refused: {error}.") from None
    try:
        if len(entry.password.encode()) > FIELD_LIMIT or "\0" in entry.password:
            raise Refusal(400, f"A password has at most {FIELD_LIMIT} bytes and no NUL.")
    except UnicodeEncodeError:
        raise Refusal(400, "The password is not UTF-8.") from None


def bereaves(accounts: Accounts, changes: Changes) -> bool:
    """Tell whether the changes take away the last owner."""
    after = {**accounts, **changes}.values()
    return any(OWNER in account.rights for account in accounts.values()) and not any(
        account is not None and OWNER in account.rights for account in after
    )


def _user(account: Account) -> dict[str, object]:
    return {
        "user": account.name,
        "read": READ in account.rights,
        # Also of one who may do only a part of it: no owner shall think him a mere reader.
        "write": bool(account.rights & WRITE & ~READ),
        "owner": OWNER in account.rights,
    }
