"""Users by /api/v1, as a program meets them on a port."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from kasmd.errors import KasmdError
from kasmd.http.faults import FAULTS
from kasmd.interfaces import Principal
from kasmd.permission import durable
from kasmd.permission.kasmpasswd import verify
from kasmd.rights import Right
from tests.garbage import uncollected
from tests.permission.disk import SlowDisk
from tests.web.api.site import Served


class Tests(Served, TestCase):
    async def test_list(self) -> None:
        users = (await self.ask("GET", "/users")).json
        self.assertEqual([user["name"] for user in users], ["own", "writer", "reader"])
        self.assertEqual([user["letters"] for user in users], ["rwo", "rw", "r"])
        self.assertTrue(users[2]["rights"]["view"])
        self.assertFalse(users[2]["rights"]["upload"])
        self.assertNotIn("secret", users[0])

    async def test_create(self) -> None:
        made = await self.ask(
            "POST", "/users",
            {"name": "é/b", "password": "pw", "rights": {"view": True, "pointer": True}},
        )
        self.assertEqual((made.status, made.json["letters"]), (201, "r"))
        self.assertEqual(made.headers["Location"], "/api/v1/users/%C3%A9%2Fb")
        account = self.accounts.accounts()["é/b"]
        self.assertEqual(account.rights, Right.ENTER | Right.VIEW | Right.POINTER)
        self.assertTrue(verify("pw", account.secret))
        found = await self.ask("GET", "/users/%C3%A9%2Fb")
        self.assertEqual(found.json, made.json)
        self.assertEqual(found.headers["ETag"], made.headers["ETag"])
        again = await self.ask("POST", "/users", {"name": "é/b", "password": "pw"})
        self.assertEqual(again.status, 409)

    async def test_fields_are_named(self) -> None:
        for value, fields in (
            ({}, ["/name", "/password"]),
            ({"name": "", "password": ""}, ["/name", "/password"]),
            ({"name": "a:b", "password": "p"}, ["/name"]),
            ({"name": "é" * 64, "password": "p"}, ["/name"]),
            ({"name": "a", "password": "é" * 64}, ["/password"]),
            ({"name": "a", "password": "p\0"}, ["/password"]),
            ({"name": "\ud800", "password": "p"}, ["/name"]),
            ({"name": 1, "password": "p"}, ["/name"]),
            ({"name": "a", "password": "p", "rights": {"fly": True}}, ["/rights/fly"]),
            ({"name": "a", "password": "p", "rights": {"view": 1}}, ["/rights/view"]),
            ({"name": "a", "password": "p", "x/~": 1}, ["/x~1~0"]),
            ([], [""]),
        ):
            answer = await self.ask("POST", "/users", value)
            self.assertEqual((answer.status, answer.fields), (422, fields), value)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(len(self.accounts.accounts()), 3)

    async def test_what_is_no_json(self) -> None:
        for body in (b"{", b"\xff", b'{"name": NaN}', b"[" * 100_000):
            self.assertEqual((await self.ask("POST", "/users", body)).status, 400)
        typed = await self.ask("POST", "/users", {}, Content_Type="text/plain")
        self.assertEqual(typed.status, 415)

    async def test_patch_reaches_grants_before_the_answer(self) -> None:
        grant = self.registry.admit(Principal("writer"), "desktop")
        answer = await self.ask("PATCH", "/users/writer", {"rights": {"upload": False}})
        self.assertEqual((answer.status, answer.json["letters"]), (200, "r"))
        self.assertFalse(grant.holds(Right.UPLOAD))
        self.assertTrue(grant.holds(Right.KEYBOARD))
        await self.ask("PATCH", "/users/writer", {"rights": {"keyboard": None}},
                       Content_Type="application/merge-patch+json")
        self.assertFalse(grant.holds(Right.KEYBOARD))
        await self.ask("DELETE", "/users/writer")
        self.assertFalse(grant.holds(Right.ENTER))

    async def test_patch_a_password(self) -> None:
        before = self.accounts.accounts()["reader"]
        await self.ask("PATCH", "/users/reader", {"password": "new"})
        after = self.accounts.accounts()["reader"]
        self.assertTrue(verify("new", after.secret))
        self.assertEqual(after.rights, before.rights)

    async def test_replace(self) -> None:
        before = self.accounts.accounts()["writer"]
        answer = await self.ask("PUT", "/users/writer", {"rights": {"view": True}})
        self.assertEqual(answer.json["letters"], "r")
        self.assertEqual(self.accounts.accounts()["writer"].secret, before.secret)
        missing = await self.ask("PUT", "/users/eve", {"rights": {}})
        self.assertEqual(missing.status, 404)

    async def test_if_match(self) -> None:
        tag = (await self.ask("GET", "/users/reader")).headers["ETag"]
        changed = await self.ask("PATCH", "/users/reader", {"password": "n"}, If_Match=tag)
        self.assertEqual(changed.status, 200)
        for method, body in (("PATCH", {}), ("PUT", {"rights": {}}), ("DELETE", None)):
            stale = await self.ask(method, "/users/reader", body, If_Match=tag)
            self.assertEqual(stale.status, 412)
        fresh = changed.headers["ETag"]
        gone = await self.ask("DELETE", "/users/reader", If_Match=f'"x", {fresh}')
        self.assertEqual(gone.status, 204)
        self.assertEqual((await self.ask("DELETE", "/users/reader", If_Match="*")).status, 404)

    async def test_the_last_owner_stays(self) -> None:
        self.assertEqual((await self.ask("DELETE", "/users/own")).status, 409)
        lost = await self.ask("PATCH", "/users/own", {"rights": {"manage": False}})
        self.assertEqual(lost.status, 409)
        odd = await self.ask("DELETE", "/users/own?force=yes")
        self.assertEqual((odd.status, odd.fields), (422, ["force"]))
        self.assertEqual((await self.ask("DELETE", "/users/own?force=true")).status, 204)

    async def test_who_comes_while_another_program_writes_is_to_come_again(self) -> None:
        with durable.exclusive(self._file("kasmpasswd")):
            busy = await self.ask("DELETE", "/users/reader")
        self.assertEqual((busy.status, busy.headers["Retry-After"]), (503, "1"))
        self.assertEqual(busy.headers["Content-Type"], "application/problem+json")
        self.assertEqual(busy.json["detail"], FAULTS["accounts-busy"].said)
        self.assertEqual(self.site.counts.failures["accounts-busy"], 1)
        self.assertEqual((await self.ask("DELETE", "/users/reader")).status, 204)

    async def test_a_slow_disk_holds_up_nobody_else(self) -> None:
        grant = self.registry.admit(Principal("reader"), "desktop")
        disk = SlowDisk(self)
        deleted = self.ask("DELETE", "/users/reader")
        await disk.busy
        self.assertEqual((await self.ask("GET", "/users/reader")).status, 200)
        self.assertTrue(grant.holds(Right.VIEW))
        self.assertNoResult(deleted)
        disk.go()
        self.assertEqual((await deleted).status, 204)
        self.assertFalse(grant.holds(Right.ENTER))

    async def test_who_may(self) -> None:
        for proof, status in (("writer", 403), ("stranger", 401), (None, 401)):
            answer = await self.ask("GET", "/users", proof=proof, Accept="application/json")
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")

    async def test_a_refusal_leaves_no_garbage(self) -> None:
        left = uncollected(self, KasmdError)
        for status, asked in (
            (400, self.ask("POST", "/users", b"{")),
            (401, self.ask("GET", "/users", proof="stranger")),
            (403, self.ask("GET", "/users", proof="reader")),
            (403, self.ask("DELETE", "/users/reader", Sec_Fetch_Site="cross-site")),
            (404, self.ask("DELETE", "/users/nobody")),
            (404, self.ask("GET", "/nothing")),
            (409, self.ask("DELETE", "/users/own")),
            (422, self.ask("POST", "/users", {})),
        ):
            self.assertEqual((await asked).status, status)
        self.assertEqual(left(), 0)

    async def test_pages_of_other_sites_may_not(self) -> None:
        answer = await self.ask("DELETE", "/users/reader", Sec_Fetch_Site="cross-site")
        self.assertEqual(answer.status, 403)
        self.assertIn("reader", self.accounts.accounts())

    async def test_addresses(self) -> None:
        for method, path, status in (
            ("GET", "/users/", 404), ("GET", "/nothing", 404), ("PATCH", "/users", 405),
            ("GET", "/users/%FF", 400), ("GET", "/users?x=1", 422), ("GET", "/users?x=%", 400),
            ("GET", "/users/eve", 404), ("HEAD", "/users", 200),
        ):
            answer = await self.ask(method, path, Accept="application/json")
            self.assertEqual(answer.status, status, path)
