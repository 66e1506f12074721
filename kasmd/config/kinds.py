"""What a value in the file may be: its text to a typed value, or why not.

Every scalar comes as text and the schema alone says what it means, so
``port: 8443`` and ``port: "8443"`` are the same, as in KasmVNC.
"""

from __future__ import annotations

import math
import re
from ipaddress import ip_address, ip_network
from typing import Callable, Mapping, Optional, TypeVar, Union
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kasmd.ranges import line_of_text

#: A scalar's text, or a list of them.
Raw = Union[str, list[str]]
T = TypeVar("T")
#: Raises ValueError, whose text goes behind the value: "must be ...".
Kind = Callable[[Raw], T]


class Unsaid(ValueError):
    """A value that is wrong and must not be shown, for it may be a secret."""


#: Bytes of a file with a password or a token.
SECRET_LIMIT = 4096
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_BOOLEANS = {"true": True, "false": False}
_ALMOST_BOOLEANS = {"yes", "no", "on", "off", "y", "n"}
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _items(raw: Raw) -> list[str]:
    """Give the items of a list, which may be written without one where it is one only."""
    return [raw] if isinstance(raw, str) else raw


def text(raw: Raw) -> str:
    """A line of text that is not empty."""
    return line_of_text(raw if isinstance(raw, str) else "")


def word(raw: Raw) -> str:
    """A name that needs no quoting anywhere, in an address neither."""
    if not isinstance(raw, str) or not _WORD.fullmatch(raw):
        raise ValueError("must be at most 128 letters, digits, - and _, a letter or digit first")
    return raw


def secret(raw: Raw) -> str:
    """A line of text that is never shown."""
    try:
        return text(raw)
    except ValueError as error:
        raise Unsaid(str(error)) from None


def secret_file(raw: Raw) -> str:
    """The path of a file whose first line is a secret; it is read here."""
    name = path(raw)
    try:
        with open(name, "rb") as file:
            content = file.read(SECRET_LIMIT + 1)
        if len(content) > SECRET_LIMIT:
            raise Unsaid(f"{name} is larger than {SECRET_LIMIT} bytes")
        return secret(content.decode("utf-8").partition("\n")[0].removesuffix("\r"))
    except OSError as error:
        raise Unsaid(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unsaid(f"{name} is not UTF-8") from None


def boolean(raw: Raw) -> bool:
    """Just ``true`` or ``false``."""
    if not isinstance(raw, str) or raw not in _BOOLEANS:
        almost = isinstance(raw, str) and raw.lower() in _BOOLEANS.keys() | _ALMOST_BOOLEANS
        raise ValueError(
            "must be true or false" + (", in just these letters" if almost else "")
        )
    return _BOOLEANS[raw]


def integer(least: int, most: int) -> Kind[int]:
    """A whole number in decimal digits."""

    def convert(raw: Raw) -> int:
        if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,18}", raw):
            if least <= int(raw) <= most:
                return int(raw)
        raise ValueError(f"must be a whole number from {least} to {most}")

    return convert


def seconds(least: float, most: float) -> Kind[float]:
    """A number of seconds, whole or decimal."""

    def convert(raw: Raw) -> float:
        if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", raw):
            if least <= float(raw) <= most and math.isfinite(float(raw)):
                return float(raw)
        raise ValueError(f"must be a number of seconds from {least:g} to {most:g}")

    return convert


def percent(least: int, most: int) -> Kind[int]:
    """A whole number with ``%`` behind it."""
    number = integer(least, most)

    def convert(raw: Raw) -> int:
        if not isinstance(raw, str) or not raw.endswith("%"):
            raise ValueError("must be a number, followed by %")
        return number(raw[:-1])

    return convert


def numbers(least: int, most: int, example: str) -> Kind[tuple[int, ...]]:
    """Whole numbers with commas between them, as many as in ``example``."""
    count = example.count(",") + 1

    def convert(raw: Raw) -> tuple[int, ...]:
        given = raw.split(",") if isinstance(raw, str) else []
        if len(given) == count and all(re.fullmatch(r"-?[0-9]{1,5}", each) for each in given):
            if all(least <= int(each) <= most for each in given):
                return tuple(map(int, given))
        raise ValueError(f"must be {count} numbers from {least} to {most}, such as {example}")

    return convert


def timezone(raw: Raw) -> str:
    """A name of the IANA's time zone database."""
    try:
        return ZoneInfo(text(raw)).key
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("must be the name of a time zone, such as Australia/Adelaide") from None


