"""The header fields of a request for the next hop, and the target that it asks for.

Pure.  What goes on is what nobody claims for themselves: hop-by-hop fields
(RFC 9110 section 7.6.1), credentials, and what only a proxy may say are taken
out, underscores being read as dashes as some upstreams do; then what is known
here is put in.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Sequence
from urllib.parse import unquote_to_bytes

from kasmd.edge.cookies import KASM_COOKIES
from kasmd.h1.body import Framing
from kasmd.h1.fields import Field, Fields
from kasmd.h1.memo import Memo, is_short
from kasmd.http.cookies import PLAIN_NAME

#: Proxies that a request may have come through; with more of them it goes in a circle.
MAX_HOPS = 8

HOP_BY_HOP = frozenset((
    b"connection", b"http2-settings", b"keep-alive", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
))  # fmt: skip
#: Fields of a request that are taken out, and then perhaps put in again from what is believed.
_NOT_FROM_CLIENTS = HOP_BY_HOP | frozenset((
    b"authorization", b"cf-connecting-ip", b"client-ip", b"content-length", b"cookie", b"expect",
    b"forwarded", b"host", b"referer", b"true-client-ip", b"via", b"x-client-ip",
    b"x-cluster-client-ip", b"x-original-uri", b"x-original-url", b"x-real-ip", b"x-request-id",
    b"x-rewrite-url",
))  # fmt: skip
_CLIENTS_PREFIXES = (b"x-kasm-", b"kasmd-", b"proxy-", b"x-forwarded-")

#: Query arguments that carry a credential, in lower case and without dashes and underscores.
CREDENTIAL_ARGUMENTS = frozenset((
    b"accesstoken", b"apikey", b"apikeysecret", b"auth", b"authorization", b"authtoken",
    b"clientsecret", b"jwt", b"pass", b"passwd", b"password", b"pwd", b"secret", b"sessiontoken",
    b"ticket", b"token",
))  # fmt: skip

#: Cookies that prove who somebody is to this origin: no desktop sets or sees them.
_OWN_COOKIES = frozenset((PLAIN_NAME, *KASM_COOKIES))
_OWN_COOKIE_PREFIXES = (b"__host-", b"__secure-kasm")


class Hop(NamedTuple):
    """What this edge calls itself, and what it lets go on."""

    #: A token (RFC 9110 section 5.6.2): it is in Via, Forwarded and Proxy-Status.
    name: bytes
    #: Whether the client's cookies go on, but for those that prove who somebody is here.
    #: An authoriser puts in what the next hop must have of these.
    cookies: bool = False


class Believed(NamedTuple):
    """What is known of a request, as far as trusted peers said it."""

    #: The client's IP address, empty where it came over a unix socket.
    address: str
    secure: bool
    #: The Host value, which is valid; empty from a client of HTTP/1.0.
    host: bytes
    request_id: str
    version: bytes = b"HTTP/1.1"


def is_own_cookie(name: bytes) -> bool:
    """Tell whether a cookie of this name is between the browser and us only."""
    lower = name.lower()
    return lower in _OWN_COOKIES or lower.startswith(_OWN_COOKIE_PREFIXES)


# Requests.


def request_fields(
    fields: Fields, believed: Believed, hop: Hop, put_in: Sequence[Field] = ()
) -> list[Field]:
    """Give the fields for the next hop; how the body is framed is not among them.

    ``put_in`` replaces what the client says by these names.
    """
    named = {name.lower() for name, _ in put_in}
    onward = [(b"Host", believed.host)] if believed.host and b"host" not in named else []
    named.update(fields.tokens(b"connection"))
    onward += [
        field
        for key, field, _ in fields.keyed
        if not _WITHHELD[key] and key not in named
    ]
    said = fields.values
    if hop.cookies and b"cookie" in said and b"cookie" not in named:
        onward += _cookies(fields)
    if b"referer" in said and b"referer" not in named:
        onward.append((b"Referer", without_credentials(fields.get(b"referer"))))
    if b"via" in said:
        onward += [(b"Via", value) for value in fields.all(b"via")]
    onward.append((b"Via", via(believed.version, hop)))
    onward += _forwarded(believed.address, believed.secure, believed.host, hop.name)
    onward.append((b"X-Request-Id", believed.request_id.encode("ascii")))
    onward += put_in
    return onward


def framing_fields(fields: Fields, framing: Framing) -> list[Field]:
    """Give the fields that say how the body of a request or an answer goes on."""
    if framing.length is None:
        return [(b"Transfer-Encoding", b"chunked")]
    if framing.length or b"content-length" in fields.values:
        return [(b"Content-Length", b"%d" % framing.length)]
    return []


def hops(fields: Fields) -> int:
    """Count the proxies that a message says it came through."""
    return len(fields.tokens(b"via"))


def _is_withheld(key: bytes) -> bool:
    key = key.replace(b"_", b"-")
    return key in _NOT_FROM_CLIENTS or key.startswith(_CLIENTS_PREFIXES)


_WITHHELD = Memo(_is_withheld, is_short)


def _cookies(fields: Fields) -> list[Field]:
    pairs = [pair.strip(b" \t") for line in fields.all(b"cookie") for pair in line.split(b";")]
    kept = [pair for pair in pairs if pair and not is_own_cookie(pair.partition(b"=")[0].strip())]
    return [(b"Cookie", b"; ".join(kept))] if kept else []


@lru_cache(maxsize=64)
def via(version: bytes, hop: Hop) -> bytes:
    """Give this hop's member of Via (RFC 9110 section 7.6.3)."""
    return version.removeprefix(b"HTTP/") + b" " + hop.name


