"""A control plane's word that somebody must go: what it may say, and what comes of it."""

from __future__ import annotations

import json

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from kasmd.edge.revocations import MAX_BODY, Revocations
from kasmd.http.server import HttpFactory, Limits
from kasmd.interfaces import Principal
from kasmd.log.audit import AUDIT
from kasmd.permission.grant import Grant
from kasmd.permission.leases import Leases
from kasmd.rights import READ, Right


class RevocationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.leases = Leases(Clock().seconds)
        self.revocations = Revocations(self.leases)

    def let_in(self, name: str, session: str) -> Grant:
        """Let somebody be in a session."""
        principal = Principal(name, "lease", f"{name}'s token")
        self.leases.put(principal, session, Right.ENTER | READ, 60)
        return self.leases.admit(principal, session)

    def post(self, body: bytes, *lines: bytes) -> tuple[int, bytes]:
        """Give the status and the body that are answered."""
        factory = HttpFactory(
            Clock(), self.revocations.revoke, [], Limits(),  # type: ignore[arg-type]
            lambda method, path: MAX_BODY,
        )
        channel, transport = factory.buildProtocol(None), StringTransport()
        assert channel is not None
        channel.makeConnection(transport)
        head = (b"POST /__edge/revocations HTTP/1.1", b"Host: edge",
                b"Content-Length: %d" % len(body), *lines, b"", b"")
        channel.dataReceived(b"\r\n".join(head) + body)
        answer: bytes = transport.value()
        return int(answer[9:12]), answer.partition(b"\r\n\r\n")[2]

    def revoke(self, **named: str) -> int:
        """Give how many leases ended."""
        status, body = self.post(json.dumps(named).encode())
        self.assertEqual(status, 200)
        ended: int = json.loads(body)["ended"]
        return ended

    def test_a_person_everywhere_a_session_or_one_in_one(self) -> None:
        for named, ended in (
            ({"user": "ann"}, ("ann 1", "ann 2")),
            ({"session": "1"}, ("ann 1", "bob 1")),
            ({"user": "ann", "session": "1"}, ("ann 1",)),
            ({"user": "eve"}, ()),
        ):
            grants = {each: self.let_in(*each.split()) for each in ("ann 1", "ann 2", "bob 1")}
            self.assertEqual(self.revoke(**named), len(ended))
            lost = [each for each, grant in grants.items() if not grant.holds(Right.ENTER)]
            self.assertEqual(lost, list(ended), named)

    def test_it_is_told_before_it_is_answered(self) -> None:
        grant, told = self.let_in("ann", "1"), []
        grant.when_changed(lambda: told.append(grant.holds(Right.ENTER)))
        self.revoke(user="ann")
        self.assertEqual(told, [False])

    def test_bodies_that_say_nothing(self) -> None:
        self.let_in("ann", "1")
        for status, body in (
            (400, b""), (400, b"user=ann"), (400, b"\xff"), (400, b"[" * 4000),
            (422, b"[]"), (422, b"{}"), (422, b'"ann"'), (422, b'{"name": "ann"}'),
            (422, b'{"user": "ann", "more": 1}'), (422, b'{"user": null}'), (422, b'{"user": ""}'),
            (422, b'{"session": 1}'), (413, b'{"user": "%b"}' % (b"x" * MAX_BODY)),
        ):
            self.assertEqual(self.post(body)[0], status, body[:40])
        self.assertEqual(len(self.leases), 1)

    def test_pages_of_other_sites(self) -> None:
        self.let_in("ann", "1")
        status, _ = self.post(b'{"user": "ann"}', b"Origin: https://else.example")
        self.assertEqual((status, len(self.leases)), (403, 1))

    def test_it_is_in_the_audit(self) -> None:
        said: list[LogEvent] = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        self.let_in("ann", "1")
        self.revoke(user="ann", session="1")
        (record,) = [event["record"] for event in said if event["log_namespace"] == AUDIT]
        self.assertTrue(str(record).startswith('lease "ann in 1": revoked - -> 1,'), record)

    def test_it_is_the_owners(self) -> None:
        route = self.revocations.route(b"/kasm")
        self.assertEqual((route.path, route.needs, route.body),
                         (b"/kasm/__edge/revocations", Right.MANAGE, MAX_BODY))
