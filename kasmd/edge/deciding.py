"""One process decides who may pass for those that carry what passes.

A worker's request is answered by the edge's own site, as if it had come over a
connection; only where the site would relay it, the worker is given leave to.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Callable, NamedTuple, Optional, Union

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from kasmd.edge.asking import Allowed
from kasmd.edge.census import Census
from kasmd.edge.messages import (
    Ask,
    Begun,
    Bound,
    Counted,
    Done,
    Ended,
    Given,
    Here,
    Logged,
    Message,
    Said,
    Stale,
    Wire,
)
from kasmd.h1.fields import Fields
from kasmd.h1.head import RequestHead
from kasmd.http.body import KeptBody
from kasmd.http.channel import Channel
from kasmd.http.headers import TICKET_FIELD
from kasmd.http.problems import Problem
from kasmd.http.server import HttpFactory, Request, Response
from kasmd.interfaces import IGrant
from kasmd.permission.tickets import REUSE
from kasmd.rights import NOTHING, Right

_log = Logger(namespace="kasmd.edge")

#: What a worker says of itself.
Told = Union[Begun, Logged, Counted]

#: Seconds in which a worker says that it closed what it must.
HEARD_SECONDS = 0.9


class _Line(Channel):
    """The connection of a request that another process has."""

    def __init__(self, face: HttpFactory, asked: Ask) -> None:
        super().__init__(face)
        self.number = asked.connection
        self.peer_address, self.peer_port = asked.address, asked.port
        self.secure = asked.secure

    @property
    def is_read(self) -> bool:
        """A worker sends a request when all of it came."""
        return True


class Inquiry(Request):
    """A worker's request; its answer goes back there, and is logged there."""

    def __init__(self, decider: Decider, asked: Ask) -> None:
        fields = Fields([(name, value) for name, value in asked.fields])
        head = RequestHead(asked.method, asked.uri, asked.version, fields)
        super().__init__(_Line(decider.face, asked), head)
        self.request_id = asked.request_id
        self.number = asked.number
        self._decider = decider

    def take(self, body: bytes) -> None:
        """Keep the body as far as its route has room (a `Problem`)."""
        room = self._decider.face.room(self.method, self.path)
        if body and isinstance(room, int):
            self.intake = KeptBody(self._decider.face, room)
            self.intake.admit(len(body))
            self.intake.body_received(body)

    def answer(self, response: Optional[Response]) -> None:
        """Send ``response`` to the worker; None was given leave.

        What the request ended is closed by then, in whichever process.
        """
        if response is not None and not self.over:
            self._decider.endings.when_none(partial(self._reply, response))

    def _reply(self, response: Response) -> None:
        if self.over:
            return
        cookies = [(b"Set-Cookie", cookie) for cookie in self.cookies]
        headers = (*response.headers, *cookies)
        name = self.principal.name if self.principal is not None else ""
        self._decider.say(Said(self.number, name, response.status, headers, response.body))
        self.let_go()

    def abort(self) -> None:
        """There is no answer."""
        self.answer(Response(500))

    def _record(self) -> None:
        self._decider.answered(self)

    def give(self, allowed: Allowed) -> None:
        """Let the worker relay it."""
        if not self.over:
            self._decider.give(self, allowed)
            self.grant = None
            self.let_go()


def give_leave(request: Request, allowed: Allowed) -> None:
    """Forward a worker's request: the worker does it."""
    assert isinstance(request, Inquiry), "nobody else asks here"
    request.give(allowed)


