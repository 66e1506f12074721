"""What one process decides for another, and what becomes of that."""

from __future__ import annotations

from twisted.internet.task import Clock

from kasmd.edge.asking import Allowed, Forward
from kasmd.edge.census import ALL, Census
from kasmd.edge.deciding import HEARD_SECONDS, Decider, Endings, give_leave
from kasmd.edge.messages import (
    Ask,
    Bound,
    Counted,
    Done,
    Ended,
    Given,
    Here,
    Logged,
    Message,
    Said,
    Stale,
    Wire,
)
from kasmd.http.server import HttpFactory, Limits, Request
from kasmd.permission.tickets import REUSE
from tests.edge.direct_site import SECRET, SESSIONS, DirectCase, basic


class Sent(Wire):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__(lambda message: None, lambda: None)
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


class DecidingCase(DirectCase):
    """A worker that is asked for by hand."""

    forward: Forward = staticmethod(give_leave)
    lease = 60.0

    def serve(self, factory: HttpFactory) -> None:
        self.time = Clock()
        factory.reactor = self.time
        self.stuck = 0
        self.told: list[Message] = []
        endings, census = Endings(), Census(Limits(connections=3))
        self.other, self.decider = (
            Decider(factory, self.lease, self.get_stuck, self.told.append, endings, census)
            for _ in range(2)
        )
        self.others = self.other.wire = Sent()
        self.wire = self.decider.wire = Sent()

    def get_stuck(self) -> None:
        self.stuck += 1

    def asked(self, uri: str, *headers: tuple[str, str], method: str = "GET",
              body: bytes = b"") -> Message:
        """Give what was answered."""
        self.decider.received(self.ask_for(uri, *headers, method=method, body=body))
        return self.wire.sent.pop()

    @staticmethod
    def ask_for(uri: str, *headers: tuple[str, str], method: str = "GET",
                body: bytes = b"", secure: bool = True) -> Ask:
        fields = [(name.encode(), value.encode()) for name, value in (("Host", "h"), *headers)]
        return Ask(
            5, method.encode(), uri.encode(), b"HTTP/1.1", fields, body, "127.0.0.1", 4, secure,
            "id-1", 3,
        )

    def given(self, uri: str = "/desktop/a/x?y", name: str = "ann") -> Given:
        given = self.asked(uri, basic(name))
        assert isinstance(given, Given), given
        return given


