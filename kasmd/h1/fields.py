"""Header fields (RFC 9110 section 5): in order, and found whatever their case."""

from __future__ import annotations

import re
from typing import Iterable, Iterator, Optional

from kasmd.errors import ProtocolError
from kasmd.h1.memo import LONGEST, Memo, is_short

Field = tuple[bytes, bytes]
#: A field's name in lower case, the field, and its value.
Keyed = tuple[bytes, Field, tuple[bytes, ...]]

#: The fields whose lines are remembered: no value of theirs is a secret.
_ORDINARY = frozenset(b"""
    accept accept-encoding accept-language accept-ranges cache-control connection content-encoding
    content-length content-security-policy content-type cross-origin-embedder-policy
    cross-origin-opener-policy cross-origin-resource-policy date dnt etag expires forwarded host
    if-modified-since if-none-match keep-alive last-modified origin
    pragma priority referrer-policy sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest
    sec-fetch-mode sec-fetch-site sec-fetch-user sec-gpc sec-websocket-extensions
    sec-websocket-version server strict-transport-security
    transfer-encoding upgrade upgrade-insecure-requests user-agent vary via x-content-type-options
    x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-frame-options x-kasm-id
    x-real-ip
""".split())

#: Bytes of a field's name; names are remembered, too.
_LONGEST_NAME = 256
#: Methods that need not be looked at twice.
_METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
#: What a field's value may hold: tab, visible characters, and bytes from 128 on.
TEXT = bytes([9, *range(32, 127), *range(128, 256)])


class HttpError(ProtocolError):
    """A message that is refused, and the status that says so (for a request).

    ``limit`` names the one that was reached.
    """

    def __init__(self, status: int, text: str, limit: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.limit = limit


def is_token(name: bytes) -> bool:
    """Tell whether ``name`` is a token, as methods and field names are."""
    return name in _METHODS or _TOKEN.match(name) is not None


def _read_name(name: bytes) -> bytes:
    if len(name) > _LONGEST_NAME:
        raise HttpError(431, f"a header field's name has {len(name)} bytes", "header_bytes")
    if not is_token(name):
        raise HttpError(400, f"a header field is named {name[:40]!r}")
    return name.lower()


_KEYS = Memo(_read_name, is_short)


class Fields:
    """Header fields as they came, each ``(name, value)``; names are asked for in lower case."""

    __slots__ = ("keyed", "values")

    def __init__(self, raw: Iterable[Field] = (), keyed: Optional[list[Keyed]] = None) -> None:
        """Take fields, or those that were read already."""
        if keyed is None:
            keyed = [(_KEYS[name], (name, value), (value,)) for name, value in raw]
        #: The fields in order, for those who look at every one.
        self.keyed = keyed
        #: The values by name, for those who ask often.
        self.values = {key: values for key, _, values in keyed}
        if len(self.values) < len(keyed):
            self.values = {}
            for key, _, values in keyed:
                self.values[key] = self.values.get(key, ()) + values

    @property
    def raw(self) -> tuple[Field, ...]:
        """The fields as they came."""
        return tuple([field for _, field, _ in self.keyed])

    def __iter__(self) -> Iterator[Field]:
        return iter(self.raw)

    def __contains__(self, name: bytes) -> bool:
        return name in self.values

    def has_any(self, names: Iterable[bytes]) -> bool:
        """Tell whether a field of one of these names is there."""
        return not self.values.keys().isdisjoint(names)

    def __repr__(self) -> str:
        return f"Fields({self.raw!r})"

    def all(self, name: bytes) -> list[bytes]:
        """Give every value of ``name``, in order."""
        return list(self.values.get(name, ()))

    def get(self, name: bytes) -> bytes:
        """Give the last value of ``name``, or an empty one."""
        values = self.values.get(name)
        return values[-1] if values else b""

    def tokens(self, name: bytes) -> list[bytes]:
        """Give the members of a list (RFC 9110 section 5.6.1), lower case, in order."""
        values = self.values.get(name)
        if values is None:
            return []
        value = b",".join(values)
        return list(_MEMBERS[value])

    def without(self, names: Iterable[bytes]) -> list[Field]:
        """Give the fields whose names, in lower case, are not among ``names``."""
        dropped = frozenset(names)
        return [field for key, field, _ in self.keyed if key not in dropped]


def parse_fields(lines: list[bytes], most: int) -> Fields:
    """Read field lines; none may be folded, and no name may end with a space (HttpError)."""
    if len(lines) > most:
        text = f"there are {len(lines)} header fields, and {most} may be"
        raise HttpError(431, text, "header_count")
    return Fields((), list(map(_LINES.__getitem__, lines)))


def _read_line(line: bytes) -> Keyed:
    if line.translate(None, TEXT):
        raise HttpError(400, "a header field holds a control character")
    name, colon, value = line.partition(b":")
    if not colon:
        raise HttpError(400, f"a header line has no colon: {line[:40]!r}")
    value = value.strip(b" \t")
    return _KEYS[name], (name, value), (value,)


def _read_members(value: bytes) -> tuple[bytes, ...]:
    members = value.lower().split(b",")
    return tuple([token for member in members if (token := member.strip(b" \t"))])


def _is_ordinary(line: bytes, keyed: Keyed) -> bool:
    return keyed[0] in _ORDINARY and len(line) <= LONGEST


_LINES = Memo(_read_line, _is_ordinary)
_MEMBERS = Memo(_read_members, is_short)


def render_lines(fields: Iterable[Field]) -> bytes:
    """Give the lines of ``fields``; ValueError where a value would begin a line of its own."""
    return b"".join(map(_RENDERED.__getitem__, fields))


def _render_line(field: Field) -> bytes:
    line = b": ".join(field)
    if line.translate(None, TEXT):
        raise ValueError("a header field holds a control character")
    return line + b"\r\n"


def _renders_ordinary(field: Field, line: bytes) -> bool:
    return field[0].lower() in _ORDINARY and len(line) <= LONGEST


_RENDERED = Memo(_render_line, _renders_ordinary)
