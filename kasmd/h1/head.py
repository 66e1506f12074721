"""The first line of a message and its header fields (RFC 9112 sections 2 to 5).

Strict where two readers could disagree: lines end with CR LF, no line is
folded, no control character is anywhere, one Host and no more.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional, Sequence

from kasmd.h1.fields import TEXT, Field, Fields, HttpError, is_token, parse_fields, render_lines
from kasmd.h1.memo import LONGEST, Memo, is_short

HTTP_1_0, HTTP_1_1 = b"HTTP/1.0", b"HTTP/1.1"
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]\Z")
_STATUSES = {b"%d" % status: status for status in range(100, 600)}
_VISIBLE = bytes(range(33, 127))
_ABSOLUTE = re.compile(rb"https?://([^/?#@]*)([/?][^#]*)?\Z", re.IGNORECASE)


class Limits(NamedTuple):
    """The ceilings of one HTTP face, in bytes unless said."""

    #: The request line; a longer one gets 414.
    request_line: int = 8192
    #: All of a head; a longer one gets 431.  A cookie of 15 kB must have room.
    head: int = 65536
    #: Header fields, in number.
    fields: int = 100
    #: A chunk's size and its extensions, of which there are none in practice.
    chunk_line: int = 256
    #: The trailers after the last chunk, which are dropped.
    trailers: int = 8192


class RequestHead(NamedTuple):
    """A request without its body; ``target`` is a path with a query, or ``*``."""

    method: bytes
    target: bytes
    version: bytes
    fields: Fields


class ResponseHead(NamedTuple):
    """An answer without its body."""

    status: int
    reason: bytes
    version: bytes
    fields: Fields


def parse_request(block: bytes, limits: Limits) -> RequestHead:
    """Read a request's head, without the empty line that ends it (HttpError)."""
    line, *rest = block.split(b"\r\n")
    if len(line) > limits.request_line:
        text = f"the request line has more than {limits.request_line} bytes"
        raise HttpError(414, text, "request_line")
    method, target, version = _REQUEST_LINES[line]
    fields = parse_fields(rest, limits.fields)
    hosts = fields.values.get(b"host", ())
    if len(hosts) > 1 or (not hosts and version == HTTP_1_1):
        raise HttpError(400, f"there are {len(hosts)} Host headers")
    if not target.startswith(b"/") or b"#" in target:
        target = _path_of(method, target, hosts)
    return RequestHead(method, target, version, fields)


def _read_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    parts = line.split(b" ")
    if len(parts) != 3 or not is_token(parts[0]) or not _is_visible(parts[1]):
        raise HttpError(400, "the request line is not method, target and version")
    method, target, version = parts
    if version not in (HTTP_1_1, HTTP_1_0):
        known = _VERSION.match(version) is not None
        raise HttpError(505 if known else 400, f"the version is {version[:20]!r}")
    return method, target, version


def _is_plain(line: bytes, read: tuple[bytes, bytes, bytes]) -> bool:
    """Tell whether a request line may be remembered: a query may hold a credential."""
    return b"?" not in line and len(line) <= LONGEST


_REQUEST_LINES = Memo(_read_request_line, _is_plain)


def _is_visible(target: bytes) -> bool:
    return bool(target) and not target.translate(None, _VISIBLE)


def _path_of(method: bytes, target: bytes, hosts: Sequence[bytes]) -> bytes:
    """Give the target as a path: an absolute one must name the host that Host names."""
    if target == b"*" and method == b"OPTIONS":
        return target
    match = _ABSOLUTE.match(target)
    if match is None:
        raise HttpError(400, "the request target is neither a path nor an http address")
    if hosts and hosts[0].lower() != match[1].lower():
        raise HttpError(400, "the request target and the Host header name different hosts")
    path = match[2] or b"/"
    return path if path.startswith(b"/") else b"/" + path


def parse_response(block: bytes, limits: Limits) -> ResponseHead:
    """Read an answer's head, without the empty line that ends it (HttpError)."""
    line, *rest = block.split(b"\r\n")
    status, reason, version = _STATUS_LINES[line]
    return ResponseHead(status, reason, version, parse_fields(rest, limits.fields))


def _read_status_line(line: bytes) -> tuple[int, bytes, bytes]:
    version, _, after = line.partition(b" ")
    digits, _, reason = after.partition(b" ")
    status = _STATUSES.get(digits)
    if version not in (HTTP_1_1, HTTP_1_0) or status is None or reason.translate(None, TEXT):
        raise HttpError(502, f"the status line is {line[:60]!r}")
    return status, reason, version


_STATUS_LINES = Memo(_read_status_line, is_short)


def render_request(method: bytes, target: bytes, fields: list[Field]) -> bytes:
    """Give the bytes of a request's head (ValueError)."""
    if not is_token(method) or not _is_visible(target):
        raise ValueError("a method or a target that cannot be sent")
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, render_lines(fields))


def render_response(
    status: int, reason: Optional[bytes], fields: list[Field], lines: bytes = b""
) -> bytes:
    """Give the bytes of an answer's head (ValueError).

    ``reason`` None is the status's own; ``lines`` are fields that are rendered already.
    """
    text = REASONS.get(status, b"") if reason is None else reason
    if text.translate(None, TEXT):
        raise ValueError("a reason that cannot be sent")
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (status, text, lines, render_lines(fields))


#: RFC 9110 section 15, and the few others that are sent here.
REASONS = {
    100: b"Continue", 101: b"Switching Protocols", 200: b"OK", 201: b"Created",
    202: b"Accepted", 204: b"No Content", 206: b"Partial Content",
    301: b"Moved Permanently", 302: b"Found", 303: b"See Other", 304: b"Not Modified",
    307: b"Temporary Redirect", 308: b"Permanent Redirect",
    400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found",
    405: b"Method Not Allowed", 406: b"Not Acceptable", 408: b"Request Timeout",
    409: b"Conflict", 410: b"Gone", 411: b"Length Required", 412: b"Precondition Failed",
    413: b"Content Too Large", 414: b"URI Too Long", 415: b"Unsupported Media Type",
    416: b"Range Not Satisfiable", 417: b"Expectation Failed",
    422: b"Unprocessable Content", 426: b"Upgrade Required",
    428: b"Precondition Required", 429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error", 501: b"Not Implemented", 502: b"Bad Gateway",
    503: b"Service Unavailable", 504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported", 507: b"Insufficient Storage",
}  # fmt: skip
