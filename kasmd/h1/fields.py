"""Header fields (RFC 9110 section 5): in order, and found whatever their case."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Iterable, Iterator

from kasmd.errors import ProtocolError

Field = tuple[bytes, bytes]

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


@lru_cache(maxsize=1024)
def is_token(name: bytes) -> bool:
    """Tell whether ``name`` is a token, as methods and field names are."""
    return _TOKEN.match(name) is not None


@lru_cache(maxsize=1024)
def _key(name: bytes) -> bytes:
    if not is_token(name):
        raise HttpError(400, f"a header field is named {name[:40]!r}")
    return name.lower()


class Fields:
    """Header fields as they came, each ``(name, value)``; names are asked for in lower case."""

    __slots__ = ("raw", "_values")

    def __init__(self, raw: Iterable[Field] = ()) -> None:
        self.raw = tuple(raw)
        self._values: dict[bytes, list[bytes]] = {}
        values = self._values
        for name, value in self.raw:
            key = _key(name)
            if key in values:
                values[key].append(value)
            else:
                values[key] = [value]

    def __iter__(self) -> Iterator[Field]:
        return iter(self.raw)

    def __contains__(self, name: bytes) -> bool:
        return name in self._values

    def has_any(self, names: Iterable[bytes]) -> bool:
        """Tell whether a field of one of these names is there."""
        return not self._values.keys().isdisjoint(names)

    def __repr__(self) -> str:
        return f"Fields({self.raw!r})"

    def all(self, name: bytes) -> list[bytes]:
        """Give every value of ``name``, in order."""
        return list(self._values.get(name, ()))

    def get(self, name: bytes) -> bytes:
        """Give the last value of ``name``, or an empty one."""
        values = self._values.get(name)
        return values[-1] if values else b""

    def tokens(self, name: bytes) -> list[bytes]:
        """Give the members of a list (RFC 9110 section 5.6.1), lower case, in order."""
        values = self._values.get(name)
        if values is None:
            return []
        members = b",".join(values).lower().split(b",")
        return [token for member in members if (token := member.strip(b" \t"))]

    def without(self, names: Iterable[bytes]) -> list[Field]:
        """Give the fields whose names, in lower case, are not among ``names``."""
        dropped = frozenset(names)
        return [field for field in self.raw if _key(field[0]) not in dropped]


def parse_fields(lines: list[bytes], most: int) -> Fields:
    """Read field lines; none may be folded, and no name may end with a space."""
    if len(lines) > most:
        text = f"there are {len(lines)} header fields, and {most} may be"
        raise HttpError(431, text, "header_count")
    raw = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise HttpError(400, f"a header line has no colon: {line[:40]!r}")
        raw.append((name, value.strip(b" \t")))
    return Fields(raw)


def render_lines(fields: Iterable[Field]) -> bytes:
    """Give the lines of ``fields``; ValueError where a value would begin a line of its own."""
    # An empty one for the last line's end.
    lines = [*map(b": ".join, fields), b""]
    block = b"\r\n".join(lines)
    if len(block.translate(None, TEXT)) != 2 * (len(lines) - 1):
        raise ValueError("a header field holds a control character")
    return block
