"""Users: /users, and /users/{name} with If-Match.

What a change depends on is looked up within one `IAccounts.edit`, and the change
has reached all who are connected when it is answered.
"""

from __future__ import annotations

from secrets import token_bytes
from typing import Any, Callable, Mapping, Optional
from urllib.parse import quote

from kasmd.http.server import Response
from kasmd.interfaces import Account, IAccounts, IWorker
from kasmd.permission.kasmpasswd import FIELD_LIMIT, canonical, hash_password
from kasmd.rights import Right, letters_from_rights
from kasmd.web.api.operations import PREFIX, Call, Operation, done, told
from kasmd.web.api.problems import Refused, invalid, missing
from kasmd.web.api.rights import rights_of, rights_said
from kasmd.web.api.schemas import Schema, listed, ref
from kasmd.web.api.tags import check_match, tag_of
from kasmd.web.kasmvnc_users import bereaves

Accounts = Mapping[str, Account]
_FORCE: Mapping[str, Schema] = {
    "force": {"type": "boolean", "description": "Also if no owner is left."}
}
_ONE = "/users/{name}"


class Users:
    """The accounts of ``accounts``; passwords are hashed on ``worker``."""

    def __init__(self, accounts: IAccounts, worker: IWorker) -> None:
        self._accounts = accounts
        self._worker = worker
        # A tag covers the secret, and must not be a way to test guesses of it.
        self._key = token_bytes(32)

    def operations(self) -> tuple[Operation, ...]:
        """Give what is offered."""
        owner, user = Right.MANAGE, ref("User")
        return (
            Operation("list_users", "GET", "/users", "Every user, in the order of the file.",
                      owner, self.list, answer=listed("User")),
            Operation("create_user", "POST", "/users", "Make a user that is not there.",
                      owner, self.create, ref("NewUser"), user, 201,
                      problems=(409,), tagged=True),
            Operation("get_user", "GET", _ONE, "One user.",
                      owner, self.get, answer=user, problems=(404,), tagged=True),
            Operation("replace_user", "PUT", _ONE, "Say all of a user anew.",
                      owner, self.replace, ref("UserReplacement"), user, 200, _FORCE,
                      (404, 409, 412), tagged=True),
            Operation("patch_user", "PATCH", _ONE, "Change what is named (RFC 7396).",
                      owner, self.patch, ref("UserPatch"), user, 200, _FORCE,
                      (404, 409, 412), tagged=True),
            Operation("delete_user", "DELETE", _ONE, "Remove a user and end all that is his.",
                      owner, self.delete, None, None, 204, _FORCE, (404, 409, 412), tagged=True),
        )

    def list(self, call: Call) -> Response:
        """Answer with every user."""
        return told([_user(account) for account in self._accounts.accounts().values()])

    def get(self, call: Call) -> Response:
        """Answer with one."""
        return self._told(_find(self._accounts.accounts(), call))

    async def create(self, call: Call) -> Response:
        """Make one."""
        name = call.body["name"]
        _check_name(name)
        rights = rights_of(call.body.get("rights", {}))
        account = Account(name, await self._secret(call.body["password"]), rights)

        def create(accounts: Accounts) -> Account:
            if name in accounts:
                raise Refused(409, "There is a user of this name already.")
            return account

        await self._edit(call, name, create)
        place = f"{PREFIX}/users/{quote(name, safe='')}".encode("ascii")
        return self._told(self._accounts.accounts()[name], 201, (b"Location", place))

    async def replace(self, call: Call) -> Response:
        """Replace one; a password that is not given stays."""
        return await self._change(call, lambda before: rights_of(call.body["rights"]))

    async def patch(self, call: Call) -> Response:
        """Change what is named of one."""
        said = call.body.get("rights", {})
        return await self._change(call, lambda before: rights_of(said, before))

    async def delete(self, call: Call) -> Response:
        """Remove one."""

        def delete(accounts: Accounts) -> None:
            self._match(call, _find(accounts, call))

        await self._edit(call, call.path["name"], delete)
        return done()

    async def _change(self, call: Call, rights: Callable[[Right], Right]) -> Response:
        self._match(call, _find(self._accounts.accounts(), call))
        given = call.body.get("password")
        secret = await self._secret(given) if given is not None else None

        def change(accounts: Accounts) -> Account:
            account = _find(accounts, call)
            self._match(call, account)
            return account._replace(secret=secret or account.secret, rights=rights(account.rights))

        await self._edit(call, call.path["name"], change)
        return self._told(_find(self._accounts.accounts(), call))

    async def _edit(self, call: Call, name: str,
                    change: Callable[[Accounts], Optional[Account]]) -> None:
        """Make a change for one who is the owner still, and keep an owner."""

        def guarded(accounts: Accounts) -> Mapping[str, Optional[Account]]:
            grant = call.request.grant
            if grant is None:
                raise Refused(403, "You may not do this.")
            grant.require(Right.MANAGE)
            changes = {name: change(accounts)}
            if not call.query.get("force") and bereaves(accounts, changes):
                raise Refused(409, "No owner would be left; to do it all the same: ?force=true.")
            return changes

        await self._accounts.edit(guarded)

    async def _secret(self, password: str) -> str:
        if len(password.encode()) > FIELD_LIMIT:
            raise invalid("/password", f"must have at most {FIELD_LIMIT} bytes")
        secret: str = await self._worker.do(hash_password, password)
        return secret

    def _match(self, call: Call, account: Account) -> None:
        check_match(call, self._tag(account), "user is")

    def _tag(self, account: Account) -> bytes:
        return tag_of((account.name, account.secret, account.rights.value), self._key)

    def _told(self, account: Account, status: int = 200, *more: tuple[bytes, bytes]) -> Response:
        return told(_user(account), status, (b"ETag", self._tag(account)), *more)


def _find(accounts: Accounts, call: Call) -> Account:
    account = accounts.get(call.path["name"])
    if account is None:
        raise missing("user")
    return account


def _check_name(name: str) -> None:
    try:
        canonical(Account(name, "", Right.ENTER))
    except ValueError as error:
        raise invalid("/name", str(error)) from None


def _user(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "rights": rights_said(account.rights),
        "letters": letters_from_rights(account.rights),
    }