def mime_types(raw: Raw) -> tuple[str, ...]:
    """``type/subtype``, or a list of them."""
    items = _items(raw)
    for item in items:
        if not re.fullmatch(rf"{_TOKEN.pattern}/{_TOKEN.pattern}", item):
            raise ValueError(f"must be a list of MIME types, which {item!a} is not")
    return tuple(items)


def path(raw: Raw) -> str:
    """An absolute path, for the daemon's own folder changes."""
    if not isinstance(raw, str) or not raw.startswith("/") or not raw.isprintable():
        raise ValueError("must be an absolute path; ${HOME}/... is understood")
    return raw


def address(raw: Raw) -> str:
    """An IP address."""
    try:
        return str(ip_address(text(raw)))
    except ValueError:
        raise ValueError("must be an IP address") from None


def networks(raw: Raw) -> tuple[str, ...]:
    """An IP address or a network with its prefix length, or a list of them."""
    items = _items(raw)
    for item in items:
        try:
            ip_network(item)
        except ValueError:
            raise ValueError(
                f"must be a list of addresses or networks, such as 10.0.0.0/8, not {item!a}"
            ) from None
    return tuple(items)


def choice(*words: str) -> Kind[str]:
    """One of a few words."""

    def convert(raw: Raw) -> str:
        if not isinstance(raw, str) or raw not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return raw

    return convert


def either(words: Mapping[str, T], otherwise: Kind[T]) -> Kind[T]:
    """One of a few words, each with its value, or something else."""

    def convert(raw: Raw) -> T:
        if isinstance(raw, str) and raw in words:
            return words[raw]
        try:
            return otherwise(raw)
        except ValueError as error:
            raise ValueError(f"{error}, or {', '.join(words)}") from None

    return convert


def optional(kind: Kind[T]) -> Kind[Optional[T]]:
    """What may also be left blank; a blank never comes here."""
    return kind


def command(raw: Raw) -> tuple[str, ...]:
    """A program and its arguments; an empty list for no program."""
    if isinstance(raw, str) or any("\0" in word for word in raw) or raw[:1] == [""]:
        raise ValueError('must be a list of a program and its arguments: ["xterm", "-ls"]')
    return tuple(raw)


def program(raw: Raw) -> tuple[str, ...]:
    """A command that must be there."""
    if not command(raw):
        raise ValueError("must name a program")
    return command(raw)


def headers(raw: Raw) -> tuple[tuple[str, str], ...]:
    """``Name=value``, or a list of them (RFC 9110); the value may hold ``=``."""
    return tuple(_header(item) for item in _items(raw))


def _header(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    printable = value.isascii() and value.isprintable() and value == value.strip()
    if not _TOKEN.fullmatch(name) or not equals or not value or not printable:
        raise ValueError(f"must be a list of Name=value, which {item!a} is not")
    return name, value


def origins(raw: Raw) -> tuple[str, ...]:
    """``https://host[:port]``, or a list of them (RFC 6454)."""
    items = _items(raw)
    for item in items:
        if not _is_origin(item):
            raise ValueError(f"must be a list of https://host[:port], which {item!a} is not")
    return tuple(item.lower() for item in items)


def is_host(value: str) -> bool:
    """Tell whether ``value`` can be the name or the address of a host."""
    return _HOST.fullmatch(value) is not None


def hosts(raw: Raw) -> tuple[str, ...]:
    """A host's name or address, or a list of them."""
    items = _items(raw)
    for item in items:
        if not is_host(item):
            raise ValueError(f"must be a list of hosts, which {item!a} is none")
    return tuple(item.lower() for item in items)


def framers(raw: Raw) -> tuple[str, ...]:
    """Whose pages may frame ours: ``self`` and origins, or ``none`` alone (CSP 3)."""
    items = _items(raw)
    if items == ["none"]:
        return ("none",)
    others = [item for item in items if item != "self"]
    if not items or not all(_is_origin(item) for item in others):
        raise ValueError("must be none, or a list of self and https://host[:port]")
    return tuple(item.lower() for item in items)


def _is_origin(item: str) -> bool:
    try:
        parts = urlsplit(item)
        whole = f"{parts.scheme}://{parts.netloc}".lower() == item.lower()
        port = parts.port
    except ValueError:
        return False
    plain = whole and item.isascii() and item.isprintable() and not re.search(r"[@\s*]", item)
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
