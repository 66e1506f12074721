"""Where a message's body ends (RFC 9112 sections 6 and 7), and its pieces.

A message that says it twice, or in words that not everybody reads alike, is
refused: that is how one request becomes two between two proxies.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional, Protocol

from kasmd.h1.fields import Fields, HttpError, parse_fields
from kasmd.h1.head import HTTP_1_0, Limits, RequestHead, ResponseHead

_LENGTH = re.compile(rb"[0-9]{1,18}\Z")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\Z")


class Framing(NamedTuple):
    """How long a body is: ``length`` bytes, or None where its end shows itself.

    Then it is ``chunked``, or it ends with the connection.
    """

    length: Optional[int] = 0
    chunked: bool = False


EMPTY = Framing(0)
CHUNKED = Framing(None, True)
UNTIL_CLOSE = Framing(None, False)


def request_framing(head: RequestHead) -> Framing:
    """Tell how a request's body ends (HttpError: 400, 501)."""
    fields = head.fields
    if b"transfer-encoding" in fields.values:
        return _transfer_coding(fields, head.version, 501)
    length = _content_length(fields)
    return Framing(length) if length else EMPTY


def response_framing(head: ResponseHead, method: bytes) -> Framing:
    """Tell how the body of an answer to ``method`` ends (HttpError)."""
    fields, status = head.fields, head.status
    if method == b"HEAD" or status < 200 or status in (204, 304):
        return EMPTY
    if b"transfer-encoding" in fields.values:
        return _transfer_coding(fields, head.version, 502)
    length = _content_length(fields)
    return UNTIL_CLOSE if length is None else Framing(length)


def _transfer_coding(fields: Fields, version: bytes, otherwise: int) -> Framing:
    if b"content-length" in fields:
        raise HttpError(400, "there are both Transfer-Encoding and Content-Length")
    if version == HTTP_1_0:
        raise HttpError(400, "HTTP/1.0 has no Transfer-Encoding")
    values = fields.all(b"transfer-encoding")
    if len(values) != 1 or values[0].lower() != b"chunked":
        raise HttpError(otherwise, "the Transfer-Encoding is not chunked alone")
    return CHUNKED


def _content_length(fields: Fields) -> Optional[int]:
    values = fields.values.get(b"content-length")
    if values is None:
        return None
    if len(values) > 1 or _LENGTH.match(values[0]) is None:
        raise HttpError(400, "the Content-Length is not one number")
    return int(values[0])


class Decoder(Protocol):
    """Takes a body's bytes as they come."""

    done: bool

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Give the pieces of the body in ``data``, and what follows it (HttpError)."""

    def end(self) -> None:
        """The connection ended; HttpError if the body had not."""


def decoder(framing: Framing, limits: Limits) -> Decoder:
    """Give what reads such a body."""
    if framing.chunked:
        return ChunkedDecoder(limits)
    return LengthDecoder(framing.length)


class LengthDecoder:
    """Reads a body of ``length`` bytes; None: to the end of the connection."""

    def __init__(self, length: Optional[int]) -> None:
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Give the body's part of ``data``, and the rest."""
        if self._left is None or len(data) < self._left:
            if self._left is not None:
                self._left -= len(data)
            return ([data] if data else []), b""
        piece, rest = data[: self._left], data[self._left :]
        self._left = 0
        self.done = True
        return ([piece] if piece else []), rest

    def end(self) -> None:
        """Accept the end where it is what ends the body."""
        if self._left:
            raise HttpError(502, f"the connection ended {self._left} bytes before the body")
        self.done = True


class ChunkedDecoder:
    """Reads a chunked body; chunk extensions and trailers are checked and dropped."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = b""
        #: Bytes of this chunk still to come; None: its size is next.
        self._left: Optional[int] = None
        self._trailers = False
        self.done = False

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Give the pieces that are there, and what follows the last chunk."""
        data = self._buffer + data if self._buffer else data
        self._buffer = b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.done:
            if self._left is not None and self._left > 0:
                piece = data[at : at + self._left]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
                continue
            after = self._line(data, at)
            if after is None:
                self._buffer = data[at:]
                return pieces, b""
            at = after
        return pieces, data[at:]

    def _line(self, data: bytes, at: int) -> Optional[int]:
        """Read what stands between chunks; give where it ends, or None until all is here."""
        if self._left == 0:
            if len(data) - at < 2 and data[at : at + 1] == b"\r":
                return None
            if data[at : at + 2] != b"\r\n":
                raise HttpError(400, "a chunk is longer than its size says")
            self._left = None
            return at + 2
        if self._trailers:
            return self._trailer_section(data, at)
        end = data.find(b"\n", at, at + self._limits.chunk_line)
        if end < 0:
            if len(data) - at >= self._limits.chunk_line:
                text = "the line with a chunk's size is too long"
                raise HttpError(400, text, "chunk_line")
            return None
        match = _CHUNK.match(data[at : end - 1]) if data[end - 1 : end] == b"\r" else None
        if match is None:
            raise HttpError(400, f"a chunk's size is {data[at:end][:40]!r}")
        size = int(match[1], 16)
        self._trailers = not size
        self._left = size or None
        return end + 1

    def _trailer_section(self, data: bytes, at: int) -> Optional[int]:
        if data.startswith(b"\r\n", at):
            self.done = True
            return at + 2
        end = data.find(b"\r\n\r\n", at, at + self._limits.trailers)
        if end < 0:
            if len(data) - at >= self._limits.trailers:
                text = f"the trailers have over {self._limits.trailers} bytes"
                raise HttpError(431, text, "trailers")
            return None
        parse_fields(data[at:end].split(b"\r\n"), self._limits.fields)
        self.done = True
        return end + 4

    def end(self) -> None:
        """A chunked body ends with its last chunk only."""
        raise HttpError(502, "the connection ended inside a chunked body")


def chunk(data: bytes) -> bytes:
    """Give ``data``, which is not empty, as a chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
