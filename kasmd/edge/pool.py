"""The connections to all upstreams: kept for a while, bounded, waited for in turn."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from kasmd.edge.asking import Upstream
from kasmd.edge.dial import Kind, Timeouts, UpstreamFailed, dial
from kasmd.edge.exchange import Exchange, Onward, Receiver
from kasmd.edge.upstream import UpstreamConnection
from kasmd.h1.body import Framing
from kasmd.h1.fields import Field
from kasmd.h1.head import Limits, ResponseHead
from kasmd.reactor import forget_frames


class Bounds(NamedTuple):
    """How many, for each upstream."""

    #: Connections that are kept without a request.
    idle: int = 32
    #: Connections with requests; websockets are not counted, they are bounded where they come in.
    busy: int = 256
    #: Requests that wait for one of these.
    waiting: int = 1024
    #: Bytes of the body of an answer that is asked for here and not passed on.
    asked: int = 1 << 20


class Pool:
    """Carries requests to upstreams.

    ``reactor`` connects (IReactorTCP, IReactorUNIX), resolves and tells the time.
    """

    def __init__(
        self,
        reactor: Any,
        timeouts: Timeouts = Timeouts(),
        bounds: Bounds = Bounds(),
        limits: Limits = Limits(),
    ) -> None:
        self.reactor = reactor
        self.timeouts = timeouts
        self.bounds = bounds
        self.limits = limits
        self._lanes: dict[Upstream, _Lane] = {}
        self._closed = False
        #: Connections that did not come about, by the kind of failure.
        self.undialled = Counter(dict.fromkeys(Kind, 0))

    def exchange(self, upstream: Upstream, onward: Onward, receiver: Receiver) -> Exchange:
        """Give the exchange of a request, which is to be started."""
        lane = self._lanes.get(upstream)
        if lane is None:
            lane = self._lanes[upstream] = _Lane(self, upstream)
        return Exchange(lane, onward, receiver)

    def ask(self, upstream: Upstream, target: bytes, fields: list[Field]) -> Deferred[ResponseHead]:
        """GET ``target``; fires with the answer's head once all of it came (UpstreamFailed)."""
        return _Question(self, upstream, Onward(b"GET", target, fields)).answer

    def close(self) -> None:
        """End the connections that carry nothing; the others end after what they carry."""
        self._closed = True
        for lane in list(self._lanes.values()):
            lane.close()

    @property
    def closed(self) -> bool:
        """Whether no connection is kept any more."""
        return self._closed

    def unused(self, lane: _Lane) -> None:
        """Forget an upstream that nobody uses."""
        if self._lanes.get(lane.upstream) is lane:
            del self._lanes[lane.upstream]


