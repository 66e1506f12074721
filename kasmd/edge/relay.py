"""Carries an allowed request to its upstream, and the answer back.

Both ways at the pace of whoever takes it, and neither is ever whole in memory.
An answer that is cut short there is cut short here: a client never takes a
part for the whole.
"""

from __future__ import annotations

from typing import Callable, Collection, NamedTuple, Optional

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.edge.answers import PROXY_STATUS, PathMap, answer_fields, path_map, secrets_of
from kasmd.edge.asking import Allowed
from kasmd.edge.dial import UpstreamFailed
from kasmd.edge.failures import refusal
from kasmd.edge.onward import (
    MAX_HOPS,
    Believed,
    Hop,
    framing_fields,
    hops,
    onward_target,
    request_fields,
)
from kasmd.edge.pool import Pool
from kasmd.edge.splice import Ended, Splice, Splices
from kasmd.edge.upstream import Onward
from kasmd.h1.body import Framing
from kasmd.h1.fields import Field, Fields
from kasmd.h1.head import ResponseHead
from kasmd.http.headers import Origin
from kasmd.http.problems import CLOSE, Problem
from kasmd.http.same_site import check_same_site
from kasmd.http.server import Request
from kasmd.http.upgrade import accept_of, asks_for_websocket, check_handshake
from kasmd.interfaces import IGrant
from kasmd.rights import Right

_log = Logger(namespace="kasmd.edge")

#: What is not relayed: these would give back the credential that was put in, or make a tunnel.
_REFUSED = (b"TRACE", b"TRACK", b"CONNECT")
_SAFE = (b"GET", b"HEAD", b"OPTIONS")
#: Seconds after which a body is sent to an upstream that does not ask for it.
CONTINUE_WAIT = 1.0
#: A websocket's close code (RFC 6455 section 7.4.1).
POLICY = 1008
UPGRADE = ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))
_DIGITS = 18


class Ceilings(NamedTuple):
    """What is relayed at most."""

    #: Bytes of a request's body; Kasm's proxies take 1 GB.
    body: int = 1 << 30


