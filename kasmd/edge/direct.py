"""The direct edge: kasmd's own log-in, and the directory says where and with what.

    /desktop/<id>/<rest>  ->  the session's upstream, <its prefix>/<rest>

A session that there is not and one that is somebody else's are answered alike;
the log tells them apart.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.edge.asking import Allowed, Reach
from kasmd.edge.directory import Credential, Directory, Session
from kasmd.edge.failures import refusal
from kasmd.edge.paths import Place, check_path, place_of
from kasmd.errors import PermissionDenied
from kasmd.h1.fields import Field
from kasmd.http.guard import Guard
from kasmd.http.headers import TICKET_FIELD
from kasmd.http.problems import Problem
from kasmd.http.server import Request
from kasmd.rights import NOTHING, Right

_log = Logger(namespace="kasmd.edge")


class DirectAuthoriser:
    """Lets in who has logged in and has a share; an `kasmd.edge.asking.Authoriser`.

    ``guard`` asks a `kasmd.permission.shares.SessionRegistry` over the same
    ``directory``; ``below`` is the path of all desktops, with a slash at its end.
    The grant is the request's: whatever outlives the request needs its own.
    """

    def __init__(self, guard: Guard, directory: Directory, below: bytes = b"/desktop/") -> None:
        self._guard = guard
        self._directory = directory
        self._below = below

    def authorise(self, request: Request) -> Deferred[Allowed]:
        """Fire with leave to pass, or fail with a `Problem` that says why not."""
        return maybeDeferred(self._authorise, request)

    def _authorise(self, request: Request) -> Deferred[Allowed]:
        check_path(request.path)
        place = place_of(request.path, self._below)
        if place is None:
            raise refusal("no-such-session")
        admitted = self._guard.admit(request, place.session)
        return admitted.addCallbacks(self._allow, _not_here, (place,))

    def _allow(self, request: Request, place: Place) -> Allowed:
        session = self._directory.find(place.session)
        grant, principal = request.grant, request.principal
        if session is None or grant is None or principal is None:
            raise refusal("no-such-session")
        if not place.rest:
            raise _with_slash(request, place)
        if not session.running:
            raise refusal("session-starting")
        credential = session.credential_for(grant)
        if credential is None:
            raise refusal("not-allowed", detail="what you came with has too few rights")
        query = request.uri[len(request.path) :]
        target = session.prefix + place.rest + query
        fields = self._fields(request, session, credential)
        public = self._below + session.ident.encode("ascii")
        reach = Reach(public + b"/", public, session.prefix)
        return Allowed(grant, principal, session.ident, session.upstream, target, fields, reach)

    @staticmethod
    def _fields(request: Request, session: Session, credential: Credential) -> tuple[Field, ...]:
        """Give what the desktop is told, which the client never hears."""
        grant = request.grant
        if credential.tickets is not None and grant is not None:
            rights = NOTHING
            for right in Right:
                rights |= right if grant.holds(right) else NOTHING
            ticket = credential.tickets.sign(grant.name, session.ident, rights)
            return ((TICKET_FIELD, ticket.encode("ascii")),)
        if credential.authorization:
            return ((b"Authorization", credential.authorization),)
        return ()


def _not_here(failure: Failure) -> Failure:
    if failure.check(PermissionDenied) is None:
        return failure
    _log.info("{reason}", reason=failure.getErrorMessage())
    raise refusal("no-such-session")


def _with_slash(request: Request, place: Place) -> Problem:
    """Send a page to the session's address, below which its own addresses are."""
    if request.method not in (b"GET", b"HEAD"):
        return refusal("no-such-session")
    query = request.uri[len(request.path) :]
    where = place.session.encode("ascii") + b"/" + query
    return Problem(308, "The desktop's address ends with a slash.", [(b"Location", where)])
