"""What a request says: its target, its header, and where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from kasmd.h1.body import EMPTY, Framing
from kasmd.h1.head import HTTP_1_0, RequestHead
from kasmd.http.headers import valid_host
from kasmd.http.log import (
    accepted_request_id,
    debugging,
    new_request_id,
    note,
    note_route,
)
from kasmd.http.problems import CLOSE, Problem
from kasmd.http.proxies import said
from kasmd.http.query import Query
from kasmd.interfaces import Principal

if TYPE_CHECKING:
    from kasmd.http.channel import Channel


class Asked:
    """A request as it came over ``channel``.

    ``uri`` is its target, ``path`` what of it precedes the question mark,
    ``fields`` its header, ``framing`` tells what body follows.
    """

    principal: Optional[Principal] = None

    def __init__(self, channel: Channel, head: RequestHead, framing: Framing = EMPTY) -> None:
        self.channel = channel
        self.method, self.uri, self.version, self.fields = head
        self.framing = framing
        self.path = self.uri.partition(b"?")[0]
        factory, peer = channel.factory, channel.peer_address
        self._began = factory.reactor.seconds()
        #: The Host value, or an empty one; `check` refuses what names no host.
        self.host = self.fields.get(b"host")
        #: The client's IP address, or an empty text for a unix socket.
        #: Behind a trusted proxy it is what the proxy says.
        self.address = peer
        if factory.proxies:
            self.address = factory.proxies.client(peer, said(self.fields, b"for"))
            self.request_id = self._request_id(factory.proxies.trusts(peer))
        else:
            self.request_id = new_request_id()

    def _request_id(self, trusted: bool) -> str:
        """Take a trusted proxy's id for this request, or make one."""
        given = self.fields.all(b"x-request-id") if trusted else []
        return accepted_request_id(given[0]) if len(given) == 1 else new_request_id()

    def values(self, name: bytes) -> list[bytes]:
        """Give every value of a request header, in order."""
        return self.fields.all(name.lower())

    def value(self, name: bytes) -> bytes:
        """Give the only value of a request header, or an empty one."""
        values = self.fields.values.get(name.lower())
        if values is None:
            return b""
        if len(values) > 1:
            raise Problem(400, f"The request has several {name.decode('ascii')} headers.", [CLOSE])
        return values[0]

    @property
    def query(self) -> Query:
        """What follows the question mark (ProtocolError)."""
        return Query(self.uri.partition(b"?")[2])

    @property
    def secure(self) -> bool:
        """Whether the client speaks TLS, to us or to a trusted proxy."""
        channel = self.channel
        proxies = channel.factory.proxies
        if channel.secure or not proxies:
            return channel.secure
        return proxies.is_secure(channel.peer_address, said(self.fields, b"proto"))

    @property
    def peer(self) -> str:
        """The client's address and the connection's port, for people and logs."""
        port = self.channel.peer_port
        return f"{self.address}:{port}" if port else "unix socket"

    @property
    def connection(self) -> int:
        """The connection's number, as the log has it."""
        return self.channel.number

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits to be asked for the body."""
        return b"expect" in self.fields.values and self.version != HTTP_1_0

    @property
    def navigates(self) -> bool:
        """Whether a browser asks for a page, to show it."""
        if self.method not in (b"GET", b"HEAD"):
            return False
        mode = self.value(b"Sec-Fetch-Mode")
        html = any(b"text/html" in value for value in self.values(b"Accept"))
        return html and mode in (b"navigate", b"")

    def check(self) -> None:
        """Raise a `Problem` for what no route would answer."""
        host = self.value(b"Host")
        if not (valid_host(host) or (not host and self.version == HTTP_1_0)):
            raise Problem(400, "The Host header does not name a host.", [CLOSE])
        if not self.path.startswith(b"/"):
            raise Problem(400, "The request target is not a path.", [CLOSE])
        if self.expects_continue and self.fields.tokens(b"expect") != [b"100-continue"]:
            raise Problem(417, "Nothing but 100-continue can be expected.")

    # Steps in the log, where they are wanted.

    def note(self, text: str) -> None:
        """Write a step of this request."""
        note(self.channel.number, text, self.request_id)

    def note_route(self) -> None:
        """Write what was asked for and by what it was let in."""
        if not debugging():
            return
        proof = self.principal.kind if self.principal is not None else ""
        query = self.uri.partition(b"?")[2]
        note_route(self.channel.number, proof, self.path, query, self.request_id)
