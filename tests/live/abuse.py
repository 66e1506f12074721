"""Websocket frames as Autobahn's test suite would send them, written anew (its numbers).

A case is what is sent, in pieces, and what must come back: messages, pongs, and
the code of a close frame at the end.  Cases without a code end with ours.
"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Optional

from tests.live.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    closing,
    frame,
)

BROKEN, NOT_TEXT = 1002, 1007
HELLO = frame(TEXT, b"Hello")
_ECHO = Frame(TEXT, b"Hello")
_SIZES = (0, 125, 126, 127, 128, 65535, 65536)
_WORLD = "Hello-µ@ßöäüàá-UTF-8!!"


class Case(NamedTuple):
    """``code`` None: it is a good citizen, and says good-bye itself."""

    name: str
    sent: tuple[bytes, ...]
    heard: tuple[Frame, ...] = ()
    code: Optional[int] = None


def single(data: bytes) -> tuple[bytes, ...]:
    """Give each byte by itself."""
    return tuple(data[at : at + 1] for at in range(len(data)))


def pieces(data: bytes, size: int) -> tuple[bytes, ...]:
    """Cut into pieces."""
    return tuple(data[at : at + size] for at in range(0, len(data), size))


def fragmented(opcode: int, payload: bytes, size: int) -> bytes:
    """Give a message in frames of ``size`` bytes."""
    parts = pieces(payload, size)
    return b"".join(
        frame(CONTINUATION if at else opcode, part, at == len(parts) - 1)
        for at, part in enumerate(parts)
    )


def _framing() -> Iterator[Case]:
    for number, opcode in ((1, TEXT), (2, BINARY)):
        for size in _SIZES:
            payload = b"*" * size
            yield Case(f"1.{number} {size} bytes", (frame(opcode, payload),),
                       (Frame(opcode, payload),))
        payload = b"*" * 65536
        yield Case(f"1.{number}.8 65536 bytes in pieces", pieces(frame(opcode, payload), 997),
                   (Frame(opcode, payload),))


def _pings() -> Iterator[Case]:
    for name, payload in (("2.1 empty", b""), ("2.2 text", b"Hello, world!"),
                          ("2.3 binary", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),
                          ("2.4 125 bytes", b"\xfe" * 125)):
        yield Case(name, (frame(PING, payload),), (Frame(PONG, payload),))
    yield Case("2.5 126 bytes", (frame(PING, b"\xfe" * 126),), code=BROKEN)
    yield Case("2.6 byte by byte", single(frame(PING, b"\xfe" * 125)),
               (Frame(PONG, b"\xfe" * 125),))
    yield Case("2.7 a pong", (frame(PONG), HELLO), (_ECHO,))
    yield Case("2.8 a pong with text", (frame(PONG, b"x"), HELLO), (_ECHO,))
    yield Case("2.9 a pong, then a ping", (frame(PONG, b"x"), frame(PING, b"y")),
               (Frame(PONG, b"y"),))
    ten = tuple(b"payload-%d" % number for number in range(10))
    pongs = tuple(Frame(PONG, payload) for payload in ten)
    yield Case("2.10 ten pings", tuple(frame(PING, payload) for payload in ten), pongs)
    yield Case("2.11 ten pings byte by byte",
               single(b"".join(frame(PING, payload) for payload in ten)), pongs)


def _reserved() -> Iterator[Case]:
    for bits in range(1, 8):
        bad = frame(TEXT, b"Hello", reserved=bits)
        yield Case(f"3.{bits} reserved bits", (HELLO, bad, frame(PING)), (_ECHO,), BROKEN)
    yield Case("3.5 in a binary message", (frame(BINARY, b"\0", reserved=5),), code=BROKEN)
    yield Case("3.6 in a ping", (frame(PING, b"x", reserved=6),), code=BROKEN)
    yield Case("3.7 in a close", (frame(CLOSE, reserved=7),), code=BROKEN)
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        bad = frame(opcode, b"x" * (opcode % 3))
        yield Case(f"4 opcode {opcode}", (HELLO, bad, frame(PING)), (_ECHO,), BROKEN)
        yield Case(f"4 opcode {opcode} byte by byte", single(HELLO + bad), (_ECHO,), BROKEN)


def _fragments() -> Iterator[Case]:
    first, second = frame(TEXT, b"frag1", False), frame(CONTINUATION, b"frag2")
    middle, begun = frame(CONTINUATION, b"frag2", False), frame(PING, b"ping")
    both, pong = Frame(TEXT, b"frag1frag2"), Frame(PONG, b"ping")
    yield Case("5.1 a ping in two", (frame(PING, b"a", False), frame(CONTINUATION, b"b")),
               code=BROKEN)
    yield Case("5.2 a pong in two", (frame(PONG, b"a", False), frame(CONTINUATION, b"b")),
               code=BROKEN)
    yield Case("a close in two", (frame(CLOSE, b"\x03", False), frame(CONTINUATION, b"\xe8")),
               code=BROKEN)
    yield Case("5.3 a text in two", (first, second), (both,))
    yield Case("5.4 in one piece", (first + second,), (both,))
    yield Case("5.5 byte by byte", single(first + second), (both,))
    yield Case("5.6 a ping between", (first, begun, second), (pong, both))
    yield Case("5.7 in one piece", (first + begun + second,), (pong, both))
    yield Case("5.8 byte by byte", single(first + begun + second), (pong, both))
    for number, bad in enumerate((frame(CONTINUATION, b"x"), frame(CONTINUATION, b"x", False))):
        yield Case(f"5.{9 + 3 * number} nothing to continue", (bad, HELLO), code=BROKEN)
        yield Case(f"5.{10 + 3 * number} in one piece", (bad + HELLO,), code=BROKEN)
        yield Case(f"5.{11 + 3 * number} byte by byte", single(bad), code=BROKEN)
    yield Case("5.15 nothing to continue after two", (first, second, middle, HELLO), (both,),
               BROKEN)
    yield Case("5.18 a text within a text", (first, frame(TEXT, b"frag2")), code=BROKEN)
    yield Case("a binary within a text", (first, frame(BINARY, b"frag2")), code=BROKEN)
    five = tuple(frame(CONTINUATION, b"fragment%d" % number, number == 5) for number in range(2, 6))
    whole = Frame(TEXT, b"frag1" + b"".join(b"fragment%d" % number for number in range(2, 6)))
    yield Case("5.19 pings between five", (first, five[0], begun, *five[1:3], begun, five[3]),
               (pong, pong, whole))
    yield Case("5.20 byte by byte",
               single(first + five[0] + begun + five[1] + five[2] + begun + five[3]),
               (pong, pong, whole))


#: Autobahn's 6.6 to 6.23 in their kinds: what is UTF-8, and what is not.
_GOOD = ("κόσμε", "\0", "\x7f", "\x80", "߿", "ࠀ", "\uffff", "\U00010000", "\U0010ffff",
         "\ud7ff", "\ue000", "\ufffd", "\ufffe", _WORLD)
_BAD = (b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80", b"\x80", b"\xbf", b"\x80\xbf", b"\xc0\x80", b"\xc1\xbf",
        b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xf0\x80\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf",
        b"\xed\xa0\x80\xed\xb0\x80", b"\xfe", b"\xff", b"\xce", b"\xe1\xbd", b"\xf0\x90\x80")


def _texts() -> Iterator[Case]:
    yield Case("6.1.1 empty", (frame(TEXT),), (Frame(TEXT, b""),))
    empty = (frame(TEXT, b"", False), frame(CONTINUATION, b"", False), frame(CONTINUATION))
    yield Case("6.1.2 three empty frames", empty, (Frame(TEXT, b""),))
    for text in _GOOD:
        data = text.encode("utf-8", "surrogatepass")
        heard = (Frame(TEXT, data),)
        yield Case(f"6 good {data!r}", (frame(TEXT, data),), heard)
        yield Case(f"6 good {data!r} in frames of a byte", (fragmented(TEXT, data, 1),), heard)
    for data in _BAD:
        yield Case(f"6 bad {data!r}", (frame(TEXT, data),), code=NOT_TEXT)
        yield Case(f"6 bad {data!r} in frames of a byte", (fragmented(TEXT, data, 1),),
                   code=NOT_TEXT)
    bad = frame(TEXT, b"\xce\xba\xf4\x90\x80\x80", False)
    yield Case("6.4 bad before the message ends", (bad,), code=NOT_TEXT)
    yield Case("6.4 bad before the frame ends", (frame(TEXT, b"\xf4\x90" + b"a" * 60)[:40],),
               code=NOT_TEXT)


_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
_NO_CODES = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535)


def _closes() -> Iterator[Case]:
    bye = closing()
    yield Case("7.1.1 after a message", (HELLO, bye), (_ECHO,), 1000)
    yield Case("7.1.2 two", (bye, bye), code=1000)
    yield Case("7.1.3 a ping after it", (bye, frame(PING)), code=1000)
    yield Case("7.1.4 a text after it", (bye + HELLO,), code=1000)
    yield Case("7.1.5 a message's end after it",
               (frame(TEXT, b"a", False), bye, frame(CONTINUATION, b"b")), code=1000)
    large = b"BAsd7&jh23" * 26000
    yield Case("7.1.6 a large message before it", (frame(TEXT, large), bye, frame(PING)),
               (Frame(TEXT, large),), 1000)
    yield Case("7.3.1 empty", (frame(CLOSE),), code=1005)
    yield Case("7.3.2 one byte", (frame(CLOSE, b"a"),), code=BROKEN)
    yield Case("7.3.3 a code", (bye,), code=1000)
    yield Case("7.3.4 a reason", (closing(1000, b"Hello World!"),), code=1000)
    yield Case("7.3.5 a long reason", (closing(1000, b"*" * 123),), code=1000)
    yield Case("7.3.6 too long a reason", (closing(1000, b"*" * 124),), code=BROKEN)
    yield Case("7.5.1 no text", (closing(1000, b"\xce\xba\xed\xa0\x80"),), code=BROKEN)
    for code in _CODES:
        yield Case(f"7.7 code {code}", (closing(code),), code=code)
    for code in _NO_CODES:
        yield Case(f"7.9 code {code}", (closing(code),), code=BROKEN)
        yield Case(f"7.9 code {code} and a reason", (closing(code, b"Reason"),), code=BROKEN)


def _large() -> Iterator[Case]:
    for opcode in (TEXT, BINARY):
        for mebibytes in (0.25, 1, 4, 16):
            payload = b"*" * int(mebibytes * (1 << 20))
            heard = (Frame(opcode, payload),)
            yield Case(f"9.{opcode} {mebibytes} MiB", (frame(opcode, payload),), heard)
        payload = b"*" * (1 << 20)
        for size in (64, 1024, 16384, 1 << 18):
            yield Case(f"9.{opcode + 2} 1 MiB in frames of {size}",
                       (fragmented(opcode, payload, size),), (Frame(opcode, payload),))
        for size in (128, 2048):
            yield Case(f"9.{opcode + 4} 1 MiB in pieces of {size}",
                       pieces(frame(opcode, payload), size), (Frame(opcode, payload),))
        for size in (0, 16, 64, 256, 1024, 4096, 16384):
            yield Case(f"9.{opcode + 6} a thousand of {size}", (frame(opcode, b"*" * size) * 1000,),
                       (Frame(opcode, b"*" * size),) * 1000)
    payload = b"*" * 65536
    yield Case("10.1.1 frames of 1300", (fragmented(TEXT, payload, 1300),), (Frame(TEXT, payload),))


def _others() -> Iterator[Case]:
    """What Autobahn has not (threats.md, group C)."""
    yield Case("a frame without a mask", (b"\x81\x05Hello",), code=BROKEN)
    yield Case("a frame without a mask after one with", (HELLO + b"\x82\x01x",), (_ECHO,), BROKEN)
    yield Case("a length of 2 to the 63", (b"\x82\xff" + (1 << 63).to_bytes(8, "big") + bytes(4),),
               code=BROKEN)
    yield Case("every bit of the length", (b"\x82\xff" + b"\xff" * 8 + bytes(4),), code=BROKEN)
    yield Case("125 in two bytes", (b"\x82\xfe\x00\x7d" + bytes(4 + 125),), code=BROKEN)
    yield Case("65535 in eight bytes", (b"\x82\xff" + (65535).to_bytes(8, "big") + bytes(4),),
               code=BROKEN)
    yield Case("a ping with a long length", (b"\x89\xfe\x00\x7e" + bytes(4 + 126),), code=BROKEN)
    yield Case("a flood of pings", (frame(PING, b"flood") * 5000,), (Frame(PONG, b"flood"),) * 5000)
    yield Case("many closes", (closing() * 1000,), code=1000)
    yield Case("another protocol", (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",), code=BROKEN)


#: Broken at the level of frames, whatever they would carry.
VIOLATIONS = tuple(
    case for part in (_pings, _reserved, _fragments, _closes, _others) for case in part()
    if case.code == BROKEN and not case.name.startswith("7.7")
)
CASES = tuple(
    case for part in (_framing, _pings, _reserved, _fragments, _texts, _closes, _large, _others)
    for case in part()
)
