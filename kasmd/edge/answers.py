"""The header fields of an upstream's answer for the client.

Pure.  A desktop is its user's, and shares its origin with every other desktop:
what it answers may speak for its own paths only, and never of the credential
that was put in for it.
"""

from __future__ import annotations

import binascii
import re
from typing import Callable, NamedTuple, Optional, Sequence
from urllib.parse import urlsplit

from kasmd.edge.asking import Allowed
from kasmd.edge.onward import HOP_BY_HOP, Hop, is_own_cookie, via
from kasmd.h1.fields import Field, Fields
from kasmd.h1.memo import Memo, is_short

#: What would speak for the whole origin, order a proxy in front about, tell of a
#: credential, or is said by the face itself.
_NOT_FROM_DESKTOPS = HOP_BY_HOP | frozenset((
    b"accept-ch", b"alt-svc", b"authentication-info", b"clear-site-data", b"content-length",
    b"date", b"expect-ct", b"nel", b"origin-agent-cluster", b"public-key-pins",
    b"referrer-policy", b"report-to", b"reporting-endpoints", b"server",
    b"service-worker-allowed", b"set-cookie", b"strict-transport-security", b"via",
    b"www-authenticate", b"x-content-type-options", b"x-lighttpd-send-file", b"x-reproxy-url",
    b"x-request-id", b"x-sendfile",
))  # fmt: skip
_THEIR_PREFIXES = (b"x-kasm-", b"kasmd-", b"proxy-", b"x-accel-", b"access-control-")
#: Which proxy before us failed (RFC 9209) is for the client to know.
PROXY_STATUS = b"proxy-status"
#: Fields that name a place.
_PLACED = (b"location", b"content-location", b"set-cookie")
#: Shorter parts of a credential are found everywhere.
_SHORTEST_SECRET = 6
#: What is written as an escape in a URL (RFC 3986 section 2.3).
_ESCAPED = re.compile(rb"[^A-Za-z0-9._~-]")


class PathMap(NamedTuple):
    """Where the upstream's paths are for the client.

    The client sees ``public`` where the upstream has ``inner``, and all of the
    desktop's paths begin with ``scope``, which is empty where none is known.
    """

    public: bytes
    inner: bytes
    scope: bytes
    #: The hosts (with ports, in lower case) by which the upstream may call itself.
    hosts: frozenset[bytes]

    def outside(self, path: bytes) -> bytes:
        """Give the client's path for one of the upstream's."""
        if path == self.inner or path.startswith(self.inner + b"/"):
            return self.public + path[len(self.inner) :]
        return path


def path_map(path: bytes, host: bytes, allowed: Allowed) -> PathMap:
    """Tell it from what the client asked for and what the upstream is asked for."""
    inner = allowed.target.partition(b"?")[0]
    same = _same_end(path, inner)
    upstream = allowed.upstream
    hosts = {host.lower(), str(upstream).partition("://")[2].lower().encode("ascii", "replace")}
    if upstream.port == (80 if upstream.tls is None else 443):
        hosts.add(upstream.host.lower().encode("ascii", "replace"))
    scope = _scope(path, allowed.session.encode("ascii", "replace"))
    return PathMap(path[: len(path) - same], inner[: len(inner) - same], scope, frozenset(hosts))


def _scope(path: bytes, session: bytes) -> bytes:
    """Give the path as far as the session's id, which may be written without dashes."""
    for ident in (session, session.replace(b"-", b"")):
        at = path.lower().find(b"/%b/" % ident.lower())
        if ident and at >= 0:
            return path[: at + len(ident) + 2]
    return b""


def _same_end(path: bytes, other: bytes) -> int:
    """Count the bytes of the longest common end that begins with a slash."""
    if path == other:
        return len(path)
    same = 0
    for size in range(1, min(len(path), len(other)) + 1):
        if path[-size] != other[-size]:
            break
        if path[-size] == 0x2F:
            same = size
    return same


