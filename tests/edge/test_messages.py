"""What the processes of one edge tell one another."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from kasmd.edge.asking import Reach, Upstream
from kasmd.edge.messages import (
    MAX_MESSAGE,
    Ask,
    Begin,
    Begun,
    Bound,
    Counted,
    Done,
    Ended,
    Given,
    Here,
    Level,
    Logged,
    Message,
    Said,
    Stale,
    Wire,
    decode,
    encode,
)
from kasmd.errors import ProtocolError
from kasmd.permission.slices import SLICE
from kasmd.trust import Trust
from kasmd.worker import adopt
from tests.permission.turns import Turns

GIVEN = Given(
    7, 8, "ann", "login", 3, "desk", Upstream("h", 1, "", Trust(bytes(range(32)), "/ca", "n")),
    b"/x?y", ((b"Authorization", b"Basic \xff"),), Reach(b"/d/", b"/d", b""), 5.0, [b"a=b"],
)
MESSAGES: tuple[Message, ...] = (
    Begin(b"\x80\x04"), Said(1, "", 200, [[b"A", b"b"]], b"\x00\xff"), GIVEN,
    GIVEN._replace(reach=None, upstream=Upstream(path="/run/x")), Ended(3), Stale(), Done(4),
    Logged("line"), Level(30), Begun(), Here([["", 3], ["::1", 2]]), Bound("::1", None),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_is_said_is_heard(message: Message) -> None:
    heard = decode(encode(message))
    assert type(heard) is type(message) and heard == message


@given(st.binary(max_size=100), st.text(max_size=20))
def test_bytes_are_bytes_and_text_is_text(data: bytes, text: str) -> None:
    asked = decode(encode(Ask(1, b"GET", data, b"HTTP/1.1", [], data, text, 1, True, text, 2)))
    assert isinstance(asked, Ask)
    assert (asked.uri, asked.body, asked.address, asked.secure) == (data, data, text, True)


def test_what_was_counted() -> None:
    counted = decode(encode(Counted([("a", ("b",), 1.5)])))
    assert counted == Counted([["a", ["b"], 1.5]])  # type: ignore[list-item]


@pytest.mark.parametrize("data", [
    b"", b"\xff", b"[]", b"{}", b'["No"]', b'["Ended"]', b'["Ended",1,2]', b"7", b'[["Ended"],1]',
    b'["Given",1]', b'["Logged",{"a":"b"}]', b"[" * 100_000,
])
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(data)


class WireTests(TestCase):
    """Over a pair of sockets."""

    def setUp(self) -> None:
        self.heard: list[Message] = []
        self.lost: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self.stale: Deferred[None] = Deferred()
        self.one = Wire(self.hear, lambda: self.lost.callback(None))
        self.other = Wire(lambda message: None, lambda: self.gone.callback(None))
        for pair, wire in zip(socket.socketpair(), (self.one, self.other)):
            adopt(reactor, pair, wire)
            self.addCleanup(wire.close)

    def hear(self, message: Message) -> None:
        self.heard.append(message)
        if isinstance(message, Stale):
            self.stale.callback(None)

    async def test_in_order(self) -> None:
        said = [Ended(number) for number in range(2000)]
        for message in said:
            self.other.send(message)
        self.other.transport.loseConnection()
        await self.lost
        self.assertEqual(self.heard, said)
        self.assertFalse(self.one.open)
        self.one.send(Stale())

    def test_others_have_their_turns_between(self) -> None:
        turns, heard = Turns(), list[Message]()

        def hear(message: Message) -> None:
            heard.append(message)
            turns.now += SLICE / 2

        wire = Wire(hear, lambda: None)
        transport = StringTransport()
        transport.reactor = turns  # type: ignore[attr-defined]
        wire.makeConnection(transport)
        said: list[Message] = [Ended(number) for number in range(5)]
        lines = [encode(message) for message in said]
        wire.dataReceived(b"".join(len(line).to_bytes(4, "big") + line for line in lines))
        self.assertEqual((heard, transport.producerState), (said[:2], "paused"))
        turns.turn()
        self.assertEqual((heard, transport.producerState), (said[:4], "paused"))
        turns.turn()
        self.assertEqual((heard, transport.producerState), (said, "producing"))

    async def test_nonsense_ends_it(self) -> None:
        self.other.sendString(b"nonsense")
        await self.lost
        await self.gone
        (error,) = self.flushLoggedErrors() or (None,)
        self.assertIsNone(error)

    async def test_so_does_what_is_too_long(self) -> None:
        self.other.transport.write((MAX_MESSAGE + 1).to_bytes(4, "big"))
        await self.lost

    async def test_it_is_clogged_while_nobody_takes_what_was_sent(self) -> None:
        self.one.transport.pauseProducing()
        while not self.other.clogged:
            self.other.send(Logged("x" * 65536))
        self.other.send(Stale())
        self.one.transport.resumeProducing()
        await self.stale
        self.assertFalse(self.other.clogged)
