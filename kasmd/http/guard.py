"""Proof to grant: HTTP Basic on every request, no session, no cookie."""

from __future__ import annotations

import math
from typing import Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from kasmd.errors import LockedOut, LoginRefused, ProtocolError, UnknownPrincipal
from kasmd.http.headers import Credentials, basic_credentials
from kasmd.http.problems import Problem
from kasmd.http.server import Request
from kasmd.interfaces import IPermissionRegistry
from kasmd.permission.checkers import TooManyWaiting

CHALLENGE = (b"WWW-Authenticate", b'Basic realm="kasmd", charset="UTF-8"')


class Authenticates(Protocol):
    """Turns a proof into the name that it proves."""

    def authenticate(self, name: str, password: str, address: str) -> Deferred[str]:
        """Fire with the account's name, or fail with LoginRefused or LockedOut."""


class Guard:
    """Puts the grant of whoever asks on each request, or raises a `Problem`.

    Only the connection's own address counts for the lock-out: no header can
    name another one, and a request without credentials is not an attempt.
    """

    def __init__(
        self, authenticator: Authenticates, registry: IPermissionRegistry, target: str
    ) -> None:
        self._authenticator = authenticator
        self._registry = registry
        self._target = target

    def admit(self, request: Request) -> Deferred[Request]:
        """Fire with the request once it holds a grant."""
        try:
            name, password = self._credentials(request)
        except ProtocolError as error:
            raise Problem(401, f"Not understood: {error}.", [CHALLENGE]) from None
        proof = maybeDeferred(self._authenticator.authenticate, name, password, request.address)
        return proof.addCallbacks(self._grant, self._refused, (request,))

    def _credentials(self, request: Request) -> Credentials:
        credentials = basic_credentials(request.value(b"Authorization"))
        if credentials is None:
            raise Problem(401, "A name and a password are needed.", [CHALLENGE])
        return credentials

    def _grant(self, name: str, request: Request) -> Request:
        if request._disconnected:
            raise Problem(408, "The client went away.")
        try:
            request.grant = self._registry.admit(name, self._target)
        except UnknownPrincipal:
            raise Problem(401, "This account is gone.", [CHALLENGE]) from None
        return request

    def _refused(self, failure: Failure) -> Request:
        error = failure.value
        if isinstance(error, LockedOut):
            wait = max(1, math.ceil(error.seconds))
            raise Problem(
                429,
                f"Too many wrong passwords from your address; try again in {wait} seconds.",
                [(b"Retry-After", b"%d" % wait)],
            )
        if isinstance(error, TooManyWaiting):
            raise Problem(503, "Many people are logging in; try again.", [(b"Retry-After", b"1")])
        if isinstance(error, LoginRefused):
            raise Problem(401, "The name and the password do not belong together.", [CHALLENGE])
        failure.raiseException()
        raise error