class Endings:
    """What the workers of one edge were told to close, and did not say yet that they did."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[Callable[[], None]] = []

    def began(self) -> None:
        """There is one more."""
        self._count += 1

    def over(self) -> None:
        """There is one less."""
        self._count -= 1
        if not self._count:
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                call()

    def when_none(self, call: Callable[[], None]) -> None:
        """Call it now, or as soon as there is none."""
        if self._count:
            self._waiting.append(call)
        else:
            call()


class _Held(NamedTuple):
    grant: IGrant
    unwatch: Callable[[], None]


class Decider:
    """Answers one worker through ``face``, whose site forwards by `give_leave`.

    What it gave is remembered there for ``lease`` seconds.  ``stuck`` is called
    when the worker does not end what it must; ``told`` takes what else it says;
    ``endings`` and ``census`` are those of all workers.
    """

    def __init__(
        self,
        face: HttpFactory,
        lease: float,
        stuck: Callable[[], None],
        told: Callable[[Told], None],
        endings: Endings,
        census: Census,
    ) -> None:
        self.face = face
        self.endings = endings
        self._census = census
        self.wire = Wire(self.received, self.lost)
        self._lease = lease
        self._stuck = stuck
        self._told = told
        self._idents = count(1)
        self._asked: set[Inquiry] = set()
        self._held: dict[int, _Held] = {}
        self._ending: dict[int, IDelayedCall] = {}

    def __len__(self) -> int:
        return len(self._held)

    def stale(self) -> None:
        """Something changed that is behind what was given."""
        self.wire.send(Stale())

    def bound(self, address: str, most: Optional[int]) -> None:
        """All workers have too many connections, or no longer; a `kasmd.edge.census.Process`."""
        self.wire.send(Bound(address, most))

    # What the worker says.

    def received(self, message: Message) -> None:
        """Act on a message."""
        if isinstance(message, Ask):
            self._ask(message)
        elif isinstance(message, Done):
            self._done(message.ident)
        elif isinstance(message, Here):
            self._census.told(self, message.counts)
        elif isinstance(message, (Begun, Logged, Counted)):
            self._told(message)

    def _ask(self, asked: Ask) -> None:
        inquiry = Inquiry(self, asked)
        self._asked.add(inquiry)
        try:
            inquiry.take(asked.body)
        except Problem as problem:
            inquiry.fail(problem)
        else:
            inquiry.dispatch()

    def _done(self, ident: int) -> None:
        patience = self._ending.pop(ident, None)
        if patience is not None:
            patience.cancel()
            self.endings.over()
        held = self._held.pop(ident, None)
        if held is not None:
            held.unwatch()
            held.grant.release()

    def lost(self) -> None:
        """The worker is gone, and with it all that was open."""
        self._census.gone(self)
        for inquiry in list(self._asked):
            inquiry.gone = True
            inquiry.let_go()
        for ident in list(self._held):
            self._done(ident)

    # What it is told.

    def say(self, said: Said) -> None:
        """Send an answer."""
        self.wire.send(said)

    def answered(self, inquiry: Inquiry) -> None:
        """An inquiry is over."""
        self._asked.discard(inquiry)

    def give(self, inquiry: Inquiry, allowed: Allowed) -> None:
        """Give leave, and hold the grant that it comes from until it is done with."""
        ident, grant = next(self._idents), allowed.grant
        unwatch = grant.when_changed(lambda: self._changed(ident))
        self._held[ident] = _Held(grant, unwatch)
        rights = NOTHING
        for right in Right:
            rights |= right if grant.holds(right) else NOTHING
        self.wire.send(Given(
            inquiry.number, ident, allowed.principal.name, allowed.principal.kind, rights.value,
            allowed.session, allowed.upstream, allowed.target, allowed.fields, allowed.reach,
            self._seconds(allowed), inquiry.cookies,
        ))  # fmt: skip

    def _seconds(self, allowed: Allowed) -> float:
        """Give how long leave is remembered: not until the ticket that is in it is old."""
        signed = any(name == TICKET_FIELD for name, _ in allowed.fields)
        return min(allowed.seconds, self._lease, REUSE if signed else self._lease)

    def _changed(self, ident: int) -> None:
        held = self._held.get(ident)
        if held is None or ident in self._ending:
            return
        if held.grant.holds(Right.ENTER):
            self.stale()
            return
        self.endings.began()
        self.wire.send(Ended(ident))
        self._ending[ident] = self.face.reactor.callLater(HEARD_SECONDS, self._unheard, ident)

    def _unheard(self, ident: int) -> None:
        del self._ending[ident]
        self.endings.over()
        _log.error("a process of this edge does not close what it must, and is killed")
        self._stuck()