class Relay:
    """What the requests of one edge have in common.

    ``added`` gives fields that go with a request's answer, CORS for one.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        pool: Pool,
        splices: Splices,
        hop: Hop,
        allowed_origins: Collection[Origin] = (),
        ceilings: Ceilings = Ceilings(),
        added: Callable[[Request], list[Field]] = lambda request: [],
    ) -> None:
        self.reactor = reactor
        self.pool = pool
        self.splices = splices
        self.hop = hop
        self.allowed_origins = frozenset(allowed_origins)
        self.ceilings = ceilings
        self.added = added

    def forward(self, request: Request, allowed: Allowed) -> Deferred[None]:
        """Answer a request that may pass; raises a `Problem`, or fails with one."""
        if request.method in _REFUSED:
            raise refusal("no-such-method")
        if hops(request.fields) >= MAX_HOPS:
            raise refusal("loop")
        upgrade = asks_for_websocket(request)
        key = check_handshake(request) if upgrade else b""
        if upgrade or request.method not in _SAFE:
            check_same_site(request, self.allowed_origins)
        length, limit = request.framing.length, self.ceilings.body
        if length is not None and length > limit:
            raise too_large(limit)
        if upgrade:
            return Handshake(self, request, allowed, key).start()
        return Passage(self, request, allowed).start()


def too_large(limit: int) -> Problem:
    """Say what the limit is."""
    return refusal("body-too-large", [CLOSE], f"{limit} bytes are taken here")


@implementer(IPushProducer)
class Passage:
    """One request on its way: hears its client's body and its upstream's answer.

    As a producer it is the request's body: who takes the body pauses it.
    """

    upgrade = False

    def __init__(self, relay: Relay, request: Request, allowed: Allowed) -> None:
        self._relay = relay
        self._request = request
        self._allowed = allowed
        self._length = 0
        self._answering = self._producing = self._over = False
        self._continue: Optional[IDelayedCall] = None
        self._expects = request.framing.length != 0 and request.expects_continue
        self._done: Deferred[None] = Deferred()
        self._exchange = relay.pool.exchange(allowed.upstream, self._onward(), self)
        self._unwatch = allowed.grant.when_changed(self._grant_changed)

    def _onward(self) -> Onward:
        request, allowed = self._request, self._allowed
        believed = Believed(
            request.address,
            request.secure,
            request.value(b"Host"),
            request.request_id,
            request.version,
        )
        fields = request_fields(request.fields, believed, self._relay.hop, allowed.fields)
        fields += framing_fields(request.fields, request.framing)
        if self._expects:
            fields.append((b"Expect", b"100-continue"))
        if self.upgrade:
            fields += UPGRADE
        target = onward_target(allowed.target, request.uri)
        return Onward(request.method, target, fields, request.framing, self.upgrade)

    def start(self) -> Deferred[None]:
        """Fire when it is over; fail with a `Problem` where nothing was answered yet."""
        self._request.notifyFinish().addErrback(self._client_gone)
        self._exchange.start()
        return self._done

    # The request's body.

    def upstream_ready(self) -> None:
        if self._request.framing.length == 0:
            return
        if self._expects:
            self._continue = self._relay.reactor.callLater(CONTINUE_WAIT, self._read_body)
        else:
            self._read_body()

    def continue_received(self) -> None:
        if self._continue is not None and self._continue.active():
            self._continue.cancel()
            self._read_body()

    def _read_body(self) -> None:
        self._exchange.send_body(self)
        self._request.read_body(self)

    def body_received(self, data: bytes) -> None:
        self._length += len(data)
        if self._length > self._relay.ceilings.body:
            self._fail(too_large(self._relay.ceilings.body))
        else:
            self._exchange.write(data)

    def body_ended(self) -> None:
        self._exchange.finish()

    def body_lost(self, reason: Failure) -> None:
        self._client_gone(reason)

    def pauseProducing(self) -> None:
        self._request.pause_body()

    def resumeProducing(self) -> None:
        self._request.resume_body()

    def stopProducing(self) -> None:
        """The upstream's connection is gone; ``failed`` follows."""

    # The answer.

    def answer_received(self, head: ResponseHead, framing: Framing) -> None:
        self._end_wait()
        if head.status == 101:
            self._fail(refusal("upstream-nonsense"))
        elif self._refuses_us(head):
            self._fail(refusal("credential-refused"))
        else:
            self._answer(head, framing)

    def _refuses_us(self, head: ResponseHead) -> bool:
        """Tell whether the upstream wants another credential than the one that was put in.

        A hop that says whose failure it is (Proxy-Status) speaks of the client.
        """
        return head.status == 401 and PROXY_STATUS not in head.fields

    def _answer(self, head: ResponseHead, framing: Framing) -> None:
        self._answering = True
        length = _said_length(head.fields) if self._request.method == b"HEAD" else framing.length
        self._request.open(head.status, self._fields(head), length, head.reason)
        if not self._exchange.whole:
            self._producing = True
            self._request.registerProducer(self._exchange, True)

    def _fields(self, head: ResponseHead) -> list[Field]:
        request, allowed, relay = self._request, self._allowed, self._relay

        def paths() -> PathMap:
            return path_map(request.path, request.value(b"Host"), allowed)

        secrets = secrets_of(allowed.fields)
        fields = answer_fields(head.fields, head.version, relay.hop, paths, secrets)
        return fields + relay.added(request)

    def data_received(self, data: bytes) -> None:
        self._request.write(data)

    def answer_ended(self) -> None:
        if self._producing:
            self._request.unregisterProducer()
        self._request.finish()
        self._end()

    # The end.

    def failed(self, error: UpstreamFailed) -> None:
        _log.warn(
            "{session}: {upstream}: {error}",
            session=self._allowed.session,
            upstream=str(self._allowed.upstream),
            error=str(error),
            request_id=self._request.request_id,
        )
        self._fail(refusal(error.kind.value))

    def _grant_changed(self) -> None:
        if not self._allowed.grant.holds(Right.ENTER):
            self._fail(refusal("not-allowed", [CLOSE]))

    def _fail(self, problem: Problem) -> None:
        """Say what is wrong; an answer that was begun is cut short."""
        if self._over:
            return
        self._exchange.abort()
        if self._answering:
            self._request.abort()
            self._end()
        else:
            self._end(problem)

    def _client_gone(self, reason: Failure) -> None:
        if not self._over:
            self._exchange.abort()
            self._end()

    def _end_wait(self) -> None:
        if self._continue is not None and self._continue.active():
            self._continue.cancel()

    def _end(self, problem: Optional[Problem] = None) -> None:
        if self._over:
            return
        self._over = True
        self._end_wait()
        self._unwatch()
        if problem is None:
            self._done.callback(None)
        else:
            self._done.errback(problem)


