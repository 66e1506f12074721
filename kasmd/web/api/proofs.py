"""What stands for a password: /invitations, /tokens and /logins."""

from __future__ import annotations

from typing import Any

from kasmd.errors import UnknownPrincipal
from kasmd.http.server import Request, Response
from kasmd.permission.invitations import Invitation, Invitations
from kasmd.permission.logins import Logins
from kasmd.permission.proofs import Proofs as Kinds
from kasmd.permission.tokens import Token, Tokens, check_label
from kasmd.rights import Right
from kasmd.web.api.operations import Call, Operation, done, told
from kasmd.web.api.problems import Refused, invalid, missing
from kasmd.web.api.rights import rights_of, rights_said
from kasmd.web.api.schemas import listed, ref

_OWNER = Right.MANAGE


class Proofs:
    """The three kinds of ``proofs``."""

    def __init__(self, proofs: Kinds) -> None:
        self._invitations: Invitations = proofs.invitations
        self._tokens: Tokens = proofs.tokens
        self._logins: Logins = proofs.logins

    def operations(self) -> tuple[Operation, ...]:
        """Give what is offered."""
        return (
            Operation("list_invitations", "GET", "/invitations", "Every invitation.",
                      _OWNER, self.invitations, answer=listed("Invitation")),
            Operation("create_invitation", "POST", "/invitations",
                      "Invite a guest: the link needs no account.",
                      _OWNER, self.invite, ref("NewInvitation"), ref("Invitation"), 201),
            Operation("delete_invitation", "DELETE", "/invitations/{id}",
                      "End an invitation, and its guests' sessions.",
                      _OWNER, self.uninvite, status=204, problems=(404,)),
            Operation("list_tokens", "GET", "/tokens", "Every token, without its secret.",
                      _OWNER, self.tokens, answer=listed("Token")),
            Operation("create_token", "POST", "/tokens", "Make a token; its secret is shown once.",
                      _OWNER, self.make_token, ref("NewToken"), ref("MadeToken"), 201),
            Operation("delete_token", "DELETE", "/tokens/{id}", "Revoke a token.",
                      _OWNER, self.revoke_token, status=204, problems=(404,)),
            Operation("list_logins", "GET", "/logins", "Every session of the log-in page.",
                      _OWNER, self.logins, answer=listed("Login")),
            Operation("delete_login", "DELETE", "/logins/{id}", "Log somebody out.",
                      _OWNER, self.end_login, status=204, problems=(404,)),
        )

    def invitations(self, call: Call) -> Response:
        """Answer with every invitation."""
        found = self._invitations.invitations()
        return told([self._invited(each, call.request) for each in found])

    async def invite(self, call: Call) -> Response:
        """Make an invitation in the name of who asks."""
        said = call.body
        rights = rights_of(said["rights"])
        if Right.MANAGE in rights:
            raise invalid("/rights/manage", "nobody manages without an account")
        _check_label(said["label"])
        # Of all that is checked there, the time is what a schema cannot say.
        try:
            made = await self._invitations.make(
                said["label"], _asker(call.request), rights, float(said["expires"]),
                int(said.get("guests", 1)), _uses(said.get("uses")),
            )
        except ValueError as error:
            raise invalid("/expires", str(error)) from None
        return told(self._invited(made, call.request), 201)

    async def uninvite(self, call: Call) -> Response:
        """End an invitation."""
        return _ended(await self._invitations.revoke(call.path["id"]), "invitation")

    def tokens(self, call: Call) -> Response:
        """Answer with every token."""
        return told([self._token(each) for each in self._tokens.tokens()])

    async def make_token(self, call: Call) -> Response:
        """Make a token."""
        said = call.body
        account = said.get("account", _asker(call.request))
        _check_label(said["label"])
        try:
            token, secret = await self._tokens.make(
                said["label"], account, rights_of(said["scope"]), float(said["expires"])
            )
        except UnknownPrincipal:
            raise invalid("/account", "there is no such user") from None
        except ValueError as error:
            raise invalid("/expires", str(error)) from None
        return told({"token": self._token(token), "secret": secret}, 201)

    async def revoke_token(self, call: Call) -> Response:
        """Revoke a token."""
        return _ended(await self._tokens.revoke(call.path["id"]), "token")

    def logins(self, call: Call) -> Response:
        """Answer with every log-in, the one unused longest first."""
        found = [login._asdict() for login in self._logins.logins()]
        return told([{"id": each.pop("ident"), **each} for each in found])

    def end_login(self, call: Call) -> Response:
        """End a log-in."""
        return _ended(self._logins.end(call.path["id"]), "login")

    def _invited(self, invitation: Invitation, request: Request) -> dict[str, Any]:
        said = invitation._asdict()
        scheme = "https" if request.secure else "http"
        place = f"{scheme}://{request.value(b'Host').decode('latin-1')}/invite"
        return {
            "id": said.pop("ident"),
            **said,
            "rights": rights_said(invitation.rights),
            "present": len(self._invitations.guests(invitation.ident)),
            "link": f"{place}#{self._invitations.code(invitation.ident)}",
        }

    def _token(self, token: Token) -> dict[str, Any]:
        said = token._asdict()
        del said["digest"]
        return {
            "id": token.ident,
            **said,
            "scope": rights_said(token.scope),
            "last_used": self._tokens.last_used(token.ident),
        }


def _asker(request: Request) -> str:
    if request.principal is None:
        raise Refused(403, "You may not do this.")
    return request.principal.name


def _check_label(label: str) -> None:
    try:
        check_label(label)
    except ValueError as error:
        raise invalid("/label", str(error)) from None


def _uses(said: object) -> Any:
    return int(said) if isinstance(said, (int, float)) else None


def _ended(found: bool, what: str) -> Response:
    if not found:
        raise missing(what)
    return done()
