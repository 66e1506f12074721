"""Requests that two readers of HTTP could take for different things (threats.md, group D)."""

from __future__ import annotations

from typing import NamedTuple, Optional

from tests.live.edge import AUTHORIZATION

#: Stands for the number of a case in its paths, so that the upstream can tell whose a request is.
NUMBER = b"###"


class Front(NamedTuple):
    """What a proxy in front makes of a case, where it is not what kasmd makes of it.

    ``reason`` says why it is as safe.
    """

    reason: str
    #: Whether each of the requests that it reads is answered as one that may pass.
    verdicts: tuple[bool, ...]
    passed: int


class Case(NamedTuple):
    """Raw bytes, and what is to become of them."""

    name: str
    data: bytes
    #: The statuses that kasmd alone answers with.
    answers: tuple[int, ...]
    #: Requests that reach the upstream.
    passed: int = 0
    nginx: Optional[Front] = None
    haproxy: Optional[Front] = None


_HOST = b"Host: edge.test"
_AUTHORIZATION = b"Authorization: " + AUTHORIZATION


def _request(line: bytes, *fields: bytes, body: bytes = b"", host: bytes = _HOST) -> bytes:
    head = [line, *([host] if host else []), _AUTHORIZATION, *fields]
    return b"\r\n".join([*head, b"", body])


