"""Who passes a direct edge, to where, and with what."""

from __future__ import annotations

from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from kasmd.errors import LoginRefused
from kasmd.rights import READ, WRITE, Right
from tests.edge.direct_site import (
    HTML,
    JSON,
    SECRET,
    SESSIONS,
    TICKETS,
    DirectCase,
    basic,
)
from tests.garbage import uncollected
from tests.permission.disk import now


class PassingTests(DirectCase):
    """Those who may, and what the relay is told."""

    async def test_the_owner(self) -> None:
        answer = await self.ask("/desktop/a/vnc.html?x=1&y=%2F", basic("ann"))
        self.assertEqual(answer.json, {
            "name": "ann", "session": "a", "upstream": "http://10.0.0.1:6901", "method": "GET",
            "target": "/desk/vnc.html?x=1&y=%2F",
            "fields": {"Authorization": "Basic " + SECRET.decode()},
        })
        self.assertEqual(len(self.registry), 0)

    async def test_by_every_proof(self) -> None:
        for proof in (basic("ann"), self.cookie("ann"), self.token("ann", ~Right(0))):
            answer = await self.ask("/desktop/a/", proof)
            self.assertEqual((answer.status, answer.json["name"]), (200, "ann"), proof)

    async def test_every_method_goes_on(self) -> None:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND"):
            answer = await self.ask("/desktop/a/x", basic("ann"), method=method)
            self.assertEqual(answer.json["method"], method)
        self.assertEqual((await self.ask("/desktop/a/", basic("ann"), method="HEAD")).status, 200)

    async def test_others_are_let_in_by_no_more_than_they_have(self) -> None:
        answer = await self.ask("/desktop/a/", basic("bob"))
        self.assertEqual(answer.json["fields"], {"Authorization": "Bearer viewer"})
        narrow = await self.ask("/desktop/a/", self.token("ann", READ))
        self.assertEqual(narrow.json["fields"], {"Authorization": "Bearer viewer"})
        less = await self.ask("/desktop/a/", self.token("ann", Right.RESIZE))
        self.assertEqual(less.status, 403)

    async def test_a_ticket_says_who_and_what(self) -> None:
        for name, rights in (("ann", ~Right(0)), ("bob", Right.ENTER | WRITE)):
            answer = await self.ask("/desktop/t/", basic(name))
            self.assertEqual(answer.json["upstream"], "unix:/run/t")
            (ticket,) = answer.json["fields"].values()
            read = TICKETS.read(ticket)
            self.assertEqual((read.name, read.session, read.rights), (name, "t", rights))

    async def test_the_session_s_address_ends_with_a_slash(self) -> None:
        answer = await self.ask("/desktop/a?x=1", basic("ann"))
        self.assertEqual((answer.status, answer.headers["Location"]), (308, "a/?x=1"))
        posted = await self.ask("/desktop/a", basic("ann"), method="POST")
        self.assertEqual(posted.status, 404)


