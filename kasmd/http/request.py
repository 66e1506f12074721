"""A request, and the answers that routes give to it.

A `Respond` is called with each request and gives a `Response`, raises a
`Problem`, or gives None when it answers by `Request.open`, `Request.write` and
`Request.finish`, or has taken the connection over.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProducer
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.errors import PermissionDenied
from kasmd.h1.body import EMPTY, Framing
from kasmd.h1.head import HTTP_1_1, RequestHead
from kasmd.http.answer import SWITCHING_PROTOCOLS, Outgoing, has_body
from kasmd.http.asked import Asked
from kasmd.http.body import BodyReader, KeptBody, StreamedBody
from kasmd.http.log import Access, log_access
from kasmd.http.problems import CLOSE, Headers, Problem
from kasmd.http.sending import PORTION, Sending
from kasmd.interfaces import IGrant
from kasmd.log.asking import asked_by
from kasmd.reactor import forget_frames

if TYPE_CHECKING:
    from kasmd.http.channel import Channel

_log = Logger(namespace="kasmd.http")

#: What the log has for a request whose client did not wait for the answer (nginx's number).
CLIENT_GONE = 499


class Response(NamedTuple):
    """An answer whose body is in memory."""

    status: int
    headers: Headers = ()
    body: bytes = b""


class Request(Asked):
    """One request, its grant, and its answer.

    ``cookies`` are the Set-Cookie values that go with the answer.  ``over`` tells
    that nothing more can be sent, ``gone`` that it is because the client left.
    """

    grant: Optional[IGrant] = None
    #: The session and the upstream that an edge takes it to, for the log.
    taken: tuple[str, object] = ("", "")
    over = gone = dispatched = False

    def __init__(self, channel: Channel, head: RequestHead, framing: Framing = EMPTY) -> None:
        super().__init__(channel, head, framing)
        self.intake: Union[None, KeptBody, StreamedBody] = None
        self.cookies: list[bytes] = []
        #: A head that waits for the piece that follows it.
        self._unsent = b""
        self._outgoing = Outgoing(self.method, self.version)
        self._watchers: list[Callable[[Optional[Failure]], object]] = []

    # Its body.

    @property
    def body(self) -> bytes:
        """All of the body, for the routes that have room for one; else nothing."""
        return self.intake.content if isinstance(self.intake, KeptBody) else b""

    def read_body(self, reader: BodyReader) -> None:
        """Let ``reader`` have the body of a route with ``body=STREAM``; once."""
        assert not isinstance(self.intake, KeptBody), "the route's body is STREAM"
        if self.intake is None:
            reader.body_ended()
        elif not self.over:
            if not self.status:
                self.channel.ask_for_body(self)
            self.intake.read(reader)
            self.channel.regulate()

    def pause_body(self) -> None:
        """Stop reading the body."""
        if isinstance(self.intake, StreamedBody):
            self.intake.paused = True
            self.channel.regulate()

    def resume_body(self) -> None:
        """Read on; ``reader`` may be called at once."""
        if isinstance(self.intake, StreamedBody):
            self.intake.resume()
            self.channel.regulate()

    # Its answer.

    @property
    def status(self) -> int:
        """The answer's status, 0 until it has one."""
        return self._outgoing.status

    def dispatch(self) -> None:
        """Let the face answer."""
        self.dispatched = True
        try:
            with asked_by(self):
                answer = self.channel.factory.respond(self)
            if answer is None or isinstance(answer, Response):
                self.answer(answer)
                return
        except Exception:
            answer = fail()
        answer.addCallback(self.answer).addErrback(self._failed).addErrback(self._broke)

    def answer(self, response: Optional[Response]) -> None:
        """Send ``response`` whole; None was taken over by its route."""
        if response is None or self.over:
            return
        status, headers, body = response
        if len(body) > PORTION and has_body(self.method, status):
            self.open(status, headers, len(body), more=True)
            Sending(self.channel.factory.reactor, self, BytesIO(body), 0, len(body)).start()
            return
        head = self._head(status, headers, len(body))
        self.channel.write(head + self._outgoing.piece(body))
        self._end()

    def open(
        self,
        status: int,
        headers: Headers,
        length: Optional[int],
        reason: Optional[bytes] = None,
        more: bool = False,
    ) -> None:
        """Send the head; `write` and `finish` follow (length None: as long as it gets).

        After a status of 101 `hand_over` follows.  With ``more``, the next piece or
        the end follows at once, so the head waits for it.
        """
        if not self.over:
            self._unsent = self._head(status, headers, length, reason)
            if not more:
                self._send(b"")

    def _send(self, data: bytes) -> None:
        data, self._unsent = self._unsent + data, b""
        if data:
            self.channel.write(data)

    def _head(
        self, status: int, headers: Headers, length: Optional[int], reason: Optional[bytes] = None
    ) -> bytes:
        """Make the head: the face's own fields, then those of the answer."""
        fields = [*headers, *[(b"Set-Cookie", cookie) for cookie in self.cookies]]
        # An id is a decent one, ours or by `accepted_request_id`.
        ident = b"X-Request-Id: %b\r\n" % self.request_id.encode("ascii")
        lines = self.channel.factory.lines + ident
        return self._outgoing.head(status, reason, fields, length, self._persists(), lines)

    def _persists(self) -> bool:
        """Tell whether the client may go on after this answer.

        Not where it wanted to change the protocol: it may have done so already,
        and what it sends is then no request.
        """
        fields = self.fields
        return (
            self.version == HTTP_1_1
            and self.channel.is_read
            and b"upgrade" not in fields.values
            and b"close" not in fields.tokens(b"connection")
        )

    def write(self, data: bytes) -> None:
        """Send a piece of the body; of an answer that has none nothing is sent."""
        if not self.over:
            self._send(self._outgoing.piece(data))

    def finish(self) -> None:
        """End the answer; one that is shorter than its head says ends the connection."""
        if self.over:
            return
        if self._outgoing.is_short:
            self.abort()
            return
        last = self._outgoing.last
        if last or self._unsent:
            self._send(last)
        self._end()

    def abort(self) -> None:
        """Cut the connection."""
        self.channel.abort()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Let ``producer`` write the answer as fast as the client takes it."""
        self.channel.produce(producer, streaming)

    def unregisterProducer(self) -> None:
        """The producer has no more."""
        self.channel.produce(self.channel, True)

    def fail(self, problem: Problem) -> None:
        """Answer with ``problem``; where an answer was begun, cut it short."""
        if self.over:
            return
        factory, limit = self.channel.factory, problem.limit
        problem = factory.present(problem, self)
        factory.counts.failed(limit, problem.word)
        if self.status:
            self.abort()
            return
        if problem.status == 401:
            self.note(f"Authentication attempt failed, {problem.detail}")
        content_type, body = problem.rendered(b",".join(self.values(b"Accept")))
        plain = ((b"Content-Type", content_type), (b"Cache-Control", b"no-store"))
        self.answer(Response(problem.status, (*plain, *problem.headers), body))

    def _failed(self, failure: Failure) -> None:
        problem = failure.value
        if isinstance(problem, PermissionDenied):
            problem = Problem(403, "You may not do this.")
        if not isinstance(problem, Problem):
            _log.failure("A request broke its route", failure, request_id=self.request_id)
            problem = Problem(500, "The server made a mistake; its log says which.")
        self.fail(problem)
        forget_frames(failure)

    def _broke(self, failure: Failure) -> None:
        _log.failure("An answer could not be sent", failure, request_id=self.request_id)
        self.abort()

    # Its end.

    def when_over(self, told: Callable[[Optional[Failure]], object]) -> None:
        """Call ``told`` when the answer is sent, or with why the connection ended before."""
        self._watchers.append(told)

    def notifyFinish(self) -> Deferred[None]:
        """Fire when the answer is sent; fail when the connection ends before."""
        watcher: Deferred[Any] = Deferred()
        # A Failure fails it.
        self.when_over(watcher.callback)
        return watcher

    def _tell(self, reason: Optional[Failure] = None) -> None:
        if self._watchers:
            watchers, self._watchers = self._watchers, []
            for told in watchers:
                told(reason)

    def _end(self) -> None:
        self.let_go()
        self._tell()
        self.channel.answered(self._outgoing.keep)

    def lost(self, reason: Failure) -> None:
        """The connection ended before the answer did."""
        self.gone = True
        if not self.status:
            self._outgoing.status = CLIENT_GONE
        if self.intake is not None:
            self.intake.body_lost(reason)
        self.let_go()
        self._tell(reason)

    def hand_over(self, protocol: Protocol) -> None:
        """Give the connection to ``protocol``, with what came after the request.

        The request and its grant are over.  Raises a `Problem` where there is a
        body: what follows it would be read by one as this, by another as that.
        """
        if not self.channel.is_read:
            raise Problem(400, "A request that changes the protocol has no body.", [CLOSE])
        self.note("using protocol HyBi/IETF 6455 13")
        self.note("connecting to VNC target")
        if not self.status:
            self._outgoing.status = SWITCHING_PROTOCOLS
        self.let_go()
        self.channel.hand_over(protocol)
        self._tell()

    def _record(self) -> None:
        """Count and log it."""
        channel, outgoing = self.channel, self._outgoing
        who = self.principal.name if self.principal is not None else ""
        query = self.uri[len(self.path) + 1 :]
        took = channel.factory.reactor.seconds() - self._began
        channel.factory.counts.answered(outgoing.status, outgoing.sent)
        log_access(Access(
            channel.number, channel.peer_address, self.address, who, self.method, self.path, query,
            self.version, outgoing.status, outgoing.sent, took, *self.taken,
        ), self.request_id)

    def let_go(self) -> None:
        """Record it, and let go of all that it holds."""
        self.over = True
        self._record()
        if self.intake is not None:
            self.intake.forget()
        grant, self.grant = self.grant, None
        if grant is not None:
            grant.release()


#: A Deferred fires with a `Response`, or None.
Answer = Union[Optional[Response], Deferred[Any]]
Respond = Callable[[Request], Answer]
