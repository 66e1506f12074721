"""The agent hop: the last question, or a ticket, and the desktop's own credential."""

from __future__ import annotations

from typing import Optional, Sequence

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from kasmd.edge.agent import REQUEST_HOST, AgentHop
from kasmd.edge.asking import Allowed, Upstream
from kasmd.edge.directory import Credential, Directory, Session
from kasmd.edge.kasm import Timing
from kasmd.h1.fields import Field, Fields
from kasmd.h1.head import HTTP_1_1, ResponseHead
from kasmd.http.failures import Refusal
from kasmd.permission.leases import Leases
from kasmd.permission.registry import EVERYTHING
from kasmd.permission.tickets import LIFE, Tickets
from kasmd.rights import READ, WRITE, Right
from kasmd.viewer.worker import InlineWorker

DESK = "01234567-89ab-cdef-0123-456789abcdef"
COOKIE = b"username=ada; session_token=t1"
KEY = b"k" * 32
FULL = Credential(WRITE, b"Basic ZnVsbA==")
VIEWER = Credential(READ, b"Basic dmlld2Vy")


class Asking:
    """As much of a request as is looked at here."""

    request_id = "id-1"
    address = "192.0.2.7"

    def __init__(self, uri: str, ticket: str = "", host: bytes = b"kasm.test:8443") -> None:
        self.uri = uri.encode()
        self.path = self.uri.partition(b"?")[0]
        self.host = host
        fields = [(b"Cookie", COOKIE)]
        self._fields = Fields(fields + ([(b"Kasmd-Ticket", ticket.encode())] if ticket else []))

    def values(self, name: bytes) -> list[bytes]:
        return self._fields.all(name.lower())

    def value(self, name: bytes) -> bytes:
        return self._fields.get(name.lower())


def desk(ident: str = DESK, port: int = 6901, running: bool = True,
         credentials: tuple[Credential, ...] = (FULL, VIEWER)) -> Session:
    return Session(ident, "desk", "ada", {}, Upstream("10.0.0.9", port), b"/inner", "",
                   credentials, running)


class AgentTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.leases = Leases(self.clock.seconds)
        self.sessions: Sequence[Session] = [desk(), desk(f"{DESK}-audio", 4901)]
        self.directory = Directory(self.clock, "unwatched", lambda: self.sessions, InlineWorker())
        self.asked: list[tuple[Upstream, bytes]] = []
        self.status = 202
        self.wall = 1_800_000_000.0
        self.tickets = Tickets([KEY], "agent-1", lambda: self.wall)

    def ask(self, upstream: Upstream, target: bytes, fields: list[Field]) -> Deferred[ResponseHead]:
        self.asked.append((upstream, target))
        return succeed(ResponseHead(self.status, b"", HTTP_1_1, Fields()))

    def hop(self, address: Upstream = Upstream("api", 443), hosts: Sequence[str] = (),
            tickets: Optional[Tickets] = None) -> AgentHop:
        return AgentHop(self.ask, self.leases, self.clock.seconds, address, self.directory,
                        Timing(5.0), hosts=hosts, tickets=tickets)

    def allowed(self, hop: AgentHop, request: Asking) -> Allowed:
        return self.successResultOf(maybeDeferred(hop.authorise, request))

    def refused(self, hop: AgentHop, request: Asking) -> str:
        failure = self.failureResultOf(maybeDeferred(hop.authorise, request), Refusal)
        return str(failure.value.word)

    def test_the_prefix_goes_and_the_credential_comes(self) -> None:
        allowed = self.allowed(self.hop(), Asking(f"/desktop/{DESK}/vnc/websockify?a=b"))
        self.assertEqual(self.asked, [(Upstream("api", 443), b"/api/internal_auth/")])
        self.assertEqual(allowed.upstream, Upstream("10.0.0.9", 6901))
        self.assertEqual(allowed.target, b"/inner/websockify?a=b")
        self.assertEqual(allowed.fields, ((b"Authorization", b"Basic ZnVsbA=="),))

    def test_a_service_is_a_session_of_its_own(self) -> None:
        allowed = self.allowed(self.hop(), Asking(f"/desktop/{DESK}/audio/x"))
        self.assertEqual((allowed.upstream.port, allowed.target), (4901, b"/inner/x"))
        word = self.refused(self.hop(), Asking(f"/desktop/{DESK}/uploads/x"))
        self.assertEqual(word, "no-such-session")

    def test_who_may_not_pass_learns_nothing_of_the_desktop(self) -> None:
        self.status = 403
        for uri in (f"/desktop/{DESK}/vnc/", f"/desktop/{DESK.replace('0', '9')}/vnc/"):
            self.assertEqual(self.refused(self.hop(), Asking(uri)), "foreign-cookie")

    def test_a_session_that_is_starting_is_told_apart(self) -> None:
        self.sessions = [desk(running=False)]
        self.directory.look()
        word = self.refused(self.hop(), Asking(f"/desktop/{DESK}/vnc/"))
        self.assertEqual(word, "session-starting")

    def test_the_host_that_was_asked_for_is_asked_only_if_it_is_listed(self) -> None:
        address = Upstream(REQUEST_HOST, 443)
        hop = self.hop(address, ["kasm.test"])
        self.allowed(hop, Asking(f"/desktop/{DESK}/vnc/"))
        self.assertEqual(self.asked[0][0], Upstream("kasm.test", 8443))
        for host in (b"evil.test", b"kasm.test.evil.test", b"[::1]", b""):
            self.leases.revoke()
            word = self.refused(hop, Asking(f"/desktop/{DESK}/vnc/", host=host))
            self.assertEqual(word, "auth-service-down")
        self.assertEqual(len(self.asked), 1)

    def test_a_ticket_takes_the_place_of_the_question(self) -> None:
        hop = self.hop(tickets=self.tickets)
        for rights, expected in ((Right.ENTER | WRITE, b"Basic ZnVsbA=="),
                                 (Right.ENTER | READ, b"Basic dmlld2Vy")):
            ticket = self.tickets.sign("ada", DESK, rights)
            allowed = self.allowed(hop, Asking(f"/desktop/{DESK}/vnc/a", ticket))
            self.assertEqual(allowed.fields, ((b"Authorization", expected),))
            self.assertEqual(allowed.principal.name, "ada")
        self.assertEqual(self.asked, [])

    def test_it_may_be_used_again_until_it_ends(self) -> None:
        """By processes that ask this one: not a second longer than it is good here."""
        hop = self.hop(tickets=self.tickets)
        ticket = self.tickets.sign("ada", DESK, Right.ENTER | READ)
        asking = Asking(f"/desktop/{DESK}/vnc/a", ticket)
        self.assertEqual(self.allowed(hop, asking).seconds, LIFE)
        self.wall += LIFE - 3
        allowed = self.allowed(hop, asking)
        self.assertEqual(allowed.seconds, 3)
        assert allowed.reach is not None
        self.assertEqual(allowed.reach.scope, f"/desktop/{DESK}/vnc/".encode())

    def test_who_came_by_a_ticket_stays(self) -> None:
        hop = self.hop(tickets=self.tickets)
        ticket = self.tickets.sign("ada", DESK, Right.ENTER | WRITE)
        allowed = self.allowed(hop, Asking(f"/desktop/{DESK}/vnc/websockify", ticket))
        for _ in range(120):
            self.clock.advance(1)
            hop.look()
        self.assertTrue(allowed.grant.holds(Right.ENTER))
        self.assertEqual(self.asked, [])
        self.leases.revoke(name="ada")
        self.assertFalse(allowed.grant.holds(Right.ENTER))

    def test_tickets_that_are_none(self) -> None:
        hop = self.hop(tickets=self.tickets)
        uri = f"/desktop/{DESK}/vnc/a"
        other = Tickets([b"x" * 32], "agent-1", lambda: self.wall)
        elsewhere = Tickets([KEY], "agent-2", lambda: self.wall)
        late = Tickets([KEY], "agent-1", lambda: self.wall - 100)
        rights = Right.ENTER | READ
        for ticket in (
            "x",
            other.sign("ada", DESK, rights),
            elsewhere.sign("ada", DESK, rights),
            late.sign("ada", DESK, rights),
            self.tickets.sign("ada", "another", rights),
        ):
            with capturedLogs() as events:
                self.assertEqual(self.refused(hop, Asking(uri, ticket)), "ticket-refused", ticket)
            (said,) = [formatEvent(event) for event in events]
            self.assertTrue(said.startswith("the ticket of 192.0.2.7 is refused: "), said)
            self.assertNotIn(ticket, said)
        self.assertEqual(self.asked, [])

    def test_a_ticket_that_allows_too_little_opens_nothing(self) -> None:
        ticket = self.tickets.sign("ada", DESK, Right.ENTER)
        word = self.refused(self.hop(tickets=self.tickets), Asking(f"/desktop/{DESK}/vnc/", ticket))
        self.assertEqual(word, "not-allowed")

    def test_without_a_key_tickets_mean_nothing(self) -> None:
        ticket = self.tickets.sign("ada", DESK, Right.ENTER | WRITE)
        self.status = 401
        self.assertEqual(self.refused(self.hop(), Asking(f"/desktop/{DESK}/vnc/", ticket)),
                         "expired-cookie")

    def test_the_desktop_may_take_tickets_too(self) -> None:
        inner = Tickets([b"d" * 32], "desktop", lambda: self.wall)
        self.sessions = [desk(credentials=(Credential(EVERYTHING, b"", inner),))]
        self.directory.look()
        ticket = self.tickets.sign("ada", DESK, Right.ENTER | READ)
        allowed = self.allowed(
            self.hop(tickets=self.tickets), Asking(f"/desktop/{DESK}/vnc/", ticket)
        )
        (name, value), = allowed.fields
        self.assertEqual(name, b"Kasmd-Ticket")
        said = inner.read(value.decode())
        self.assertEqual((said.name, said.session, said.rights), ("ada", DESK, Right.ENTER | READ))

    def test_a_session_that_is_gone_or_elsewhere_ends_what_was_opened(self) -> None:
        hop = self.hop()
        for sessions in ([], [desk(port=7000)]):
            self.sessions = [desk()]
            self.directory.look()
            grant = self.allowed(hop, Asking(f"/desktop/{DESK}/vnc/websockify")).grant
            self.sessions = [desk(), desk("other")]
            self.directory.look()
            self.assertTrue(grant.holds(Right.ENTER))
            self.sessions = sessions
            self.directory.look()
            self.assertFalse(grant.holds(Right.ENTER))
