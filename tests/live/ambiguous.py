"""Requests that two readers of HTTP could take for different things (threats.md, group D)."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """Raw bytes, with PATH for the path and HOST for the host."""

    name: str
    data: bytes
    #: The statuses that kasmd alone answers with.
    answers: tuple[int, ...]
    #: Requests that reach the upstream.
    passed: int = 0


def _request(line: bytes, *fields: bytes, body: bytes = b"", host: bytes = b"Host: HOST") -> bytes:
    return b"\r\n".join([line, *([host] if host else []), *fields, b"", body])


_GET = b"GET PATH HTTP/1.1"
_POST = b"POST PATH HTTP/1.1"
_CHUNKED = b"Transfer-Encoding: chunked"
_SMUGGLED = b"GET PATH/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"
_WHOLE = b"3\r\nabc\r\n0\r\n\r\n"

CASES = (
    Case("plain", _request(_GET), (200,), 1),
    Case("post", _request(_POST, b"Content-Length: 3", body=b"abc"), (200,), 1),
    Case("chunked", _request(_POST, _CHUNKED, body=_WHOLE), (200,), 1),
    Case("pipelined", _request(_GET) + _request(_GET), (200, 200), 2),
    Case("two lengths", _request(_POST, b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"),
         (400,)),
    Case("one length twice", _request(_POST, b"Content-Length: 3", b"Content-Length: 3",
                                      body=b"abc"), (400,)),
    Case("a list of lengths", _request(_POST, b"Content-Length: 3, 3", body=b"abc"), (400,)),
    Case("a signed length", _request(_POST, b"Content-Length: +3", body=b"abc"), (400,)),
    Case("a negative length", _request(_POST, b"Content-Length: -3", body=b"abc"), (400,)),
    Case("an overflowing length", _request(_POST, b"Content-Length: 18446744073709551619",
                                           body=b"abc"), (400,)),
    Case("a length in hex", _request(_POST, b"Content-Length: 0x3", body=b"abc"), (400,)),
    Case("length and chunked", _request(_POST, b"Content-Length: 3", _CHUNKED,
                                        body=b"0\r\n\r\n" + _SMUGGLED), (400,)),
    Case("chunked and length", _request(_POST, _CHUNKED, b"Content-Length: 5",
                                        body=b"0\r\n\r\n" + _SMUGGLED), (400,)),
    Case("chunked twice", _request(_POST, _CHUNKED, _CHUNKED, body=_WHOLE), (501,)),
    Case("chunked, identity", _request(_POST, b"Transfer-Encoding: chunked, identity",
                                       body=_WHOLE), (501,)),
    Case("identity, chunked", _request(_POST, b"Transfer-Encoding: identity, chunked",
                                       body=_WHOLE), (501,)),
    Case("xchunked", _request(_POST, b"Transfer-Encoding: xchunked", body=_WHOLE), (501,)),
    Case("quoted chunked", _request(_POST, b'Transfer-Encoding: "chunked"', body=_WHOLE), (501,)),
    Case("chunked with a vertical tab", _request(_POST, b"Transfer-Encoding: \x0bchunked",
                                                 body=_WHOLE), (400,)),
    Case("chunked, space before the colon", _request(_POST, b"Transfer-Encoding : chunked",
                                                     body=_WHOLE), (400,)),
    Case("chunked, folded", _request(_POST, b"Transfer-Encoding:\r\n chunked", body=_WHOLE),
         (400,)),
    Case("chunked of HTTP/1.0", _request(b"POST PATH HTTP/1.0", _CHUNKED, body=_WHOLE), (400,)),
    Case("a chunk size with 0x", _request(_POST, _CHUNKED, body=b"0x3\r\nabc\r\n0\r\n\r\n"),
         (400,)),
    Case("a chunk size with a sign", _request(_POST, _CHUNKED, body=b"+3\r\nabc\r\n0\r\n\r\n"),
         (400,)),
    Case("an overflowing chunk size", _request(_POST, _CHUNKED, body=b"1000000000000003\r\nabc"),
         (400,)),
    Case("a chunk longer than its size", _request(_POST, _CHUNKED, body=b"2\r\nabc\r\n0\r\n\r\n"),
         (400,)),
    Case("a chunk size that ends with LF", _request(_POST, _CHUNKED, body=b"3\nabc\r\n0\r\n\r\n"),
         (400,)),
    Case("lines that end with LF", b"GET PATH HTTP/1.1\nHost: HOST\n\n", (400,)),
    Case("a lone CR in a value", _request(_GET, b"X-A: b\rX-B: c"), (400,)),
    Case("NUL in a value", _request(_GET, b"X-A: b\0c"), (400,)),
    Case("NUL in a name", _request(_GET, b"X\0A: b"), (400,)),
    Case("a folded line", _request(_GET, b"X-A: b\r\n c"), (400,)),
    Case("a space before the colon", _request(_GET, b"X-A : b"), (400,)),
    Case("an empty name", _request(_GET, b": b"), (400,)),
    Case("a line without a colon", _request(_GET, b"X-A"), (400,)),
    Case("two hosts", _request(_GET, b"Host: other.test"), (400,)),
    Case("no host", _request(_GET, host=b""), (400,)),
    Case("an empty host", _request(_GET, host=b"Host:"), (400,)),
    Case("a host with a path", _request(_GET, host=b"Host: HOST/x"), (400,)),
    Case("a host with a user", _request(_GET, host=b"Host: a@HOST"), (400,)),
    Case("another host in the target", _request(b"GET http://other.test/ HTTP/1.1"), (400,)),
    Case("the host in the target", _request(b"GET http://HOSTPATH HTTP/1.1"), (200,), 1),
    Case("an authority for a target", _request(b"GET HOST HTTP/1.1"), (400,)),
    Case("CONNECT", _request(b"CONNECT HOST:1 HTTP/1.1"), (400,)),
    Case("TRACE", _request(b"TRACE PATH HTTP/1.1"), (405,)),
    Case("a method that is no token", _request(b"G(T PATH HTTP/1.1"), (400,)),
    Case("a huge method", _request(b"G" * 9000 + b" PATH HTTP/1.1"), (414,)),
    Case("a huge target", _request(b"GET PATH?" + b"a" * 9000 + b" HTTP/1.1"), (414,)),
    Case("no version", b"GET PATH\r\nHost: HOST\r\n\r\n", (400,)),
    Case("version 2.0", _request(b"GET PATH HTTP/2.0"), (505,)),
    Case("version 1.10", _request(b"GET PATH HTTP/1.10"), (400,)),
    Case("two spaces", _request(b"GET  PATH HTTP/1.1"), (400,)),
    Case("a tab for a space", _request(b"GET\tPATH HTTP/1.1"), (400,)),
    Case("a fragment", _request(b"GET PATH#x HTTP/1.1"), (400,)),
    Case("dots", _request(b"GET PATH/../x HTTP/1.1"), (400,)),
    Case("dots in percents", _request(b"GET PATH/%2e%2e%2fx HTTP/1.1"), (400,)),
    Case("dots in two percents", _request(b"GET PATH/%252e%252e/x HTTP/1.1"), (200,), 1),
    Case("dots and a semicolon", _request(b"GET PATH/..;/x HTTP/1.1"), (400,)),
    Case("a backslash", _request(b"GET PATH/a\\b HTTP/1.1"), (400,)),
    Case("NUL in percents", _request(b"GET PATH/a%00b HTTP/1.1"), (400,)),
    Case("overlong UTF-8", _request(b"GET PATH/%c0%ae%c0%ae/x HTTP/1.1"), (400,)),
    Case("two slashes", _request(b"GET //PATH HTTP/1.1"), (404,)),
    Case("Expect of another kind", _request(_POST, b"Expect: 200-ok", b"Content-Length: 3",
                                            body=b"abc"), (417,)),
    Case("an upgrade to h2c", _request(_GET, b"Upgrade: h2c", b"Connection: Upgrade"), (200,), 1),
    Case("an upgrade with a body that is a request", _request(
        _POST, b"Upgrade: websocket", b"Connection: Upgrade", b"Content-Length: %d" % len(
            _SMUGGLED.replace(b"HOST", b"127.0.0.1:0")), body=_SMUGGLED), (400,)),
    Case("a request after a refused upgrade", _request(
        _GET, b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==") + _SMUGGLED, (200,), 1),
    Case("too many fields", _request(_GET, *[b"X-%d: a" % n for n in range(150)]), (431,)),
    Case("a field that is too large", _request(_GET, b"X-A: " + b"a" * 70000), (431,)),
)
