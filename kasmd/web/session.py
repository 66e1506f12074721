"""Who I am and who else is here: /api/v1/me, and the same as it changes.

<- data: {"name", "proof", "rights", "reached", "viewers"}    first, and after each change
<- event: notice; data: {"from", "text"}              a message for the page to show
<- event: here; data:                                 a sign of life
"""

from __future__ import annotations

import json
from functools import partial
from typing import Callable, Iterable, Mapping, Optional

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from kasmd.http.problems import Problem
from kasmd.http.server import Request, Response
from kasmd.interfaces import IGrant, IReachable, IRoster
from kasmd.rights import Right
from kasmd.web.event_stream import STREAM_HEADERS, EventStream
from kasmd.web.pages import Page, Pages, page_name

#: Streams that one account may hold open: as many tabs as anyone needs.
MAX_STREAMS_OF_ONE = 32
#: Seconds that several changes have to become one message.
GATHER = 0.05
#: Has a callback called after each change, until the answer is called.
Watch = Callable[[Callable[[], None]], Callable[[], None]]
_JSON = ((b"Content-Type", b"application/json"), (b"Cache-Control", b"no-store"))


class Session:
    """Answers for the person who asks; without a ``desktop`` to look at, it is there."""

    def __init__(self, reactor: IReactorTime, roster: IRoster, pages: Pages,
                 desktop: Optional[IReachable] = None) -> None:
        self._reactor = reactor
        self._roster = roster
        self._pages = pages
        self._desktop = desktop
        self._streams: dict[str, int] = {}

    def document(self, proof: str, page: Page, grant: IGrant) -> bytes:
        """Give what a person may know at ``page``, as JSON on one line."""
        value = {
            "name": grant.name,
            "proof": proof,
            "rights": [str(right.name).lower() for right in Right if grant.holds(right)],
            "reached": self._desktop is None or not self._desktop.trouble,
            "viewers": [
                {"name": viewer.name, "since": viewer.connected_at, "you": page.shows(viewer)}
                for viewer in self._roster.viewers()
            ],
        }
        return json.dumps(value).encode("ascii")

    def me(self, request: Request) -> Response:
        """Answer GET /api/v1/me."""
        grant = _grant_of(request)
        return Response(200, _JSON, self.document(_proof_of(request), _page_of(request), grant))

    def events(self, request: Request) -> None:
        """Answer GET /api/v1/me/events for as long as the person stays."""
        name = _grant_of(request).name
        open_streams = self._streams.get(name, 0)
        if open_streams >= MAX_STREAMS_OF_ONE:
            raise Problem(503, "Too many pages of yours are open.", [(b"Retry-After", b"10")])
        self._streams[name] = open_streams + 1
        request.notifyFinish().addBoth(self._ended, name)
        request.open(200, STREAM_HEADERS, None)
        if request.method == b"HEAD":
            request.finish()
        else:
            page = _page_of(request)
            document = partial(self.document, _proof_of(request), page)
            watched = (self._roster,) if self._desktop is None else (self._roster, self._desktop)
            changes = [each.watch for each in watched]
            stream = DocumentStream(self._reactor, request, document, changes)
            closed = self._pages.opened(page, stream.show)
            request.notifyFinish().addBoth(lambda _: closed())
            stream.start()

    def _ended(self, _: object, name: str) -> None:
        self._streams[name] -= 1
        if not self._streams[name]:
            del self._streams[name]


class DocumentStream(EventStream):
    """The newest document to one page after each of ``changes``, and messages for it to show.

    What a slow page has not taken is never queued: the newest document follows
    when there is room again.
    """

    _sign = b"event: here\ndata:\n\n"

    def __init__(
        self,
        reactor: IReactorTime,
        request: Request,
        document: Callable[[IGrant], bytes],
        changes: Iterable[Watch],
    ) -> None:
        super().__init__(reactor, request)
        self._grant = _grant_of(request)
        self._document = document
        self._changes = changes
        self._last = b""
        self._push: Optional[IDelayedCall] = None

    def start(self) -> None:
        """Send the document now and after each change."""
        watches = (self._grant.when_changed, *self._changes)
        self._cancels = [watch(self._changed) for watch in watches]
        super().start()
        self._send()

    def show(self, message: Mapping[str, object]) -> bool:
        """Send a message; False where the page does not take any more now."""
        if self._paused or self._over or not self._grant.holds(Right.ENTER):
            return False
        data = json.dumps(message).encode("ascii")
        self._request.write(b"event: notice\ndata: %s\n\n" % data)
        return True

    def _changed(self) -> None:
        if self._push is None and not self._over:
            self._push = self._reactor.callLater(GATHER, self._send)

    def _send(self) -> None:
        self._push = None
        document = self._document(self._grant)
        if not self._paused and document != self._last:
            self._last = document
            self._request.write(b"data: %s\n\n" % document)
        if not self._grant.holds(Right.ENTER):
            self._finish()

    def _lost(self, reason: Optional[Failure]) -> None:
        super()._lost(reason)
        for cancel in self._cancels:
            cancel()
        if self._push is not None and self._push.active():
            self._push.cancel()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._changed()


def _proof_of(request: Request) -> str:
    """Give what proved who asks; only a session can be ended by log-out."""
    return request.principal.kind if request.principal is not None else ""


def _grant_of(request: Request) -> IGrant:
    assert request.grant is not None, "the route needs a grant"
    return request.grant


def _page_of(request: Request) -> Page:
    return Page(_grant_of(request).name, page_name(request))
