"""The direct site of `tests.edge.direct_site`, asked by other processes, which are here."""

from __future__ import annotations

import socket
from typing import Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from kasmd.edge.asking import Allowed, Forward
from kasmd.edge.census import Census
from kasmd.edge.deciding import Decider, Endings, give_leave
from kasmd.edge.delegate import Delegate
from kasmd.edge.messages import Message, Wire
from kasmd.http.server import Answer, HttpFactory, Limits, Request
from kasmd.rights import Right
from kasmd.worker import adopt
from tests.edge.direct_site import DirectCase, told


class Held:
    """A request that was let in, and is neither answered nor left until its grant ends."""

    def __init__(self, request: Request, allowed: Allowed) -> None:
        self.allowed = allowed
        self.ended: Deferred[None] = Deferred().addTimeout(60, reactor)
        self._request = request
        self._unwatch = allowed.grant.when_changed(self._changed)

    def _changed(self) -> None:
        if not self.allowed.grant.holds(Right.ENTER):
            self.end()

    def end(self) -> None:
        """Answer it."""
        self._unwatch()
        self._request.answer(told(self._request, self.allowed))
        self.ended.callback(None)


class Heard(Wire):
    """A wire's end that keeps what came before ``hear`` has it."""

    def __init__(self, received: Callable[[Message], None], lost: Callable[[], None]) -> None:
        super().__init__(self._keep, lost)
        self.heard: list[Message] = []
        self.hear = received
        self._waiting: list[tuple[type, int, Deferred[None]]] = []

    def _keep(self, message: Message) -> None:
        self.heard.append(message)
        self.hear(message)
        for entry in list(self._waiting):
            kind, number, waiting = entry
            if self.count(kind) >= number:
                self._waiting.remove(entry)
                waiting.callback(None)

    def until(self, kind: type, number: int = 0) -> Deferred[None]:
        """Fire when so many messages of this kind were acted on; 0: one more than there are."""
        number = number or self.count(kind) + 1
        waiting: Deferred[None] = Deferred()
        if self.count(kind) >= number:
            waiting.callback(None)
            return waiting
        self._waiting.append((kind, number, waiting))
        return waiting.addTimeout(60, reactor)

    def count(self, kind: type) -> int:
        """Count the messages of a kind."""
        return len([message for message in self.heard if isinstance(message, kind)])


class DelegatedCase(DirectCase):
    """The site decides for a delegate, which is on the port; `held` keeps requests open."""

    forward: Forward = staticmethod(give_leave)
    lease = 5.0
    holds = False

    def serve(self, factory: HttpFactory) -> None:
        self.held: list[Held] = []
        self.stuck = self.lost = 0
        self.messages: list[Message] = []
        self.decider = Decider(
            factory, self.lease, self.get_stuck, self.messages.append, Endings(),
            Census(factory.limits),
        )
        self.to_delegate = Heard(lambda message: self.delegate.received(message), self.lose)
        self.to_decider = Heard(self.decider.received, self.decider.lost)
        self.decider.wire = self.to_decider
        ours, theirs = socket.socketpair()
        adopt(reactor, ours, self.to_decider)
        adopt(reactor, theirs, self.to_delegate)
        self.addCleanup(self.to_delegate.close)
        self.addCleanup(self.to_decider.close)
        self.directory.when_changed(self.decider.stale)
        self.accounts.when_changed(self.decider.stale)
        self.delegate = Delegate(
            reactor, self.to_delegate, name=b"front", forward=self.carry,
            prefix=self.prefix.encode(),
        )
        super().serve(HttpFactory(
            reactor, self.delegate.respond, (), Limits(), self.delegate.room,
            present=self.delegate.present,
        ))

    def get_stuck(self) -> None:
        self.stuck += 1

    def lose(self) -> None:
        self.lost += 1
        self.delegate.lost()

    def carry(self, request: Request, allowed: Allowed) -> Answer:
        """Relay a request."""
        if not self.holds:
            return told(request, allowed)
        self.held.append(Held(request, allowed))
        return None
