"""Leave that is remembered, used, and over."""

from __future__ import annotations

from typing import Optional

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.edge import leaves as module
from kasmd.edge.asking import Allowed, Reach, Upstream
from kasmd.edge.leaves import Leaves
from kasmd.edge.messages import Given
from kasmd.h1.fields import Field, Fields
from kasmd.h1.head import HTTP_1_1, RequestHead
from kasmd.http.channel import Channel
from kasmd.http.server import HttpFactory, Limits, Request
from kasmd.rights import Right

ANN, BOB = b"Basic YW5u", b"Basic Ym9i"
UPSTREAM = Upstream("10.0.0.1", 1)


def request(uri: bytes, proof: bytes = ANN, more: tuple[Field, ...] = (), address: str = "",
            secure: bool = False) -> Request:
    factory = HttpFactory(Clock(), lambda request: None, (), Limits())
    fields = Fields([(b"Host", b"h"), (b"Authorization", proof), *more])
    channel = Channel(factory)
    channel.peer_address, channel.secure = address, secure
    return Request(channel, RequestHead(b"GET", uri, HTTP_1_1, fields))


class LeavesTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.done: list[int] = []
        self.leaves = Leaves(self.clock.seconds, self.done.append)

    def put(self, ident: int, session: bytes = b"a", seconds: float = 5.0, proof: bytes = ANN,
            reach: bool = True) -> Allowed:
        public = b"/desktop/" + session
        reached = Reach(public + b"/", public, b"/desk") if reach else None
        given = Given(
            1, ident, "ann", "login", Right.ENTER.value, session.decode(), UPSTREAM, b"/desk/first",
            ((b"Authorization", b"secret"),), reached, seconds, (),
        )
        return self.leaves.put(given, request(public + b"/first", proof))

    def find(self, uri: bytes, proof: bytes = ANN) -> Optional[Allowed]:
        return self.leaves.find(request(uri, proof))

    def test_what_was_given_is_used(self) -> None:
        allowed = self.put(1)
        self.assertEqual(
            allowed[1:6],
            (("ann", "login", "1", None), "a", UPSTREAM, b"/desk/first",
             ((b"Authorization", b"secret"),)),
        )
        self.assertTrue(allowed.grant.holds(Right.ENTER))

    def test_it_is_remembered_for_its_time(self) -> None:
        self.put(1).grant.release()
        found = self.find(b"/desktop/a/x?y")
        assert found is not None
        self.assertEqual(found.target, b"/desk/x?y")
        found.grant.release()
        self.clock.advance(5)
        self.assertIsNone(self.find(b"/desktop/a/x"))
        self.assertEqual(self.done, [])
        self.leaves.look()
        self.assertEqual((self.done, len(self.leaves)), ([1], 0))

    def test_for_one_proof_and_one_place(self) -> None:
        self.put(1)
        for uri, proof in ((b"/desktop/a/", BOB), (b"/desktop/b/", ANN), (b"/desktop/a", ANN),
                           (b"/desktop/aa/", ANN)):
            self.assertIsNone(self.find(uri, proof), uri)

    def test_a_page_is_asked_for(self) -> None:
        self.put(1)
        page = request(b"/desktop/a/x", ANN, ((b"Accept", b"text/html"),))
        self.assertIsNone(self.leaves.find(page))

    def test_without_a_time_or_a_reach_it_is_done_with_when_it_was_used(self) -> None:
        for ident, allowed in ((1, self.put(1, seconds=0)), (2, self.put(2, reach=False))):
            self.assertIsNone(self.find(b"/desktop/a/first"))
            allowed.grant.release()
            self.assertEqual(self.done[-1], ident)

    def test_it_is_not_done_with_while_it_is_used(self) -> None:
        allowed = self.put(1)
        self.clock.advance(60)
        self.leaves.look()
        self.assertEqual((self.done, allowed.grant.holds(Right.ENTER)), ([], True))
        allowed.grant.release()
        self.assertEqual(self.done, [1])

    def test_its_end_ends_all_that_was_opened(self) -> None:
        grants = [self.put(1).grant]
        for _ in range(2):
            found = self.find(b"/desktop/a/x")
            assert found is not None
            grants.append(found.grant)
        other = self.put(2, b"b").grant
        told: list[bool] = []
        for grant in grants:
            # Whoever is told leaves.
            grant.when_changed(lambda grant=grant: told.append(grant.holds(Right.ENTER)))
            grant.when_changed(grant.release)
        self.leaves.end(1)
        self.assertEqual((told, self.done), ([False] * 3, [1]))
        self.assertIsNone(self.find(b"/desktop/a/x"))
        self.assertTrue(other.holds(Right.ENTER))
        self.leaves.end(1)
        self.assertEqual(self.done, [1])

    def test_all_ends_with_the_one_that_decides(self) -> None:
        grants = [self.put(number, b"s%d" % number).grant for number in range(3)]
        self.leaves.end_all()
        self.assertEqual([grant.holds(Right.ENTER) for grant in grants], [False] * 3)
        self.assertEqual((sorted(self.done), len(self.leaves)), ([0, 1, 2], 0))

    def test_what_is_stale_is_asked_for_and_stays_open(self) -> None:
        used, unused = self.put(1), self.put(2, b"b")
        unused.grant.release()
        self.leaves.forget()
        self.assertIsNone(self.find(b"/desktop/a/x"))
        self.assertTrue(used.grant.holds(Right.ENTER))
        self.put(3)
        self.assertIsNotNone(self.find(b"/desktop/a/x"))
        self.clock.advance(5)
        self.leaves.look()
        self.assertEqual(self.done, [2])

    def test_the_newest_counts(self) -> None:
        for number in range(5):
            self.put(number).grant.release()
        self.assertEqual(self.done, [0, 1, 2, 3])

    def test_there_is_a_bound(self) -> None:
        self.patch(module, "MAX_EACH", 3)
        self.patch(module, "MAX_PROOFS", 2)
        for number in range(5):
            self.put(number, b"s%d" % number).grant.release()
        self.assertEqual(self.done, [0, 1])
        self.put(10, proof=BOB).grant.release()
        self.assertIsNotNone(self.find(b"/desktop/s4/"))
        self.put(11, proof=b"third").grant.release()
        self.assertEqual(self.done, [0, 1, 2, 3])

    def test_what_nobody_waits_for_any_more(self) -> None:
        allowed = self.put(1)
        allowed.grant.release()
        self.leaves.refuse(Given(
            1, 9, "ann", "login", 1, "a", UPSTREAM, b"/", (), None, 5.0, ()
        ))
        self.assertEqual((self.done, len(self.leaves)), ([9], 1))

    def test_where_it_came_from_is_part_of_a_proof(self) -> None:
        self.put(1)
        for address, secure in (("192.0.2.9", False), ("", True)):
            self.assertIsNone(self.leaves.find(request(b"/desktop/a/x", ANN, (), address, secure)))
        self.assertIsNotNone(self.leaves.find(request(b"/desktop/a/x")))