class Handshake(Passage):
    """A request that asks for a websocket: on a connection of its own, which it may keep."""

    upgrade = True

    def __init__(self, relay: Relay, request: Request, allowed: Allowed, key: bytes) -> None:
        self._key = key
        super().__init__(relay, request, allowed)

    def answer_received(self, head: ResponseHead, framing: Framing) -> None:
        if head.status != 101:
            super().answer_received(head, framing)
        elif self._is_right(head.fields):
            self._splice(head)
        else:
            self._fail(refusal("upgrade-refused", [CLOSE]))

    def _refuses_us(self, head: ResponseHead) -> bool:
        # Websockify's way to say that a password is wrong.
        forbidden = head.status == 403 and PROXY_STATUS not in head.fields
        return forbidden or super()._refuses_us(head)

    def _fields(self, head: ResponseHead) -> list[Field]:
        """After a handshake that was refused, nothing more is read as a request."""
        return [*super()._fields(head), *(UPGRADE if head.status == 101 else (CLOSE,))]

    def _is_right(self, fields: Fields) -> bool:
        """Tell whether a 101 answers what was asked (RFC 6455 section 4.1)."""
        asked = self._request.fields
        protocols = fields.all(b"sec-websocket-protocol")
        offered = [name.strip() for name in _joined(asked, b"sec-websocket-protocol").split(b",")]
        return (
            fields.tokens(b"upgrade") == [b"websocket"]
            and b"upgrade" in fields.tokens(b"connection")
            and fields.all(b"sec-websocket-accept") == [accept_of(self._key)]
            and (not protocols or (len(protocols) == 1 and protocols[0] in offered))
            and _extensions(fields) <= _extensions(asked)
        )

    def _splice(self, head: ResponseHead) -> None:
        request, grant = self._request, self._allowed.grant
        self._answering = True
        request.open(101, self._fields(head), None, None)
        # The socket keeps the grant; with the request it would be released.
        request.grant = None
        self._end()
        extensions = _joined(head.fields, b"sec-websocket-extensions")
        socket = Socket(self._relay.splices, extensions, grant, self._allowed.session)
        request.hand_over(socket.splice.client)
        self._exchange.hand_over(socket.splice.upstream)


class Socket:
    """A websocket that lasts as long as its grant: all that is left of its handshake."""

    __slots__ = ("splice", "_grant", "_session", "_unwatch")

    def __init__(self, splices: Splices, extensions: bytes, grant: IGrant, session: str) -> None:
        self.splice = Splice(splices, extensions, self._ended)
        self._grant = grant
        self._session = session
        self._unwatch = grant.when_changed(self._grant_changed)

    def _grant_changed(self) -> None:
        if not self._grant.holds(Right.ENTER):
            self.splice.close(POLICY, "you may not use this desktop any more")

    def _ended(self, ended: Ended) -> None:
        self._unwatch()
        _log.info(
            "{name} left {session}: {by} ended it with {code} {reason!r}",
            name=self._grant.name,
            session=self._session,
            by=ended.by,
            code=ended.code,
            reason=ended.reason,
        )
        self._grant.release()


def _joined(fields: Fields, name: bytes) -> bytes:
    return b",".join(fields.all(name))


def _extensions(fields: Fields) -> set[bytes]:
    """Give the names of a Sec-WebSocket-Extensions field."""
    value = _joined(fields, b"sec-websocket-extensions")
    return {entry.partition(b";")[0].strip().lower() for entry in value.split(b",")} - {b""}


def _said_length(fields: Fields) -> Optional[int]:
    """Give the Content-Length of an answer that has no body."""
    value = fields.get(b"content-length")
    return int(value) if value.isdigit() and len(value) <= _DIGITS else None
