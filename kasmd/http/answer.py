"""How one answer goes on the wire (RFC 9112 section 6): pure bytes.

A length that is known is said.  Else HTTP/1.1 gets chunks, and HTTP/1.0 the
end of the connection.
"""

from __future__ import annotations

from typing import Optional

from kasmd.h1.body import LAST_CHUNK, chunk
from kasmd.h1.fields import Field
from kasmd.h1.head import HTTP_1_1, render_response
from kasmd.http.problems import CLOSE

SWITCHING_PROTOCOLS = 101


def has_body(method: bytes, status: int) -> bool:
    """Tell whether an answer of this status to this method may have a body."""
    return method != b"HEAD" and status >= 200 and status not in (204, 304)


class Outgoing:
    """One answer's framing; `keep` tells whether another may follow on the connection."""

    def __init__(self, method: bytes, version: bytes) -> None:
        self._method = method
        self._version = version
        #: 0 until there is a head.
        self.status = 0
        #: Bytes of the head and of the body, without what is around chunks.
        self.sent = 0
        self.keep = False
        self._chunked = False
        #: Bytes of the body still to come; None: as many as there are.
        self._left: Optional[int] = 0

    def head(
        self,
        status: int,
        reason: Optional[bytes],
        fields: list[Field],
        length: Optional[int],
        keep: bool,
        lines: bytes = b"",
    ) -> bytes:
        """Give the head, ``fields`` after ``lines`` (ValueError).

        ``keep`` tells whether the request allows that another follows.
        """
        body = has_body(self._method, status)
        chunked = body and length is None and self._version == HTTP_1_1
        if length is not None and (body or self._method == b"HEAD") and status not in (204, 304):
            fields.append((b"Content-Length", b"%d" % length))
        elif chunked:
            fields.append((b"Transfer-Encoding", b"chunked"))
        closes = CLOSE in fields
        keep = keep and not closes and (not body or length is not None or chunked)
        if not (keep or closes or status == SWITCHING_PROTOCOLS):
            fields.append(CLOSE)
        head = render_response(status, reason, fields, lines)
        self.status, self.keep, self._chunked = status, keep, chunked
        self._left = length if body else 0
        self.sent = len(head)
        return head

    def piece(self, data: bytes) -> bytes:
        """Give a piece of the body; nothing of what would be more than the head said."""
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        self.sent += len(data)
        return chunk(data) if self._chunked and data else data

    @property
    def is_short(self) -> bool:
        """Whether the body is not yet as long as the head said."""
        return bool(self._left)

    @property
    def last(self) -> bytes:
        """What ends the body."""
        return LAST_CHUNK if self._chunked else b""
