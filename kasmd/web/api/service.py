"""The owner's API, composed: a plain function of values."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Collection, Sequence

from twisted.internet.interfaces import IReactorTime

from kasmd.http.headers import Origin
from kasmd.http.routes import Route
from kasmd.http.server import Request, Response
from kasmd.interfaces import IAccounts, IRoster, IWorker
from kasmd.permission.proofs import Proofs as Kinds
from kasmd.rights import Right
from kasmd.web.api.desktop import Desktop
from kasmd.web.api.document import document
from kasmd.web.api.events import Events
from kasmd.web.api.files import Files
from kasmd.web.api.operations import PREFIX, Operation, route
from kasmd.web.api.problems import missing
from kasmd.web.api.proofs import Proofs
from kasmd.web.api.sessions import Sessions
from kasmd.web.api.settings import Setting, Settings
from kasmd.web.api.users import Users
from kasmd.web.downloads import Downloads
from kasmd.web.pages import Pages
from kasmd.web.screenshot import Screenshots, SeatOf
from kasmd.web.site import PAGE, content_policy
from kasmd.web.uploads import Uploads

_METHODS = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE")
#: What the page that shows the document is made of, below PREFIX.
_FILES = (
    ("/docs", "docs.html", b"text/html; charset=utf-8"),
    ("/docs.mjs", "docs.mjs", b"text/javascript; charset=utf-8"),
    ("/docs.css", "docs.css", b"text/css; charset=utf-8"),
    ("/docs.svg", "icon.svg", b"image/svg+xml"),
)


class Api:
    """The API over accounts, proofs, viewers and the seats of those who ask.

    ``hashing`` and ``work`` are two workers: passwords wait for no pictures.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        *,
        accounts: IAccounts,
        proofs: Kinds,
        roster: IRoster,
        pages: Pages,
        settings: Sequence[Setting],
        uploads: Uploads,
        downloads: Downloads,
        seat_of: SeatOf,
        hashing: IWorker,
        work: IWorker,
        allowed_origins: Collection[Origin] = (),
        page: Path = PAGE,
    ) -> None:
        self._allowed_origins = allowed_origins
        self._page = page
        sessions = Sessions(reactor, roster, pages)
        self.operations: tuple[Operation, ...] = (
            *Users(accounts, hashing).operations(),
            *sessions.operations(),
            *Proofs(proofs).operations(),
            *Desktop(seat_of, Screenshots(reactor, seat_of, work)).operations(),
            *Files(uploads, downloads).operations(),
            *Settings(settings).operations(),
            *Events(reactor, roster, sessions).operations(),
        )

    def routes(self) -> list[Route]:
        """Give what is published."""
        found = [route(operation, self._allowed_origins) for operation in self.operations]
        text = json.dumps(document(self.operations)).encode("ascii")
        found.append(_fixed("/openapi.json", b"application/json", text))
        for path, name, kind in _FILES:
            found.append(_fixed(path, kind, (self._page / name).read_bytes()))
        for method in _METHODS:
            found.append(Route(method, PREFIX.encode() + b"/*", Right.ENTER, _nothing))
        return found


def _fixed(path: str, kind: bytes, content: bytes) -> Route:
    headers = (
        (b"Content-Type", kind),
        (b"Cache-Control", b"private, no-cache"),
        (b"Content-Security-Policy", content_policy()),
    )
    answer = partial(_answer, Response(200, headers, content))
    return Route(b"GET", (PREFIX + path).encode("ascii"), Right.ENTER, answer)


def _answer(response: Response, request: Request) -> Response:
    return response


def _nothing(request: Request) -> Response:
    raise missing("address")
