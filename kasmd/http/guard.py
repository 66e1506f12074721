"""Proof to grant: a ticket, Basic, a bearer token, or the session's cookie, in this order.

The first that is there counts alone, whatever comes with it.  A person
who came by Basic gets a cookie as well: not every browser gives its websockets
the password (Safari's do not).
"""

from __future__ import annotations

import math
from typing import NamedTuple, Optional, Protocol

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.errors import LockedOut, LoginRefused, ProtocolError, UnknownPrincipal
from kasmd.http.cookies import SessionCookie
from kasmd.http.headers import TICKET_FIELD, basic_credentials, bearer_token
from kasmd.http.problems import Headers, Problem
from kasmd.http.proxies import is_loopback
from kasmd.http.server import Request
from kasmd.interfaces import IPermissionRegistry, Principal
from kasmd.permission.checkers import TooManyWaiting
from kasmd.permission.proofs import Proofs
from kasmd.permission.registry import PASSWORD
from kasmd.permission.tickets import Tickets

_log = Logger(namespace="kasmd.http")

CHALLENGE = (b"WWW-Authenticate", b'Basic realm="kasmd", charset="UTF-8"')
BAD_TOKEN = (b"WWW-Authenticate", b'Bearer realm="kasmd", error="invalid_token"')
#: Inside another site's page a password prompt would pass for that site's.
_FRAMES = (b"iframe", b"frame", b"embed", b"object")


class Authenticates(Protocol):
    """Turns a proof into the name that it proves."""

    def authenticate(self, name: str, password: str, address: str) -> Deferred[str]:
        """Fire with the account's name, or fail with LoginRefused or LockedOut."""


class Sessions(NamedTuple):
    """What a guard needs to take more than passwords."""

    proofs: Proofs
    cookie: SessionCookie
    #: Whether browsers are asked for a password with their own prompt.
    prompt: bool = True


class Guard:
    """Puts the principal and the grant of whoever asks on each request, or raises a `Problem`.

    A request without credentials is not an attempt, and does not count for the
    lock-out; nor does a cookie, a token or a ticket, which nobody guesses.
    ``target`` is what is asked for where `admit` is not told.  Without
    ``tickets`` no other hop is believed.
    """

    def __init__(
        self,
        authenticator: Authenticates,
        registry: IPermissionRegistry,
        target: str,
        sessions: Optional[Sessions] = None,
        tickets: Optional[Tickets] = None,
    ) -> None:
        self._authenticator = authenticator
        self._registry = registry
        self._target = target
        self._sessions = sessions
        self._tickets = tickets

    def admit(self, request: Request, target: Optional[str] = None) -> Deferred[Request]:
        """Fire with the request once it holds a grant for ``target``.

        PermissionDenied where somebody is known and it is no business of his.
        """
        wanted = self._target if target is None else target
        return self._proven(request).addCallback(self._grant, request, wanted)

    def _proven(self, request: Request) -> Deferred[Principal]:
        if self._tickets is not None and request.values(TICKET_FIELD):
            return succeed(self._by_ticket(self._tickets, request))
        value = request.value(b"Authorization")
        try:
            credentials = basic_credentials(value)
            token = bearer_token(value)
        except ProtocolError as error:
            raise Problem(401, f"Not understood: {error}.", self._challenge(request)) from None
        if credentials is not None:
            proof = maybeDeferred(self._authenticator.authenticate, *credentials, request.address)
            return proof.addCallbacks(Principal, self._refused, errbackArgs=(request,))
        if token is not None:
            return succeed(self._by_token(token))
        return succeed(self._by_cookie(request))

    def _refused(self, failure: Failure, request: Request) -> Principal:
        raise refusal(failure, self._challenge(request))

    def _by_ticket(self, tickets: Tickets, request: Request) -> Principal:
        try:
            return tickets.read(request.value(TICKET_FIELD).decode("latin-1")).principal
        except LoginRefused as error:
            _log.warn("the ticket of {peer} is refused: {why}", peer=request.peer, why=str(error),
                      request_id=request.request_id)
            raise Problem(401, f"The proxy in front is not believed: {error}.") from None

    def _by_token(self, token: str) -> Principal:
        sessions = self._sessions
        principal = sessions.proofs.tokens.principal(token) if sessions is not None else None
        if principal is None:
            text = "This token is not valid, or not any more."
            raise Problem(401, text, [CHALLENGE, BAD_TOKEN])
        return principal

    def _by_cookie(self, request: Request) -> Principal:
        sessions = self._sessions
        secret = sessions.cookie.read(request) if sessions is not None else ""
        if sessions is None or not secret:
            raise Problem(401, "A name and a password are needed.", self._challenge(request))
        principal = sessions.proofs.by_cookie(secret)
        if principal is None:
            text = "Your session has ended; log in again."
            raise Problem(401, text, self._challenge(request, stale=True))
        return principal

    def _grant(self, principal: Principal, request: Request, target: str) -> Request:
        if request.gone:
            raise Problem(408, "The client went away.")
        try:
            request.grant = self._registry.admit(principal, target)
        except UnknownPrincipal:
            raise Problem(401, "This account is gone.", self._challenge(request)) from None
        request.principal = principal
        if principal.kind == PASSWORD and request.navigates:
            self._begin_session(principal, request)
        return request

    def _begin_session(self, principal: Principal, request: Request) -> None:
        """Give a page that came by Basic a cookie too, unless it has its own already."""
        sessions = self._sessions
        if sessions is None or not (request.secure or is_loopback(request.address)):
            return
        known = sessions.proofs.by_cookie(sessions.cookie.read(request))
        if known is None or known.name != principal.name:
            secret = sessions.proofs.logins.start(principal.name)
            request.cookies.append(sessions.cookie.begin(request, secret))

    def _challenge(self, request: Request, stale: bool = False) -> Headers:
        """Give the header that makes a browser prompt, where its prompt is wanted.

        It is not inside a frame, nor when a page's session ended: the page says
        so itself.  What is no browser is always told what is wanted.
        """
        navigating = request.navigates
        if request.value(b"Sec-Fetch-Dest") in _FRAMES:
            return []
        if request.values(b"Sec-Fetch-Mode") or navigating:
            wanted = self._sessions is None or self._sessions.prompt
            return [CHALLENGE] if wanted and (navigating or not stale) else []
        return [CHALLENGE]


def refusal(failure: Failure, challenge: Headers) -> Problem:
    """Give the answer to a log-in that failed; failures of our own go through."""
    error = failure.value
    if isinstance(error, LockedOut):
        wait = max(1, math.ceil(error.seconds))
        return Problem(
            429,
            f"Too many wrong passwords; try again in {wait} seconds.",
            [(b"Retry-After", b"%d" % wait)],
            "wrong_passwords",
        )
    if isinstance(error, TooManyWaiting):
        again = (b"Retry-After", b"1")
        return Problem(503, "Many people are logging in; try again.", [again], "logins")
    if isinstance(error, LoginRefused):
        return Problem(401, "The name and the password do not belong together.", challenge)
    failure.raiseException()
    raise error
