"""What happens, as it happens: /events, Server-Sent Events for owners.

<- event: joined, left; data: a Session        who came and went
<- event: changed; data: a Change              what was changed, by whom

The first events of a stream tell who is here as ``present``.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Mapping, Optional

from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from kasmd.http.problems import Problem
from kasmd.http.server import Request
from kasmd.interfaces import IGrant, IRoster
from kasmd.log.audit import AUDIT, Change
from kasmd.rights import Right
from kasmd.web.api.operations import Call, Operation
from kasmd.web.api.schemas import Schema
from kasmd.web.api.sessions import Sessions
from kasmd.web.event_stream import STREAM_HEADERS, EventStream

#: Streams at one time.
MAX_STREAMS = 64
#: Events that wait for one slow client; of one that lets more wait the stream ends.
MAX_WAITING = 1024
_STREAM: Schema = {
    "type": "string",
    "description": "Events `present`, `joined` and `left` carry a Session, `changed` a Change.",
}


@implementer(ILogObserver)
class Events:
    """Tells owners of ``sessions``' coming and going, and of every audited change."""

    def __init__(self, reactor: IReactorTime, roster: IRoster, sessions: Sessions) -> None:
        self._reactor = reactor
        self._sessions = sessions
        self._present = sessions.present()
        self._streams: list[Stream] = []
        roster.watch(self._came_or_went)

    def operations(self) -> tuple[Operation, ...]:
        """Give what is offered."""
        return (
            Operation("events", "GET", "/events", "Who comes and goes, and what is changed.",
                      Right.MANAGE, self.open, answer=_STREAM, problems=(503,),
                      kind="text/event-stream"),
        )

    def open(self, call: Call) -> None:
        """Tell of all that happens for as long as the client stays and manages."""
        request = call.request
        if len(self._streams) >= MAX_STREAMS:
            raise Problem(503, "Too many streams are open.", [(b"Retry-After", b"10")])
        assert request.grant is not None, "the route needs a grant"
        if request.method == b"HEAD":
            request.open(200, STREAM_HEADERS, None)
            request.finish()
            return
        stream = Stream(self._reactor, request, request.grant)
        if not self._streams:
            globalLogPublisher.addObserver(self)
        self._streams.append(stream)
        request.notifyFinish().addBoth(self._closed, stream)
        stream.start()
        for said in self._sessions.present().values():
            stream.tell("present", said)

    def _closed(self, _: Optional[Failure], stream: Stream) -> None:
        self._streams.remove(stream)
        if not self._streams:
            globalLogPublisher.removeObserver(self)

    def _came_or_went(self) -> None:
        before, self._present = self._present, self._sessions.present()
        for ident in before.keys() - self._present.keys():
            self._tell("left", before[ident])
        for ident in self._present.keys() - before.keys():
            self._tell("joined", self._present[ident])

    def __call__(self, event: LogEvent) -> None:
        """Take the audit's lines out of the log."""
        record = event.get("record")
        if event.get("log_namespace") == AUDIT and isinstance(record, Change):
            self._tell("changed", record.fields)

    def _tell(self, kind: str, value: Mapping[str, object]) -> None:
        for stream in tuple(self._streams):
            stream.tell(kind, value)


class Stream(EventStream):
    """Events to one client, in order and none left out; else it ends."""

    def __init__(self, reactor: IReactorTime, request: Request, grant: IGrant) -> None:
        super().__init__(reactor, request)
        self._grant = grant
        self._waiting: deque[bytes] = deque()

    def start(self) -> None:
        """Open it; it ends with the right to manage."""
        self._cancel = self._grant.when_changed(self._rights_changed)
        self._request.open(200, STREAM_HEADERS, None)
        super().start()

    def tell(self, kind: str, value: Mapping[str, object]) -> None:
        """Send one event, after those that wait."""
        if self._over or not self._grant.holds(Right.MANAGE):
            return
        if len(self._waiting) >= MAX_WAITING:
            self._finish()
            return
        data = json.dumps(value).encode("ascii")
        self._waiting.append(b"event: %s\ndata: %s\n\n" % (kind.encode("ascii"), data))
        self._flush()

    def _flush(self) -> None:
        while self._waiting and not (self._paused or self._over):
            self._request.write(self._waiting.popleft())

    def _rights_changed(self) -> None:
        if not self._grant.holds(Right.MANAGE) and not self._over:
            self._finish()

    def _finish(self) -> None:
        self._waiting.clear()
        super()._finish()

    def _lost(self, reason: Optional[Failure]) -> None:
        super()._lost(reason)
        self._cancel()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._flush()
