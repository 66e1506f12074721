"""One edge, composed: what it publishes, and how it asks who may pass."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, NamedTuple, Optional, Sequence, Union

from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure

from kasmd.edge.asking import Allowed, Authoriser, Forward
from kasmd.edge.cors import Cors
from kasmd.edge.desktops import Desktops
from kasmd.edge.direct import DirectAuthoriser
from kasmd.edge.directory import Directory
from kasmd.edge.failures import HopFailure, refusal
from kasmd.errors import PermissionDenied
from kasmd.http.body import Room
from kasmd.http.guard import Authenticates, Guard, Sessions
from kasmd.http.problems import Problem
from kasmd.http.routes import ANY, PUBLIC, Route, Routes
from kasmd.http.server import Answer, Request, Response
from kasmd.interfaces import IPermissionRegistry
from kasmd.permission.shares import LOBBY
from kasmd.rights import Right

_JSON = (b"Content-Type", b"application/json")
_TEXT = (b"Content-Type", b"text/plain")
_NOT_KEPT = (b"Cache-Control", b"no-store")


class Door(NamedTuple):
    """How people log in at an edge that is itself asked who they are.

    ``instead`` answers a page that was asked for without a proof; the paths of
    ``routes`` are those below the edge's prefix already.
    """

    routes: Sequence[Route]
    instead: Callable[[Failure, Request], Union[Answer, Failure]]


class EdgeSite:
    """Answers the requests of one edge.

    ``authoriser`` is asked for what is below ``<prefix>/desktop/``, ``owners``, where it
    is another guard, for what is below ``<prefix>/__edge/``, and ``lobby`` for the rest;
    ``body`` is the room that the relay's route has.
    """

    def __init__(
        self,
        *,
        name: bytes,
        authoriser: Authoriser,
        forward: Forward,
        prefix: bytes = b"",
        cors: Cors = Cors(()),
        more: Sequence[Route] = (),
        lobby: Optional[Guard] = None,
        owners: Optional[Guard] = None,
        door: Optional[Door] = None,
        body: Room = 0,
    ) -> None:
        self._name = name
        self._authoriser = authoriser
        self._forward = forward
        self._below = prefix + b"/desktop/"
        self._prefix = prefix
        self._lobby = lobby
        self._owners = owners or lobby
        self._door = door
        #: While they are dispatched.
        self._allowed: dict[Request, Allowed] = {}
        self.routes = Routes(
            (
                Route(b"GET", prefix + b"/__healthcheck", PUBLIC, healthy),
                Route(b"GET", prefix + b"/checkvalid", PUBLIC, _valid),
                Route(b"OPTIONS", self._below + b"*", PUBLIC, cors.preflight),
                Route(ANY, self._below + b"*", Right.ENTER, self._relay, body),
                *more,
                *(door.routes if door is not None else ()),
            )
        )

    def room(self, method: bytes, path: bytes) -> Room:
        """Give how much of a body the route for this reads."""
        return self.routes.room(method, path)

    def respond(self, request: Request) -> Answer:
        """Answer, or raise or fail with a `Problem`."""
        try:
            answer = self._respond(request)
        except PermissionDenied:
            raise refusal("not-allowed") from None
        if answer is None or isinstance(answer, Response):
            return answer
        return answer.addErrback(_denied)

    def present(self, problem: Problem, request: Request) -> Problem:
        """Say which hop failed, and for which request."""
        return HopFailure(problem, self._name, request.request_id)

    def _respond(self, request: Request) -> Answer:
        if self._prefix and request.path == self._prefix:
            raise _with_slash(request)
        if self.routes.is_public(request):
            return self.routes.dispatch(request)
        enter: Callable[[Any], Answer] = self.routes.dispatch
        if request.path.startswith(self._below):
            if self._door is None:
                return self._pass(request)
            authorise: Callable[[Request], Any] = self._authoriser.authorise
            asked = maybeDeferred(authorise, request)
            enter = partial(self._let_in, request)
        elif self._owners is not None and request.path.startswith(self._prefix + b"/__edge/"):
            asked = maybeDeferred(self._owners.admit, request)
        elif self._lobby is not None and request.path.startswith(self._prefix + b"/"):
            asked = maybeDeferred(self._lobby.admit, request)
        else:
            raise refusal("no-such-page")
        if self._door is None:
            return asked.addCallback(enter)
        return asked.addCallbacks(enter, self._door.instead, errbackArgs=(request,))

    def _pass(self, request: Request) -> Answer:
        allowed = self._authoriser.authorise(request)
        if isinstance(allowed, Allowed):
            return self._let_in(request, allowed)
        return allowed.addCallback(partial(self._let_in, request))

    def _let_in(self, request: Request, allowed: Allowed) -> Answer:
        request.grant, request.principal = allowed.grant, allowed.principal
        self._allowed[request] = allowed
        try:
            return self.routes.dispatch(request)
        finally:
            del self._allowed[request]

    def _relay(self, request: Request) -> Answer:
        return self._forward(request, self._allowed[request])


def make_direct(
    *,
    name: str,
    directory: Directory,
    registry: IPermissionRegistry,
    authenticator: Authenticates,
    sessions: Sessions,
    door: Door,
    forward: Forward,
    prefix: str = "",
    cors: Cors = Cors(()),
    ancestors: str = "'self'",
    body: Room = 0,
    owners: Optional[Guard] = None,
    more: Sequence[Route] = (),
) -> EdgeSite:
    """Make a direct edge.

    ``registry`` is a `kasmd.permission.shares.SessionRegistry` over ``directory``.
    """
    guard = Guard(authenticator, registry, LOBBY, sessions)
    below = prefix.encode("ascii")
    desktops = Desktops(directory, registry, prefix, ancestors)
    return EdgeSite(
        name=name.encode("ascii"),
        authoriser=DirectAuthoriser(guard, directory, below + b"/desktop/"),
        forward=forward,
        prefix=below,
        cors=cors,
        more=(
            Route(b"GET", below + b"/", Right.ENTER, desktops.show),
            Route(b"GET", below + b"/api/v1/desktops", Right.ENTER, desktops.as_json),
            *more,
        ),
        lobby=guard,
        owners=owners,
        door=door,
        body=body,
    )


def _denied(failure: Failure) -> Failure:
    if failure.check(PermissionDenied) is None:
        return failure
    raise refusal("not-allowed")


def healthy(request: Request) -> Response:
    """Answer whoever looks whether this edge is alive."""
    return Response(200, (_JSON, _NOT_KEPT), b'{"ok": true}')


def _valid(request: Request) -> Response:
    """Answer whoever measures which zone is near (workspaces.md 1.2)."""
    return Response(200, (_TEXT, _NOT_KEPT, (b"Access-Control-Allow-Origin", b"*")), b"ok")


def _with_slash(request: Request) -> Problem:
    last = request.path.rpartition(b"/")[2]
    query = request.uri[len(request.path) :]
    where = b"./" + last + b"/" + query
    return Problem(308, "The address ends with a slash.", [(b"Location", where)])