@lru_cache(maxsize=1024)
def _forwarded(client: str, secure: bool, host: bytes, hop: bytes) -> tuple[Field, ...]:
    """Say what is believed in the words of RFC 7239 and in the older ones."""
    address = client.encode("ascii")
    proto = b"https" if secure else b"http"
    node = b'"[%b]"' % address if b":" in address else address
    parts = [b"by=_" + _obfuscated(hop), b"for=" + (node or b"unknown"), b"proto=" + proto]
    said = [(b"X-Forwarded-Proto", proto)]
    if host:
        parts.append(b'host="%b"' % host)
        said += [(b"X-Forwarded-Host", host), (b"X-Forwarded-Port", _port(host, secure))]
    if address:
        said += [(b"X-Forwarded-For", address), (b"X-Real-IP", address)]
    return ((b"Forwarded", b";".join(parts)), *said)


def _obfuscated(name: bytes) -> bytes:
    """Give what RFC 7239 section 6.3 lets a hop be called."""
    return bytes(c if c in b".-" or chr(c).isalnum() else 0x5F for c in name)


def _port(host: bytes, secure: bool) -> bytes:
    port = host.rpartition(b"]")[2].partition(b":")[2]
    return port or (b"443" if secure else b"80")


# Credentials in query strings.


def without_credentials(target: bytes) -> bytes:
    """Give an address without the query arguments that carry a credential."""
    path, mark, query = target.partition(b"?")
    if not mark:
        return target
    query, hash_, fragment = query.partition(b"#")
    kept = b"&".join(pair for pair in query.split(b"&") if not _is_credential(pair))
    return path + (mark + kept if kept else b"") + hash_ + fragment


def onward_target(target: bytes, asked: bytes) -> bytes:
    """Give ``target`` without the credentials that the client put into ``asked``.

    One that the authoriser put in goes on.
    """
    if b"?" not in asked:
        return target
    credentials = {pair for pair in asked.partition(b"?")[2].split(b"&") if _is_credential(pair)}
    if not credentials:
        return target
    path, _, query = target.partition(b"?")
    kept = b"&".join(pair for pair in query.split(b"&") if pair not in credentials)
    return path + b"?" + kept if kept else path


def _is_credential(pair: bytes) -> bool:
    return _names_credential(pair.partition(b"=")[0])


@lru_cache(maxsize=1024)
def _names_credential(name: bytes) -> bool:
    name = unquote_to_bytes(name).lower()
    return name.translate(None, b"-_") in CREDENTIAL_ARGUMENTS
