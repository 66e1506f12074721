"""What a request says of itself and of who sent it, and what no route would answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kasmd.errors import ProtocolError
from kasmd.h1.fields import Fields
from kasmd.h1.head import HTTP_1_0, HTTP_1_1, RequestHead
from kasmd.http.asked import Asked
from kasmd.http.problems import Problem
from kasmd.http.proxies import Proxies

PROXY = "192.0.2.1"
HOST = (b"Host", b"desk")


class Asking(SynchronousTestCase):
    def asked(self, *fields: tuple[bytes, bytes], target: bytes = b"/a?b=c",
              version: bytes = HTTP_1_1, peer: str = PROXY, port: int = 4711) -> Asked:
        """Give a request that came from ``peer``, where one proxy is trusted."""
        factory = SimpleNamespace(reactor=Clock(), proxies=Proxies((PROXY,)))
        channel: Any = SimpleNamespace(
            factory=factory, peer_address=peer, peer_port=port, secure=False, number=7
        )
        return Asked(channel, RequestHead(b"GET", target, version, Fields(fields)))

    def test_the_target(self) -> None:
        asked = self.asked(target=b"/a%20b?c=d%26&e")
        self.assertEqual((asked.uri, asked.path), (b"/a%20b?c=d%26&e", b"/a%20b"))
        self.assertEqual((asked.query.text("c"), asked.query.keys), ("d&", {"c", "e"}))
        with self.assertRaises(ProtocolError):
            self.asked(target=b"/?%zz").query

    def test_fields(self) -> None:
        asked = self.asked((b"X-A", b"1"), (b"x-a", b"2"), (b"X-B", b"3"))
        self.assertEqual((asked.values(b"X-A"), asked.value(b"x-b")), ([b"1", b"2"], b"3"))
        self.assertEqual(asked.value(b"X-C"), b"")
        with self.assertRaisesRegex(Problem, "several X-A"):
            asked.value(b"X-A")

    def test_a_trusted_proxy_says_who_asks_and_how(self) -> None:
        fields = ((b"X-Forwarded-For", b"198.51.100.9"), (b"X-Forwarded-Proto", b"https"),
                  (b"X-Request-Id", b"abc-1"))
        asked = self.asked(*fields)
        self.assertEqual((asked.address, asked.secure), ("198.51.100.9", True))
        self.assertEqual((asked.peer, asked.request_id), ("198.51.100.9:4711", "abc-1"))

    def test_anybody_else_says_it_in_vain(self) -> None:
        fields = ((b"X-Forwarded-For", b"198.51.100.9"), (b"X-Forwarded-Proto", b"https"),
                  (b"X-Request-Id", b"abc-1"))
        asked = self.asked(*fields, peer="192.0.2.2")
        self.assertEqual((asked.address, asked.secure), ("192.0.2.2", False))
        self.assertNotEqual(asked.request_id, "abc-1")

    def test_each_has_an_id_of_its_own(self) -> None:
        self.assertNotEqual(self.asked().request_id, self.asked().request_id)
        twice = self.asked((b"X-Request-Id", b"a"), (b"X-Request-Id", b"b"))
        self.assertNotIn(twice.request_id, ("a", "b"))

    def test_a_unix_socket(self) -> None:
        asked = self.asked(peer="", port=0)
        self.assertEqual((asked.peer, asked.address, asked.connection), ("unix socket", "", 7))

    def test_who_waits_to_be_asked(self) -> None:
        expects = (b"Expect", b"100-continue")
        self.assertTrue(self.asked(expects).expects_continue)
        self.assertFalse(self.asked(expects, version=HTTP_1_0).expects_continue)

    def test_what_is_answered(self) -> None:
        self.asked(HOST).check()
        self.asked(HOST, (b"Expect", b"100-Continue")).check()
        self.asked(version=HTTP_1_0).check()

    def test_what_no_route_answers(self) -> None:
        for status, asked in (
            (400, self.asked()),
            (400, self.asked((b"Host", b"a b"))),
            (400, self.asked(HOST, HOST)),
            (400, self.asked((b"Host", b"a/b"), version=HTTP_1_0)),
            (400, self.asked(HOST, target=b"*")),
            (417, self.asked(HOST, (b"Expect", b"more"))),
            (417, self.asked(HOST, (b"Expect", b"100-continue, more"))),
        ):
            with self.assertRaises(Problem) as caught:
                asked.check()
            self.assertEqual(caught.exception.status, status)
