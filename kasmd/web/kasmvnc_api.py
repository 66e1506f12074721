"""KasmVNC's owner API, composed; `kasmd.web.kasmvnc_differences` says what is not KasmVNC's.

It is published to whoever holds ``MANAGE``.  What changes something is refused
to pages of other sites, for KasmVNC does all of it by GET.
"""

from __future__ import annotations

from functools import partial
from typing import Callable, Collection, NamedTuple, Optional

from twisted.internet.interfaces import IReactorTime

from kasmd.errors import ProtocolError
from kasmd.http.headers import Origin
from kasmd.http.query import Query
from kasmd.http.routes import Route
from kasmd.http.same_site import check_same_site
from kasmd.http.server import Answer, Request, Response
from kasmd.interfaces import IAccounts, IRoster, IWorker
from kasmd.rights import Right
from kasmd.web.downloads import PREFIX, Downloads
from kasmd.web.kasmvnc_says import Refusal, done, not_the_owner
from kasmd.web.kasmvnc_stats import Stats
from kasmd.web.kasmvnc_users import Users
from kasmd.web.screenshot import Screenshots, SeatOf
from kasmd.web.system_stats import SystemStats

#: Bytes of a request's target, as in KasmVNC; longer ones name nothing.
MAX_TARGET = 1024
#: Bytes of a POST.
MAX_BODY = 1 << 20

Handle = Callable[[Request, Query], Answer]


class Endpoint(NamedTuple):
    """One address below ``/api/``; ``post`` takes a JSON array there."""

    path: bytes
    get: Handle
    post: Optional[Handle] = None
    changes: bool = False


class KasmvncApi:
    """The owner API over ``accounts``, ``roster`` and the seats of those who ask.

    ``hashing`` and ``work`` are two workers: passwords wait for no pictures.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        *,
        accounts: IAccounts,
        roster: IRoster,
        seat_of: SeatOf,
        hashing: IWorker,
        work: IWorker,
        system: SystemStats,
        downloads: Downloads,
        allowed_origins: Collection[Origin] = (),
    ) -> None:
        self._seat_of = seat_of
        self._allowed_origins = allowed_origins
        self._downloads = downloads
        users = Users(accounts, hashing)
        stats = Stats(reactor, roster, accounts, seat_of, work)
        screenshots = Screenshots(reactor, seat_of, work)
        self.endpoints = (
            Endpoint(b"get_screenshot", screenshots.get),
            Endpoint(b"create_user", users.create, users.create_each, True),
            Endpoint(b"update_user", users.update, users.update_each, True),
            Endpoint(b"remove_user", users.remove, users.remove_each, True),
            Endpoint(b"get_users", users.all),
            Endpoint(b"get_sessions", stats.sessions),
            Endpoint(b"get_bottleneck_stats", stats.bottlenecks),
            Endpoint(b"get_frame_stats", stats.frame),
            Endpoint(b"send_full_frame", stats.send_full_frame, changes=True),
            Endpoint(b"clear_clipboard", self._clear_clipboard, changes=True),
            Endpoint(b"downloads", self._downloads.listed),
            Endpoint(b"system/stats", system.get),
        )

    def routes(self) -> list[Route]:
        """Give what is published."""
        found = [Route(b"GET", PREFIX + b"*", Right.DOWNLOAD, self._downloads.get)]
        for method in (b"GET", b"POST"):
            found.append(self._route(method, b"*", _nothing))
        for endpoint in self.endpoints:
            path, changes = endpoint.path, endpoint.changes
            found.append(self._route(b"GET", path, partial(self._get, endpoint.get, changes)))
            if endpoint.post is not None:
                found.append(
                    self._route(b"POST", path, partial(self._post, endpoint.post), MAX_BODY)
                )
            else:
                found.append(self._route(b"POST", path, _nothing))
        return found

    def _route(
        self, method: bytes, path: bytes, handle: Callable[[Request], Answer], body: int = 0
    ) -> Route:
        return Route(method, b"/api/" + path, Right.MANAGE, handle, body, not_the_owner)

    def _get(self, handle: Handle, changes: bool, request: Request) -> Answer:
        if changes:
            if request.method == b"HEAD":
                raise Refusal(405, headers=[(b"Allow", b"GET, POST")])
            check_same_site(request, self._allowed_origins)
        return self._answer(handle, request)

    def _post(self, handle: Handle, request: Request) -> Answer:
        check_same_site(request, self._allowed_origins)
        return self._answer(partial(_posted, handle), request)

    def _answer(self, handle: Handle, request: Request) -> Answer:
        if len(request.uri) > MAX_TARGET:
            raise Refusal(404)
        try:
            query = request.query
        except ProtocolError as error:
            raise Refusal(400, f"Refused: {error}.") from None
        return handle(request, query)

    def _clear_clipboard(self, request: Request, query: Query) -> Response:
        self._seat_of(request).clear_clipboard()
        return done()


def _posted(handle: Handle, request: Request, query: Query) -> Answer:
    # As in KasmVNC a POST has no query; ours may say that the last owner is to go.
    if b"?" in request.uri and query.keys != {"force"}:
        raise Refusal(404)
    return handle(request, query)


def _nothing(request: Request) -> Answer:
    raise Refusal(404)