class RefusalTests(DirectCase):
    """Those who may not."""

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self._log)
        self.addCleanup(globalLogPublisher.removeObserver, self._log)

    def _log(self, event: LogEvent) -> None:
        self.logged.append(formatEvent(event))

    async def test_nobody_without_a_proof_whatever_there_is(self) -> None:
        stale = self.cookie("ann", "A" * 43)
        for path in ("/desktop/a/", "/desktop/nowhere/", "/desktop/b/x"):
            for method in ("GET", "POST", "DELETE"):
                for proof in ((), (basic("ann", "wrong"),), (basic("ghost"),), (stale,),
                              (("Authorization", "Bearer kasmd_" + "A" * 43),),
                              (("Kasmd-Ticket", TICKETS.sign("ann", "a", ~Right(0))),),
                              (("X-Kasm-User", "ann"),)):
                    answer = await self.ask(path, *proof, method=method)
                    self.assertEqual(answer.status, 401, (path, method, proof))

    async def test_what_is_not_and_what_is_another_s_are_answered_alike(self) -> None:
        answers = []
        for path in ("/desktop/b/", "/desktop/nowhere/", "/desktop/s/x"):
            for method in ("GET", "POST"):
                answer = await self.ask(path, basic("eve"), JSON, method=method)
                said = {**answer.json, "request_id": ""}
                answers.append((answer.status, said, sorted(answer.headers.keys())))
        self.assertEqual(answers[0][:1], (404,))
        self.assertTrue(all(answer == answers[0] for answer in answers), answers)
        told = [line for line in self.logged if "is not let into session" in line]
        self.assertIn("'eve' is not let into session 'b'", told)

    async def test_guests_are_guests_elsewhere(self) -> None:
        invitation = now(self.proofs.invitations.make("Eve", "ann", READ, 50.0))
        secret = now(self.proofs.invitations.open(self.proofs.invitations.code(invitation.ident)))
        for path in ("/desktop/a/", "/"):
            self.assertEqual((await self.ask(path, self.cookie("", secret))).status, 401)

    async def test_addresses_that_are_not_read_alike(self) -> None:
        for path in ("/desktop/a/../b/", "/desktop/a/%2e%2e/b/", "/desktop/a//x", "/desktop/a/%2fx",
                     "/desktop/a/x%00", "/desktop/a/..;/b", "/desktop/a/\\x"):
            answer = await self.ask(path, basic("ann"))
            self.assertEqual(answer.status, 400, path)
        for path in ("/desktop/", "/desktop/a.b/", "/desktop/a%62/"):
            self.assertEqual((await self.ask(path, basic("ann"))).status, 404, path)

    async def test_one_that_starts(self) -> None:
        answer = await self.ask("/desktop/s/", basic("ann"), HTML)
        self.assertEqual(answer.status, 503)
        self.assertIn("Retry-After", answer.headers)

    async def test_a_page_without_a_proof_is_the_log_in(self) -> None:
        answer = await self.ask("/desktop/a/x/y", HTML)
        self.assertEqual(answer.status, 401)
        self.assertIn(b'action="../../../login"', answer.body)

    async def test_a_wrong_password_leaves_no_garbage(self) -> None:
        left = uncollected(self, LoginRefused)
        for path in ("/", "/desktop/a/"):
            answer = await self.ask(path, basic("ann", "wrong"))
            self.assertEqual(answer.status, 401)
        self.assertEqual(left(), 0)

    async def test_the_client_never_hears_the_credential(self) -> None:
        for path in ("/desktop/a", "/desktop/s/", "/desktop/a/../", "/", "/api/v1/desktops", "/x"):
            for accept in (HTML, JSON):
                answer = await self.ask(path, basic("ann"), accept)
                whole = answer.body + str(answer.headers).encode()
                self.assertNotIn(SECRET, whole)
                self.assertNotIn(b"hunter2", whole)
        self.assertNotIn(SECRET.decode(), "".join(self.logged))


class ChangeTests(DirectCase):
    """What changes while somebody is in."""

    async def test_the_directory_s_and_the_accounts_changes(self) -> None:
        self.assertEqual((await self.ask("/desktop/a/", basic("bob"))).status, 200)
        self.found = (SESSIONS[0]._replace(others={}), *SESSIONS[1:])
        self.directory.look()
        self.assertEqual((await self.ask("/desktop/a/", basic("bob"))).status, 404)
        self.assertEqual((await self.ask("/desktop/b/", basic("bob"))).status, 200)
        cookie = self.cookie("bob")
        self.accounts.remove("bob")
        for proof in (basic("bob"), cookie):
            self.assertEqual((await self.ask("/desktop/b/", proof)).status, 401)

    async def test_log_out(self) -> None:
        cookie = self.cookie("ann")
        self.assertEqual((await self.ask("/desktop/a/", cookie)).status, 200)
        self.assertEqual((await self.ask("/logout", cookie, method="POST")).status, 204)
        self.assertEqual((await self.ask("/desktop/a/", cookie)).status, 401)
