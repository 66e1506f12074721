"""Which pages of other origins may read answers (the Fetch standard's CORS).

An origin is allowed because the zone's list has it, never because it asked.
"""

from __future__ import annotations

from typing import Collection

from kasmd.errors import ProtocolError
from kasmd.h1.fields import Field
from kasmd.http.headers import Origin, parse_origin
from kasmd.http.server import Request, Response

_METHODS = b"GET, HEAD, POST, PUT, DELETE, OPTIONS"
_FIELDS = b"Content-Type, Range, If-None-Match, If-Match, X-Request-Id"
_EXPOSED = b"Content-Range, ETag, X-Request-Id"
#: Seconds for which a browser need not ask again; Chromium's own ceiling.
_MAX_AGE = b"7200"


class Cors:
    """The answer's fields for whoever asks, from one list of origins."""

    def __init__(self, allowed: Collection[Origin]) -> None:
        self._allowed = frozenset(allowed)

    def fields(self, request: Request) -> list[Field]:
        """Give the fields that let this request's page read the answer, if it may."""
        if not self._allowed:
            return []
        vary = (b"Vary", b"Origin")
        origin = self._origin(request)
        if not origin:
            return [vary]
        return [
            vary,
            (b"Access-Control-Allow-Origin", origin),
            (b"Access-Control-Allow-Credentials", b"true"),
            (b"Access-Control-Expose-Headers", _EXPOSED),
        ]

    def preflight(self, request: Request) -> Response:
        """Answer OPTIONS, without asking who sends it: browsers send no proof with it."""
        fields = self.fields(request)
        if len(fields) > 1:
            fields += [
                (b"Access-Control-Allow-Methods", _METHODS),
                (b"Access-Control-Allow-Headers", _FIELDS),
                (b"Access-Control-Max-Age", _MAX_AGE),
            ]
        return Response(204, [*fields, (b"Allow", _METHODS)])

    def _origin(self, request: Request) -> bytes:
        values = request.values(b"Origin")
        if len(values) != 1:
            return b""
        try:
            known = parse_origin(values[0].decode("latin-1")) in self._allowed
        except ProtocolError:
            return b""
        return values[0] if known else b""