class _Lane:
    """The connections to one upstream."""

    def __init__(self, pool: Pool, upstream: Upstream) -> None:
        self._pool = pool
        self.upstream = upstream
        self.reactor = pool.reactor
        self.timeouts = pool.timeouts
        self.limits = pool.limits
        self._idle: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._dials: dict[Exchange, Deferred[None]] = {}
        self._waiting: deque[Exchange] = deque()
        self._patience: dict[Exchange, IDelayedCall] = {}

    # What exchanges and connections call.

    def take(self, exchange: Exchange, fresh: bool) -> None:
        """Give it a connection that rests, a new one, or a place in the queue."""
        if exchange.onward.upgrade:
            self._dial(exchange, UpstreamConnection(self))
        elif self._idle and not fresh:
            exchange.connected(self._idle.pop())
        elif len(self._open) < self._pool.bounds.busy or self._idle:
            if len(self._open) >= self._pool.bounds.busy:
                self._discard(self._idle.pop(0))
            self._dial_counted(exchange)
        elif len(self._waiting) < self._pool.bounds.waiting:
            self._waiting.append(exchange)
            self._patience[exchange] = self.reactor.callLater(
                self.timeouts.wait, self._waited, exchange
            )
        else:
            exchange.failed(UpstreamFailed(Kind.BUSY, "the queue is full"))

    def forget(self, exchange: Exchange) -> None:
        dialling = self._dials.pop(exchange, None)
        if dialling is not None:
            dialling.cancel()
        elif exchange in self._patience:
            self._patience.pop(exchange).cancel()
            self._waiting.remove(exchange)

    def released(self, connection: UpstreamConnection) -> None:
        following = self._next()
        if following is not None:
            following.connected(connection)
        elif self._pool.closed or len(self._idle) >= self._pool.bounds.idle:
            self._discard(connection)
        else:
            self._idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        self._open.discard(connection)
        if len(self._open) < self._pool.bounds.busy:
            following = self._next()
            if following is not None:
                self._dial_counted(following)
        self._look_empty()

    def close(self) -> None:
        """End what rests."""
        for connection in list(self._idle):
            self._discard(connection)

    # Inside.

    def _discard(self, connection: UpstreamConnection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        self._open.discard(connection)
        connection.abort()

    def _next(self) -> Any:
        while self._waiting:
            exchange = self._waiting.popleft()
            self._patience.pop(exchange).cancel()
            if not exchange.over:
                return exchange
        return None

    def _waited(self, exchange: Exchange) -> None:
        del self._patience[exchange]
        self._waiting.remove(exchange)
        exchange.failed(UpstreamFailed(Kind.BUSY, f"none came free in {self.timeouts.wait:g} s"))

    def _dial_counted(self, exchange: Exchange) -> None:
        connection = UpstreamConnection(self)
        self._open.add(connection)
        self._dial(exchange, connection)

    def _dial(self, exchange: Exchange, connection: UpstreamConnection) -> None:
        dialling = dial(self.reactor, self.upstream, connection, self.timeouts)
        if not dialling.called:
            self._dials[exchange] = dialling
        dialling.addCallbacks(
            self._dialled, self._undialled, (exchange, connection), {}, (exchange, connection)
        )

    def _dialled(self, _: None, exchange: Exchange, connection: UpstreamConnection) -> None:
        self._dials.pop(exchange, None)
        exchange.connected(connection)

    def _undialled(
        self, failure: Failure, exchange: Exchange, connection: UpstreamConnection
    ) -> None:
        self._dials.pop(exchange, None)
        self.lost(connection)
        if isinstance(failure.value, UpstreamFailed):
            self._pool.undialled[failure.value.kind] += 1
            exchange.failed(failure.value)
        elif not exchange.over:
            exchange.failed(UpstreamFailed(Kind.UNREACHABLE, failure.getErrorMessage()))
        forget_frames(failure)

    def _look_empty(self) -> None:
        if not (self._open or self._waiting or self._dials):
            self._pool.unused(self)


class _Question:
    """A request of our own: its answer's head counts, its body is dropped."""

    def __init__(self, pool: Pool, upstream: Upstream, onward: Onward) -> None:
        self._exchange = pool.exchange(upstream, onward, self)
        self._most = pool.bounds.asked
        self._head: ResponseHead
        self.answer: Deferred[ResponseHead] = Deferred(lambda _: self._exchange.abort())
        self._exchange.start()

    def upstream_ready(self) -> None:
        pass

    def continue_received(self) -> None:
        pass

    def answer_received(self, head: ResponseHead, framing: Framing) -> None:
        self._head = head
        if head.status == 101:
            self._give_up(UpstreamFailed(Kind.NONSENSE, "101 was not asked for"))

    def data_received(self, data: bytes) -> None:
        self._most -= len(data)
        if self._most < 0:
            self._give_up(UpstreamFailed(Kind.NONSENSE, "its answer is too long"))

    def answer_ended(self) -> None:
        self.answer.callback(self._head)

    def failed(self, error: UpstreamFailed) -> None:
        self.answer.errback(error)

    def _give_up(self, error: UpstreamFailed) -> None:
        self._exchange.abort()
        self.answer.errback(error)
