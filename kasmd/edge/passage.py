"""One request on its way to its upstream, and the answer on its way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.edge.answers import PROXY_STATUS, PathMap, answer_fields, path_map, secrets_of
from kasmd.edge.asking import Allowed
from kasmd.edge.dial import Kind, UpstreamFailed
from kasmd.edge.exchange import Onward
from kasmd.edge.failures import refusal
from kasmd.edge.onward import Believed, framing_fields, onward_target, request_fields
from kasmd.h1.body import Framing
from kasmd.h1.fields import Field, Fields
from kasmd.h1.head import ResponseHead
from kasmd.http.failures import Refusal
from kasmd.http.problems import CLOSE, Problem
from kasmd.http.server import Request
from kasmd.rights import Right

if TYPE_CHECKING:
    from kasmd.edge.relay import Relay

_log = Logger(namespace="kasmd.edge")

#: Seconds after which a body is sent to an upstream that does not ask for it.
CONTINUE_WAIT = 1.0
_DIGITS = 18


def too_large(limit: int) -> Problem:
    """Say what the limit is."""
    return refusal("body-too-large", [CLOSE], f"{limit} bytes are taken here")


@implementer(IPushProducer)
class Passage:
    """One request on its way: hears its client's body and its upstream's answer.

    As a producer it is the request's body: who takes the body pauses it.
    """

    #: What is put in where it asks for another protocol.
    upgrade: tuple[Field, ...] = ()

    def __init__(self, relay: Relay, request: Request, allowed: Allowed) -> None:
        self._relay = relay
        self._request = request
        self._allowed = allowed
        self._length = 0
        self._producing = self._over = False
        #: The client is to send more of the body.
        self._lacking = False
        self._continue: Optional[IDelayedCall] = None
        self._expects = request.framing.length != 0 and request.expects_continue
        self._exchange = relay.pool.exchange(allowed.upstream, self._onward(), self)
        self._unwatch = allowed.grant.when_changed(self._grant_changed)

    def _onward(self) -> Onward:
        request, allowed = self._request, self._allowed
        believed = Believed(
            request.address,
            request.secure,
            request.host,
            request.request_id,
            request.version,
        )
        fields = request_fields(request.fields, believed, self._relay.hop, allowed.fields)
        fields += framing_fields(request.fields, request.framing)
        if self._expects:
            fields.append((b"Expect", b"100-continue"))
        fields += self.upgrade
        target = onward_target(allowed.target, request.uri)
        return Onward(request.method, target, fields, request.framing, bool(self.upgrade))

    def start(self) -> None:
        """Set out; the request is answered in any case."""
        self._request.when_over(self._request_over)
        self._exchange.start()

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
        self._lacking = True
        self._exchange.send_body(self)
        self._request.read_body(self)

    def body_received(self, data: bytes) -> None:
        self._length += len(data)
        self._relay.received += len(data)
        if self._length > self._relay.ceilings.body:
            self._fail(too_large(self._relay.ceilings.body))
        else:
            self._exchange.write(data)

    def body_ended(self) -> None:
        self._lacking = False
        self._exchange.finish()

    def body_lost(self, reason: Failure) -> None:
        self._request_over(reason)

    def pauseProducing(self) -> None:
        self._lacking = False
        self._request.pause_body()

    def resumeProducing(self) -> None:
        self._lacking = True
        self._request.resume_body()

    def stopProducing(self) -> None:
        """The upstream's connection is gone; ``failed`` follows."""

    # The answer.

    def answer_received(self, head: ResponseHead, framing: Framing) -> None:
        self._end_wait()
        if head.status == 101:
            self._blame(refusal("upstream-nonsense"), "101 was not asked for")
        elif self._refuses_us(head):
            self._blame(refusal("credential-refused"), f"it answered {head.status}")
        else:
            self._answer(head, framing)

    def _refuses_us(self, head: ResponseHead) -> bool:
        """Tell whether the upstream wants another credential than the one that was put in.

        A hop that says whose failure it is (Proxy-Status) speaks of the client.
        """
        return head.status == 401 and PROXY_STATUS not in head.fields

    def _answer(self, head: ResponseHead, framing: Framing) -> None:
        length = _said_length(head.fields) if self._request.method == b"HEAD" else framing.length
        whole = self._exchange.whole
        self._request.open(head.status, self._fields(head), length, head.reason, whole)
        if not whole:
            self._producing = True
            self._request.registerProducer(self._exchange, True)

    def _fields(self, head: ResponseHead) -> list[Field]:
        request, allowed, relay = self._request, self._allowed, self._relay

        def paths() -> PathMap:
            return path_map(request.path, request.host, allowed)

        secrets = secrets_of(allowed.fields)
        fields = answer_fields(head.fields, head.version, relay.hop, paths, secrets)
        return fields + relay.added(request)

    def data_received(self, data: bytes) -> None:
        self._relay.sent += len(data)
        self._request.write(data)

    def answer_ended(self) -> None:
        if self._producing:
            self._request.unregisterProducer()
        self._request.finish()
        self._end()

    # The end.

    def failed(self, error: UpstreamFailed) -> None:
        if error.kind is Kind.SILENT and self._lacking:
            self._blame(refusal("body-slow", [CLOSE]), error.detail)
        else:
            limit = "body_idle_seconds" if error.stalled else ""
            self._blame(refusal(error.kind.value, limit=limit), error.detail)

    def _blame(self, why: Refusal, detail: str) -> None:
        """Fail for what is no fault of ours, and tell the log what is known of it."""
        _log.warn(
            "{session}: {upstream}: {why}",
            session=self._allowed.session,
            upstream=str(self._allowed.upstream),
            why=f"{why.word}: {detail}" if detail else why.word,
            request_id=self._request.request_id,
        )
        self._fail(why)

    def _grant_changed(self) -> None:
        if not self._allowed.grant.holds(Right.ENTER):
            self._relay.revoked += 1
            self._fail(refusal("not-allowed", [CLOSE]))

    def _fail(self, problem: Problem) -> None:
        """Say what is wrong; an answer that was begun is cut short."""
        if self._over:
            return
        self._exchange.abort()
        self._end(problem)

    def _request_over(self, reason: Optional[Failure]) -> None:
        if reason is not None and not self._over:
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
        if problem is not None:
            self._request.fail(problem)


def _said_length(fields: Fields) -> Optional[int]:
    """Give the Content-Length of an answer that has no body."""
    value = fields.get(b"content-length")
    return int(value) if value.isdigit() and len(value) <= _DIGITS else None
