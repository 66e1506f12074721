"""What is written of connections and requests: KasmVNC's lines, without its secrets.

By construction: of a request's headers nothing is written, and of its query
only the arguments in `_HARMLESS`, each with its route.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import count
from secrets import token_hex
from typing import Mapping, NamedTuple

from twisted.logger import Logger

from kasmd.log import lines
from kasmd.log.output import ACCESS, wanted
from kasmd.log.text import neutral, quoted, word

_log = Logger(namespace=ACCESS)
_notes = Logger(namespace="kasmd.websocket")
#: Where a request may become a websocket.
WEBSOCKET = b"/websockify"
#: What a proxy's X-Request-Id may be; another id is replaced.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=+/@-]{1,64}\Z")
_RIGHTS = frozenset((b"name", b"read", b"write", b"owner", b"force"))
#: The arguments that the log may show, by path.
_HARMLESS: Mapping[bytes, frozenset[bytes]] = {
    b"/api/get_screenshot": frozenset((b"width", b"height", b"quality", b"deduplicate")),
    b"/api/get_frame_stats": frozenset((b"client",)),
    b"/api/create_user": _RIGHTS,
    b"/api/update_user": _RIGHTS,
    b"/api/remove_user": _RIGHTS,
}

_connections = count(1)
_requests = count(1)
_process = token_hex(4)


def next_connection() -> int:
    """Give the number of one more connection of this process."""
    return next(_connections)


def new_request_id() -> str:
    """Give an id that no other request has, in this process or before it."""
    return f"{_process}-{next(_requests):x}"


def accepted_request_id(value: bytes) -> str:
    """Give a trusted proxy's id as it is if it is a decent one, else a new one."""
    return value.decode("ascii") if _REQUEST_ID.match(value) else new_request_id()


def shown_query(path: bytes, query: bytes) -> bytes:
    """Give what of a query may be read in a log; ``...`` stands for the rest."""
    if not query:
        return b""
    harmless = _HARMLESS.get(path, frozenset())
    parts = query.split(b"&")
    shown = [part for part in parts if part.partition(b"=")[0] in harmless]
    return b"&".join(shown if len(shown) == len(parts) else (*shown, b"..."))


class Access(NamedTuple):
    """One answered request, as a record of the log; times in seconds."""

    connection: int
    #: The connection's other end, and whose behalf it speaks on (a proxy's client).
    peer: str
    client: str
    #: The account, or nothing where none is proven.
    user: str
    method: bytes
    path: bytes
    query: bytes
    protocol: bytes
    status: int
    #: Bytes of the answer, its head included.
    length: int
    seconds: float
    #: Where an edge took it: the session, and what says where that is; else nothing.
    session: str = ""
    upstream: object = ""

    @property
    def writer(self) -> str:
        return f"websocket {self.connection}"

    def __str__(self) -> str:
        request = quoted(_text(b"%b %b %b" % (self.method, self._target(), self.protocol)))
        # Two more columns than KasmVNC's, whose requests go nowhere.
        taken = _words(self.session, str(self.upstream)) if self.session else ""
        came = _words(self.peer, self.client, self.user)
        return f'{came[1:]} "{request}" {self.status} {self.length}{taken}'

    def _target(self) -> bytes:
        if self.query and self.path in _HARMLESS:
            return self.path + b"?" + shown_query(self.path, self.query)
        return self.path

    @property
    def fields(self) -> Mapping[str, object]:
        """Give the same for JSON, as a reader will want to search it."""
        fields = {
            "connection": self.connection,
            "peer": self.peer,
            "client": self.client,
            "user": self.user,
            "method": quoted(_text(self.method)),
            "target": quoted(_text(self._target())),
            "protocol": quoted(_text(self.protocol)),
            "status": self.status,
            "bytes": self.length,
            "ms": round(self.seconds * 1000, 1),
        }
        if self.session:
            fields |= {"session": self.session, "upstream": str(self.upstream)}
        return fields


class Note(NamedTuple):
    """One step of a connection, as a record of the log."""

    connection: int
    text: str

    @property
    def writer(self) -> str:
        return f"websocket {self.connection}"

    def __str__(self) -> str:
        return neutral(self.text)

    @property
    def fields(self) -> Mapping[str, object]:
        return {"connection": self.connection, "text": neutral(self.text)}


def log_access(access: Access, request_id: str) -> None:
    """Write one request's line."""
    lines.publish(access, _log, request_id)


def debugging() -> bool:
    """Tell whether steps are written, for those that cost something to say."""
    return wanted(lines.DEBUG)


def note(connection: int, text: str, request_id: str = "") -> None:
    """Write one step of a connection, at KasmVNC's level 100."""
    if debugging():
        _notes.debug("{record}", record=Note(connection, text), request_id=request_id)


def note_route(connection: int, proof: str, path: bytes, query: bytes, request_id: str) -> None:
    """Write what a request that is let in asks for, in KasmVNC's words."""
    if not debugging():
        return
    note(connection, f"{'BasicAuth' if proof == 'password' else proof} matched", request_id)
    if path == WEBSOCKET:
        return
    note(connection, "Invalid WS request, maybe a HTTP one", request_id)
    where = quoted(_text(path))
    if path.startswith(b"/api/"):
        note(connection, "HTTP request under /api/", request_id)
        arguments = quoted(_text(shown_query(path, query)))
        note(connection, f"Requested owner api '{where}' with args '{arguments}'", request_id)
    else:
        note(connection, f"Requested file '{where}'", request_id)


@lru_cache(maxsize=1024)
def _words(*texts: str) -> str:
    """Give each behind a space: who comes, and where they go, are the same again and again."""
    return "".join([f" {word(text)}" for text in texts])


def _text(data: bytes) -> str:
    return data.decode("latin-1")
