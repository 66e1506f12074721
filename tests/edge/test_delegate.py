"""A direct edge of several processes: the same as of one, and asked no more than it must."""

from __future__ import annotations

from typing import Sequence

from twisted.internet.defer import Deferred

from kasmd.edge.messages import Ask, Done, Ended, Given
from tests.edge import test_direct, test_site
from tests.edge.delegated import DelegatedCase
from tests.edge.direct_site import HTML, JSON, SECRET, SESSIONS, Answer, basic


class DelegatedPassingTests(DelegatedCase, test_direct.PassingTests):
    """Those who may pass one process pass several."""

    async def test_the_owner(self) -> None:
        answer = await self.ask("/desktop/a/vnc.html?x=1&y=%2F", basic("ann"))
        self.assertEqual(answer.json["target"], "/desk/vnc.html?x=1&y=%2F")
        self.assertEqual(answer.json["fields"], {"Authorization": "Basic " + SECRET.decode()})


class DelegatedRefusalTests(DelegatedCase, test_direct.RefusalTests):
    """Those who may not, may not."""


class DelegatedChangeTests(DelegatedCase, test_direct.ChangeTests):
    """What changes, changes at once, whatever is remembered."""


class UnleasedChangeTests(DelegatedChangeTests):
    """So it does where nothing is."""

    lease = 0.0


class DelegatedTableTests(DelegatedCase, test_site.TableTests):
    """The same is published."""


class DelegatedPrefixTests(DelegatedCase, test_site.PrefixTests):
    """Below a path, too."""


class RememberedTests(DelegatedCase):
    """How often the one that decides is asked."""

    async def asked(self, *paths: str, proof: tuple[str, str] = basic("ann"),
                    more: Sequence[tuple[str, str]] = (), method: str = "GET") -> int:
        """Ask for these, and give how many questions that was."""
        before = self.to_decider.count(Ask)
        for path in paths:
            await self.ask(path, proof, *more, method=method)
        return self.to_decider.count(Ask) - before

    async def test_once_for_a_person_and_a_session(self) -> None:
        self.assertEqual(await self.asked("/desktop/a/", "/desktop/a/x?y", "/desktop/a/z/"), 1)
        self.assertEqual(await self.asked("/desktop/t/", "/desktop/t/x"), 1)
        self.assertEqual(await self.asked("/desktop/a/", proof=basic("bob")), 1)
        answer = await self.ask("/desktop/a/x?y", basic("ann"))
        self.assertEqual((answer.json["target"], answer.json["name"]), ("/desk/x?y", "ann"))

    async def test_a_proof_is_known_byte_by_byte(self) -> None:
        await self.asked("/desktop/a/")
        self.assertEqual(await self.asked("/desktop/a/", proof=basic("ann", "wrong")), 1)
        self.assertEqual(await self.asked("/desktop/a/", proof=self.cookie("ann")), 1)

    async def test_what_leave_says_nothing_of(self) -> None:
        await self.asked("/desktop/a/")
        self.assertEqual(await self.asked("/desktop/a", "/desktop/a?x", "/desktop/aa/"), 3)
        self.assertEqual(await self.asked("/desktop/a/", method="OPTIONS"), 1)
        # A page may be due a cookie.
        self.assertEqual(await self.asked("/desktop/a/", more=[HTML]), 1)

    async def test_an_address_is_checked_whatever_is_remembered(self) -> None:
        await self.asked("/desktop/a/")
        for path in ("/desktop/a/../b/", "/desktop/a/%2e%2e/b/", "/desktop/a//x"):
            self.assertEqual((await self.ask(path, basic("ann"))).status, 400)

    async def test_a_change_is_asked_for(self) -> None:
        await self.asked("/desktop/a/")
        self.found = (SESSIONS[0], *SESSIONS[1:3], SESSIONS[3]._replace(running=True))
        self.directory.look()
        self.assertEqual(await self.asked("/desktop/a/"), 1)
        self.assertEqual(self.to_delegate.count(Ended), 0)

    async def test_a_cookie_comes_with_the_page(self) -> None:
        secure = ("X-Forwarded-Proto", "https")
        answer = await self.ask("/desktop/a/", basic("ann"), HTML, secure)
        self.assertIn("kasmd=", answer.headers["Set-Cookie"])

    async def test_a_body_has_the_room_of_its_route(self) -> None:
        small, large = "name=ann&password=right", "x" * 60_000
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        for body, status in ((small, 303), (large, 413)):
            answer = await self.post("/login", body, kind)
            self.assertEqual(answer.status, status)

    def post(self, path: str, body: str, *headers: tuple[str, str]) -> Deferred[Answer]:
        length = ("Content-Length", f"{len(body)}")
        return self.ask(path, *headers, length, body=body.encode(), method="POST")


class UnrememberedTests(DelegatedCase):
    lease = 0.0

    async def test_each_request_is_asked_for(self) -> None:
        for _ in range(3):
            self.assertEqual((await self.ask("/desktop/a/", basic("ann"))).status, 200)
        self.assertEqual(self.to_decider.count(Ask), 3)
        await self.to_decider.until(Done, 3)
        self.assertEqual((len(self.decider), len(self.registry)), (0, 0))


class OpenTests(DelegatedCase):
    """What is open when its leave ends."""

    holds = True

    async def open(self, path: str = "/desktop/a/", *proof: tuple[str, str]) -> Deferred[Answer]:
        """Begin a request, and wait until it is let in."""
        given = self.to_delegate.until(Given)
        answer = self.ask(path, *(proof or (basic("ann"),)))
        await given
        return answer

    async def test_the_directory_ends_it(self) -> None:
        answer = await self.open()
        other = await self.open("/desktop/t/")
        self.found = SESSIONS[1:]
        self.directory.look()
        await self.held[0].ended
        self.assertEqual((await answer).status, 200)
        self.assertFalse(other.called)
        await self.to_decider.until(Done, 1)
        self.held[1].end()
        await other

    async def test_an_account_that_is_gone_ends_it(self) -> None:
        answer = await self.open()
        self.accounts.remove("ann")
        await self.held[0].ended
        await answer

    async def test_log_out_ends_it(self) -> None:
        cookie = self.cookie("ann")
        answer = await self.open("/desktop/a/", cookie)
        self.assertEqual((await self.ask("/logout", cookie, method="POST")).status, 204)
        await self.held[0].ended
        await answer

    async def test_it_ends_when_nobody_can_say_any_more(self) -> None:
        answer = await self.open()
        self.to_decider.close()
        await self.held[0].ended
        await answer
        refused = await self.ask("/desktop/a/", basic("ann"), JSON)
        self.assertEqual((refused.status, refused.json["code"]), (500, "auth-service-down"))
        self.assertEqual((self.lost, len(self.delegate.leaves)), (1, 0))

    async def test_what_waits_then_is_answered(self) -> None:
        self.to_decider.hear = lambda message: None
        asked = self.to_decider.until(Ask)
        answer = self.ask("/desktop/a/", basic("ann"), JSON)
        await asked
        self.to_decider.close()
        self.assertEqual((await answer).json["code"], "auth-service-down")