class DecidingTests(DecidingCase):
    def test_leave(self) -> None:
        given = self.given()
        self.assertEqual(given.number, 5)
        self.assertEqual((given.name, given.kind, given.session), ("ann", "password", "a"))
        self.assertEqual((given.target, given.upstream), (b"/desk/x?y", SESSIONS[0].upstream))
        self.assertEqual(given.fields, ((b"Authorization", b"Basic " + SECRET),))
        assert given.reach is not None
        self.assertEqual(given.reach.target(b"/desktop/a/z"), b"/desk/z")
        self.assertEqual((given.seconds, len(self.registry)), (60.0, 1))

    def test_leave_with_a_ticket_is_younger_than_it(self) -> None:
        self.assertEqual(self.given("/desktop/t/").seconds, REUSE)

    def test_answers(self) -> None:
        for uri, proof, status, name in (
            ("/desktop/a/", basic("ann", "wrong"), 401, ""), ("/", basic("ann"), 200, "ann"),
            ("/desktop/b/", basic("ann"), 404, ""), ("/desktop/a", basic("ann"), 308, "ann"),
            ("/login", basic(""), 200, ""), ("/nothing", basic("ann"), 404, "ann"),
        ):
            said = self.asked(uri, proof)
            assert isinstance(said, Said)
            self.assertEqual((said.number, said.status, said.name), (5, status, name), uri)
        self.assertEqual((len(self.registry), len(self.decider)), (0, 0))

    def test_connections_are_counted_with_the_others(self) -> None:
        self.decider.received(Here([(ALL, 2)]))
        self.other.received(Here([(ALL, 2)]))
        self.assertEqual((self.wire.sent, self.others.sent), ([], [Bound(ALL, 1)]))
        self.decider.lost()
        self.assertEqual(self.others.sent[1:], [Bound(ALL, None)])

    def test_a_failure_has_the_request_s_id_and_no_secret(self) -> None:
        said = self.asked("/desktop/b/", basic("ann"), ("Accept", "application/json"))
        assert isinstance(said, Said)
        self.assertIn(b'"request_id": "id-1"', said.body)
        self.assertNotIn(SECRET, said.body)

    def test_a_body(self) -> None:
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        form = b"name=ann&password=right"
        said = self.asked("/login", kind, method="POST", body=form)
        assert isinstance(said, Said)
        self.assertEqual(said.status, 303)
        self.assertIn(b"Set-Cookie", dict(said.headers))
        large = self.asked("/login", kind, method="POST", body=form + b"&x=" + b"x" * 60_000)
        assert isinstance(large, Said)
        self.assertEqual(large.status, 413)

    def test_the_grant_is_held_until_it_is_done_with(self) -> None:
        given = self.given()
        self.decider.received(Done(given.ident))
        self.assertEqual((len(self.registry), len(self.decider)), (0, 0))
        self.accounts.remove("ann")
        self.assertEqual(self.wire.sent, [])
        self.decider.received(Done(given.ident))

    def test_its_end_is_told_once_and_awaited(self) -> None:
        given, other = self.given(), self.given(name="bob")
        self.accounts.remove("ann")
        self.assertEqual(self.wire.sent, [Ended(given.ident)])
        self.accounts.remove("bob")
        self.assertEqual(self.wire.sent[1:], [Ended(other.ident)])
        self.decider.received(Done(given.ident))
        self.time.advance(HEARD_SECONDS)
        self.assertEqual(self.stuck, 1)

    def test_one_that_closes_what_it_must_is_left_alone(self) -> None:
        given = self.given()
        self.accounts.remove("ann")
        self.time.advance(HEARD_SECONDS - 0.1)
        self.decider.received(Done(given.ident))
        self.time.advance(1)
        self.assertEqual((self.stuck, self.time.getDelayedCalls()), (0, []))

    def test_what_ended_it_is_answered_when_all_have_closed(self) -> None:
        cookie = self.cookie("ann")
        for decider in (self.other, self.decider):
            decider.received(self.ask_for("/desktop/a/", cookie, secure=False))
        for decider in (self.other, self.decider):
            (given,) = (message for message in decider.wire.sent if isinstance(message, Given))
            self.assertEqual(given.kind, "login")
        self.decider.received(self.ask_for("/logout", cookie, method="POST", secure=False))
        self.assertEqual(self.wire.sent[1:], [Ended(1)])
        self.other.received(Done(1))
        self.assertEqual(len(self.wire.sent), 2)
        self.decider.received(Done(1))
        said = self.wire.sent[-1]
        assert isinstance(said, Said)
        self.assertEqual(said.status, 204)

    def test_a_worker_that_is_gone_holds_nothing(self) -> None:
        self.given()
        self.given("/desktop/t/")
        self.accounts.remove("ann")
        self.decider.lost()
        self.assertEqual((len(self.registry), len(self.decider)), (0, 0))
        self.assertEqual(self.time.getDelayedCalls(), [])

    def test_what_it_says_of_itself_goes_on(self) -> None:
        said: list[Message] = [Logged("x"), Counted([])]
        for message in said:
            self.decider.received(message)
        self.assertEqual(self.told, said)

    def test_what_is_stale_is_told(self) -> None:
        self.decider.stale()
        self.assertEqual(self.wire.sent, [Stale()])


class BrokenTests(DecidingCase):
    @staticmethod
    def forward(request: Request, allowed: Allowed) -> None:
        raise RuntimeError("broken")

    def test_what_breaks_is_answered(self) -> None:
        said = self.asked("/desktop/a/", basic("ann"))
        assert isinstance(said, Said)
        self.assertEqual((said.status, len(self.registry)), (500, 0))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
