"""One of several processes of an edge: it asks who may pass, and carries what does.

What is no desktop's (the log-in, the list) it passes to the one that decides,
whose answer it gives as it is.
"""

from __future__ import annotations

from itertools import count
from typing import Union
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from kasmd.edge.asking import Allowed, Forward
from kasmd.edge.failures import HopFailure, refusal
from kasmd.edge.leaves import Leaves
from kasmd.edge.messages import Ask, Done, Ended, Given, Message, Said, Stale, Wire
from kasmd.edge.paths import check_path
from kasmd.errors import PermissionDenied
from kasmd.http.body import STREAM, Room
from kasmd.http.problems import Problem
from kasmd.http.routes import ANY, PUBLIC, Route, Routes
from kasmd.http.server import Answer, Request, Response
from kasmd.interfaces import Principal
from kasmd.rights import Right

#: Bytes of a body that is passed on to be decided upon: a log-in, a revocation.
MAX_BODY = 1 << 16
#: Questions at one time.
MAX_ASKED = 4096

_Answered = Union[Given, Said]


class Delegate:
    """Answers the requests of one edge, as far as its decider lets it.

    It hears from ``wire``, by `received` and `lost`; ``seconds`` is how long an
    answer may take.
    """

    def __init__(
        self,
        clock: IReactorTime,
        wire: Wire,
        *,
        name: bytes,
        forward: Forward,
        prefix: bytes = b"",
        seconds: float = 90.0,
    ) -> None:
        self.leaves = Leaves(clock.seconds, lambda ident: wire.send(Done(ident)))
        self._wire = wire
        self._clock = clock
        self._name = name
        self._forward = forward
        self._seconds = seconds
        self._numbers = count(1)
        self._asked: dict[int, Deferred[_Answered]] = {}
        self._allowed: WeakKeyDictionary[Request, Allowed] = WeakKeyDictionary()
        below = prefix + b"/desktop/*"
        self.routes = Routes((
            Route(b"OPTIONS", below, PUBLIC, self._pass_on, MAX_BODY),
            Route(ANY, below, Right.ENTER, self._relay, STREAM),
            Route(ANY, b"/*", PUBLIC, self._pass_on, MAX_BODY),
        ))

    def room(self, method: bytes, path: bytes) -> Room:
        """Give how much of a body is read."""
        return self.routes.room(method, path)

    def present(self, problem: Problem, request: Request) -> Problem:
        """Say which hop failed, and for which request."""
        return HopFailure(problem, self._name, request.request_id)

    def respond(self, request: Request) -> Answer:
        """Answer, or raise or fail with a `Problem`."""
        if self.routes.is_public(request):
            return self.routes.dispatch(request)
        check_path(request.path)
        allowed = self.leaves.find(request)
        if allowed is not None:
            return self._let_in(allowed, request)
        return self._ask(request).addCallback(self._answered, request)

    # Asking.

    def _pass_on(self, request: Request) -> Answer:
        return self._ask(request).addCallback(self._answered, request)

    def _ask(self, request: Request) -> Deferred[_Answered]:
        if len(self._asked) >= MAX_ASKED or not self._wire.open:
            raise refusal("auth-service-down")
        number = next(self._numbers)
        asked: Deferred[_Answered] = Deferred()
        self._asked[number] = asked
        self._wire.send(Ask(
            number, request.method, request.uri, request.version, list(request.fields),
            request.body, request.address, request.channel.peer_port, request.secure,
            request.request_id, request.connection,
        ))  # fmt: skip
        # What comes after all this is no answer any more.
        asked.addTimeout(self._seconds, self._clock).addErrback(self._unanswered, number)
        return asked

    def _unanswered(self, failure: Failure, number: int) -> _Answered:
        self._asked.pop(number, None)
        failure.trap(DeferredTimeout)
        raise refusal("auth-service-down", detail="it did not answer in time")

    def _answered(self, answer: _Answered, request: Request) -> Answer:
        if isinstance(answer, Said):
            request.principal = Principal(answer.name) if answer.name else None
            headers = [(name, value) for name, value in answer.headers]
            return Response(answer.status, headers, answer.body)
        if request.over:
            self.leaves.refuse(answer)
            return None
        request.cookies += answer.cookies
        return self._let_in(self.leaves.put(answer, request), request)

    # Letting in.

    def _let_in(self, allowed: Allowed, request: Request) -> Answer:
        request.grant, request.principal = allowed.grant, allowed.principal
        self._allowed[request] = allowed
        try:
            return self.routes.dispatch(request)
        except PermissionDenied:
            raise refusal("not-allowed") from None

    def _relay(self, request: Request) -> Answer:
        return self._forward(request, self._allowed[request])

    # What the decider says.

    def received(self, message: Message) -> None:
        """Act on a message."""
        if isinstance(message, (Said, Given)):
            asked = self._asked.pop(message.number, None)
            if asked is not None:
                asked.callback(message)
            elif isinstance(message, Given):
                self.leaves.refuse(message)
        elif isinstance(message, Ended):
            self.leaves.end(message.ident)
        elif isinstance(message, Stale):
            self.leaves.forget()

    def lost(self) -> None:
        """Nobody says any more who may stay, so nobody does."""
        self.leaves.end_all()
        asked, self._asked = self._asked, {}
        for waiting in asked.values():
            waiting.errback(refusal("auth-service-down"))