def answer_fields(
    fields: Fields,
    version: bytes,
    hop: Hop,
    find_paths: Callable[[], PathMap],
    secrets: Sequence[bytes] = (),
) -> list[Field]:
    """Give an answer's fields for the client; its length is not among them.

    No value that holds one of ``secrets`` is among them either.  Most answers
    name no paths, so these are found where they are needed.
    """
    named = fields.tokens(b"connection")
    onward = [
        field for key, field, _ in fields.keyed if not (_WITHHELD[key] or key in named)
    ]
    if fields.has_any(_PLACED):
        paths = find_paths()
        onward = [_relocated(field, paths) for field in onward]
        onward += _scoped(fields, paths)
    if b"via" in fields.values:
        onward += [(b"Via", value) for value in fields.all(b"via")]
    if secrets:
        told = b"\n".join([value for _, value in onward])
        if any([secret in told for secret in secrets]):
            onward = [field for field in onward if not any(map(field[1].__contains__, secrets))]
    onward.append((b"Via", via(version, hop)))
    return onward


def _is_withheld(key: bytes) -> bool:
    key = key.replace(b"_", b"-")
    return key != PROXY_STATUS and (key in _NOT_FROM_DESKTOPS or key.startswith(_THEIR_PREFIXES))


_WITHHELD = Memo(_is_withheld, is_short)


def secrets_of(fields: tuple[Field, ...]) -> tuple[bytes, ...]:
    """Give what of the fields that were put in may never come back, as it may be written.

    It is found anew for each answer: what is remembered outlives the session.
    """
    found: set[bytes] = set()
    for name, value in fields:
        if name.lower() in (b"authorization", b"kasmd-ticket"):
            scheme, _, parameter = value.rpartition(b" ")
            found |= {value, parameter}
            if scheme.lower() == b"basic":
                found |= _decoded(parameter)
    found |= {_ESCAPED.sub(_escape, secret) for secret in found}
    return tuple([secret for secret in found if len(secret) >= _SHORTEST_SECRET])


def _escape(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match[0][0]


def _decoded(parameter: bytes) -> set[bytes]:
    try:
        pair = binascii.a2b_base64(parameter)
    except binascii.Error:
        return set()
    return {pair, pair.partition(b":")[2]}


def _relocated(field: Field, paths: PathMap) -> Field:
    name, value = field
    if name.lower() not in _PLACED:
        return field
    return name, relocated(value, paths)


def relocated(location: bytes, paths: PathMap) -> bytes:
    """Give a Location for the client: what is the upstream's own becomes a public path."""
    try:
        parts = urlsplit(location.decode("latin-1"))
    except ValueError:
        return location
    authority = parts.netloc.rpartition("@")[2].lower().encode("latin-1")
    ours = authority in paths.hosts if authority else location.startswith(b"/")
    if not ours or parts.scheme not in ("", "http", "https"):
        return location
    path = paths.outside(parts.path.encode("latin-1") or b"/")
    if path.startswith((b"//", b"/\\")):
        # As a path without a host it would name another host.
        path = b"/" + path.lstrip(b"/\\")
    rest = (f"?{parts.query}" if parts.query else "") + (
        f"#{parts.fragment}" if parts.fragment else ""
    )
    return path + rest.encode("latin-1")


def _scoped(fields: Fields, paths: PathMap) -> list[Field]:
    cookies = (scoped_cookie(value, paths) for value in fields.all(b"set-cookie"))
    return [(b"Set-Cookie", cookie) for cookie in cookies if cookie is not None]


def scoped_cookie(value: bytes, paths: PathMap) -> Optional[bytes]:
    """Give a Set-Cookie value that reaches this desktop's paths only, None for none."""
    pair, *attributes = value.split(b";")
    name, equals, _ = pair.strip().partition(b"=")
    # Without a name, the value alone would be sent back, and may look like any cookie.
    if not paths.scope or not equals or not name.strip() or is_own_cookie(name.strip()):
        return None
    kept = [pair.strip()]
    path = b""
    for attribute in attributes:
        key, _, said = attribute.strip().partition(b"=")
        if key.strip().lower() == b"path":
            path = said.strip()
        elif key.strip().lower() != b"domain" and key:
            kept.append(attribute.strip())
    inside = paths.outside(path) if path.startswith(b"/") else b""
    scope = inside if _is_below(inside, paths.scope) else paths.scope
    return b"; ".join([*kept, b"Path=" + scope])


def _is_below(path: bytes, scope: bytes) -> bool:
    return path.startswith(scope) and b"/.." not in path