_PATH = b"/desktop/a/" + NUMBER
_GET = b"GET %b HTTP/1.1" % _PATH
_POST = b"POST %b HTTP/1.1" % _PATH
_CHUNKED = b"Transfer-Encoding: chunked"
_SMUGGLED = _request(b"GET %b/smuggled HTTP/1.1" % _PATH)
_WHOLE = b"3\r\nabc\r\n0\r\n\r\n"
_WEBSOCKET = (b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
              b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")

# What the others do to a request before they send it on.
_ONE_LENGTH = Front("it sends on the one number that was said", (True,), 1)
_DROPS_LENGTH = Front("it drops the length, as RFC 9112 section 6.3 asks, and reads no further",
                      (True,), 1)
_UNFOLDS = Front("it joins folded lines before it sends them on", (True,), 1)
_ENDS_LINES = Front("it sends on lines that end with CR LF, whatever it was sent", (True,), 1)
_OWN_LINE = Front("it makes a request line of its own", (True,), 1)
_DROPS_FIELD = Front("it does not send on what is no field", (True,), 1)
_OWN_CHUNKS = Front("it makes chunks of its own", (True,), 1)
_DROPS_EXPECT = Front("it answers Expect itself", (True,), 1)
_OWN_HOST = Front("the path is the same; kasmd asks who may have it, whatever the host", (True,), 1)
_NO_HEAD = Front("an answer to HTTP/0.9 is a body alone: that of a 401", (), 0)
_DROPS_UPGRADE = Front("with a body it does not send Upgrade on, and the body stays one",
                       (True,), 1)
_READS_ON = Front("it answers requests one after another, and each is asked for its credential",
                  (True, True), 2)
_READS_ON_WITHOUT = _READS_ON._replace(verdicts=(True, False), passed=1)
_READS_ON_AFTER = _READS_ON._replace(verdicts=(False, True), passed=1)
_DROPS_TRAILERS = Front("it drops what is behind the last chunk", (True,), 1)

CASES = (
    Case("plain", _request(_GET), (200,), 1),
    Case("post", _request(_POST, b"Content-Length: 3", body=b"abc"), (200,), 1),
    Case("chunked", _request(_POST, _CHUNKED, body=_WHOLE), (200,), 1),
    Case("pipelined", _request(_GET) + _request(_GET), (200, 200), 2),
    Case("two lengths", _request(_POST, b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"),
         (400,)),
    Case("one length twice", _request(_POST, b"Content-Length: 3", b"Content-Length: 3",
                                      body=b"abc"), (400,), haproxy=_ONE_LENGTH),
    Case("a list of lengths", _request(_POST, b"Content-Length: 3, 3", body=b"abc"), (400,),
         haproxy=_ONE_LENGTH),
    Case("a signed length", _request(_POST, b"Content-Length: +3", body=b"abc"), (400,)),
    Case("a negative length", _request(_POST, b"Content-Length: -3", body=b"abc"), (400,)),
    Case("an overflowing length", _request(_POST, b"Content-Length: 18446744073709551619",
                                           body=b"abc"), (400,)),
    Case("a length in hex", _request(_POST, b"Content-Length: 0x3", body=b"abc"), (400,)),
    Case("length and chunked", _request(_POST, b"Content-Length: 3", _CHUNKED,
                                        body=b"0\r\n\r\n" + _SMUGGLED), (400,),
         haproxy=_DROPS_LENGTH),
    Case("chunked and length", _request(_POST, _CHUNKED, b"Content-Length: 5",
                                        body=b"0\r\n\r\n" + _SMUGGLED), (400,),
         haproxy=_DROPS_LENGTH),
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
         (400,), haproxy=_UNFOLDS),
    Case("chunked of HTTP/1.0", _request(b"POST %b HTTP/1.0" % _PATH, _CHUNKED, body=_WHOLE),
         (400,)),
    Case("a chunk size with 0x", _request(_POST, _CHUNKED, body=b"0x3\r\nabc\r\n0\r\n\r\n"),
         (400,)),
    Case("a chunk size with a sign", _request(_POST, _CHUNKED, body=b"+3\r\nabc\r\n0\r\n\r\n"),
         (400,)),
    Case("an overflowing chunk size", _request(_POST, _CHUNKED, body=b"1000000000000003\r\nabc"),
         (400,)),
    Case("a chunk longer than its size", _request(_POST, _CHUNKED, body=b"2\r\nabc\r\n0\r\n\r\n"),
         (400,)),
    Case("a chunk size that ends with LF", _request(_POST, _CHUNKED, body=b"3\nabc\r\n0\r\n\r\n"),
         (400,), nginx=_OWN_CHUNKS, haproxy=_OWN_CHUNKS),
    Case("lines that end with LF", _request(_GET).replace(b"\r\n", b"\n"), (400,),
         nginx=_ENDS_LINES, haproxy=_ENDS_LINES),
    Case("a lone CR in a value", _request(_GET, b"X-A: b\rX-B: c"), (400,)),
    Case("NUL in a value", _request(_GET, b"X-A: b\0c"), (400,)),
    Case("NUL in a name", _request(_GET, b"X\0A: b"), (400,)),
    Case("a folded line", _request(_GET, b"X-A: b\r\n c"), (400,), haproxy=_UNFOLDS),
    Case("a space before the colon", _request(_GET, b"X-A : b"), (400,)),
    Case("an empty name", _request(_GET, b": b"), (400,)),
    Case("a line without a colon", _request(_GET, b"X-A"), (400,), nginx=_DROPS_FIELD),
    Case("two hosts", _request(_GET, b"Host: other.test"), (400,)),
    Case("no host", _request(_GET, host=b""), (400,)),
    Case("an empty host", _request(_GET, host=b"Host:"), (400,)),
    Case("a host with a path", _request(_GET, host=_HOST + b"/x"), (400,)),
    Case("a host with a user", _request(_GET, host=b"Host: a@edge.test"), (400,)),
    Case("another host in the target", _request(b"GET http://other.test%b HTTP/1.1" % _PATH),
         (400,),
         nginx=_OWN_HOST),
    Case("the host in the target", _request(b"GET http://edge.test%b HTTP/1.1" % _PATH), (200,), 1),
    Case("an authority for a target", _request(b"GET edge.test HTTP/1.1"), (400,)),
    Case("CONNECT", _request(b"CONNECT edge.test:1 HTTP/1.1"), (400,)),
    Case("TRACE", _request(b"TRACE %b HTTP/1.1" % _PATH), (405,)),
    Case("a method that is no token", _request(b"G(T %b HTTP/1.1" % _PATH), (400,)),
    Case("a huge method", _request(b"G" * 9000 + b" %b HTTP/1.1" % _PATH), (414,)),
    Case("a huge target", _request(b"GET %b?" % _PATH + b"a" * 9000 + b" HTTP/1.1"), (414,)),
    Case("no version", b"GET %b\r\n%b\r\n\r\n" % (_PATH, _HOST), (400,), nginx=_NO_HEAD),
    Case("version 2.0", _request(b"GET %b HTTP/2.0" % _PATH), (505,), haproxy=_OWN_LINE),
    Case("version 1.10", _request(b"GET %b HTTP/1.10" % _PATH), (400,), nginx=_OWN_LINE),
    Case("two spaces", _request(b"GET  %b HTTP/1.1" % _PATH), (400,),
         nginx=_OWN_LINE, haproxy=_OWN_LINE),
    Case("a tab for a space", _request(b"GET\t%b HTTP/1.1" % _PATH), (400,), haproxy=_OWN_LINE),
    Case("a fragment", _request(b"GET %b#x HTTP/1.1" % _PATH), (400,)),
    Case("dots", _request(b"GET %b/../x HTTP/1.1" % _PATH), (400,)),
    Case("dots in percents", _request(b"GET %b/%%2e%%2e%%2fx HTTP/1.1" % _PATH), (400,)),
    Case("dots in two percents", _request(b"GET %b/%%252e%%252e/x HTTP/1.1" % _PATH), (400,)),
    Case("dots and a semicolon", _request(b"GET %b/..;/x HTTP/1.1" % _PATH), (400,)),
    Case("a backslash", _request(b"GET %b/a\\b HTTP/1.1" % _PATH), (400,)),
    Case("NUL in percents", _request(b"GET %b/a%%00b HTTP/1.1" % _PATH), (400,)),
    Case("overlong UTF-8", _request(b"GET %b/%%c0%%ae%%c0%%ae/x HTTP/1.1" % _PATH), (400,)),
    Case("two slashes", _request(b"GET /%b HTTP/1.1" % _PATH), (404,)),
    Case("Expect of another kind", _request(_POST, b"Expect: 200-ok", b"Content-Length: 3",
                                            body=b"abc"), (417,), nginx=_DROPS_EXPECT),
    Case("an upgrade to h2c", _request(_GET, b"Upgrade: h2c", b"Connection: Upgrade"), (200,), 1),
    Case("an upgrade with a body that is a request", _request(
        _POST, b"Upgrade: websocket", b"Connection: Upgrade",
        b"Content-Length: %d" % len(_SMUGGLED), body=_SMUGGLED), (400,), haproxy=_DROPS_UPGRADE),
    Case("a request after a refused upgrade", _request(_GET, *_WEBSOCKET) + _SMUGGLED, (200,), 1,
         _READS_ON, _READS_ON),
    Case("a request without credentials after a refused upgrade", _request(_GET, *_WEBSOCKET) +
         _SMUGGLED.replace(_AUTHORIZATION + b"\r\n", b""), (200,), 1,
         _READS_ON_WITHOUT, _READS_ON_WITHOUT),
    Case("a request after an upgrade of another version", _request(
        _GET, *_WEBSOCKET[:2], b"Sec-WebSocket-Version: 777", _WEBSOCKET[3]) + _SMUGGLED, (426,),
        0, _READS_ON_AFTER, _READS_ON_AFTER),
    Case("a request after an upgrade to h2c", _request(
        _GET, b"Upgrade: h2c", b"Connection: Upgrade") + _SMUGGLED, (200,), 1,
        _READS_ON, _READS_ON),
    Case("an upgrade that Connection does not name", _request(_GET, _WEBSOCKET[0],
                                                              *_WEBSOCKET[2:]), (200,), 1),
    Case("an upgrade of HTTP/1.0", _request(b"GET %b HTTP/1.0" % _PATH, *_WEBSOCKET), (200,), 1),
    Case("Connection names the length", _request(
        _POST, b"Connection: Content-Length", b"Content-Length: %d" % len(_SMUGGLED),
        body=_SMUGGLED), (200,), 1),
    Case("Connection names the coding", _request(_POST, b"Connection: Transfer-Encoding", _CHUNKED,
                                                 body=_WHOLE), (200,), 1),
    Case("Connection names the host", _request(_GET, b"Connection: Host"), (200,), 1),
    Case("a length and its look-alike", _request(
        _POST, b"Content_Length: %d" % len(_SMUGGLED), b"Content-Length: 0") + _SMUGGLED,
        (200, 200), 2),
    Case("a body with GET", _request(_GET, b"Content-Length: %d" % len(_SMUGGLED), body=_SMUGGLED),
         (200,), 1),
    Case("a body to be asked for", _request(_POST, b"Expect: 100-continue", b"Content-Length: 3",
                                            body=b"abc"), (200,), 1),
    Case("a chunk with an extension", _request(
        _POST, _CHUNKED, body=b"3;a=b\r\nabc\r\n0;c\r\n\r\n"), (200,), 1),
    Case("trailers that would be fields", _request(
        _POST, _CHUNKED, body=b"3\r\nabc\r\n0\r\nContent-Length: 7\r\nHost: x\r\n\r\n"),
        (200,), 1),
    Case("a trailer that is folded", _request(
        _POST, _CHUNKED, body=b"3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n"), (400,), 0, _DROPS_TRAILERS,
        _DROPS_TRAILERS),
    Case("a chunk that is never ended", _request(_POST, _CHUNKED, body=b"3\r\nabcde\r\n") +
         _SMUGGLED, (400,)),
    Case("HEAD, and more", _request(b"HEAD %b HTTP/1.1" % _PATH) + _SMUGGLED, (200, 200), 2),
    Case("a request after one that closes", _request(_GET, b"Connection: close") + _SMUGGLED,
         (200,), 1),
    Case("empty lines before a request", b"\r\n" + _request(_GET), (200,), 1),
    Case("two slashes and dots", _request(b"GET //evil.test/..%b HTTP/1.1" % _PATH), (404,)),
    Case("too many fields", _request(_GET, *[b"X-%d: a" % n for n in range(150)]), (431,)),
    Case("a field that is too large", _request(_GET, b"X-A: " + b"a" * 70000), (431,)),
)
