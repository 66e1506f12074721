"""What an edge publishes, and to whom."""

from __future__ import annotations

from kasmd.http.routes import PUBLIC
from kasmd.rights import Right
from tests.edge.direct_site import HTML, JSON, DirectCase, basic


class TableTests(DirectCase):
    def test_what_is_public_is_known(self) -> None:
        public = {(route.method, route.path) for route in self.site.routes.table
                  if route.needs is PUBLIC}
        self.assertEqual(public, {
            (b"GET", b"/__healthcheck"), (b"GET", b"/checkvalid"), (b"OPTIONS", b"/desktop/*"),
            (b"GET", b"/login"), (b"POST", b"/login"), (b"GET", b"/invite"), (b"POST", b"/invite"),
            (b"GET", b"/login.css"), (b"GET", b"/login.svg"), (b"GET", b"/login.mjs"),
        })
        others = [route for route in self.site.routes.table if route.needs is not PUBLIC]
        self.assertTrue(all(route.needs == Right.ENTER for route in others))

    async def test_health(self) -> None:
        answer = await self.ask("/__healthcheck")
        self.assertEqual((answer.status, answer.json), (200, {"ok": True}))
        answer = await self.ask("/checkvalid", ("Origin", "https://anywhere.example"))
        self.assertEqual((answer.body, answer.headers["Access-Control-Allow-Origin"]), (b"ok", "*"))

    async def test_options_need_no_proof(self) -> None:
        asked = ("Origin", "https://portal.example"), ("Access-Control-Request-Method", "GET")
        answer = await self.ask("/desktop/a/", *asked, method="OPTIONS")
        allowed = answer.headers["Access-Control-Allow-Origin"]
        self.assertEqual((answer.status, allowed), (204, "https://portal.example"))
        foreign = ("Origin", "https://evil.example")
        answer = await self.ask("/desktop/a/", foreign, method="OPTIONS")
        self.assertNotIn("Access-Control-Allow-Origin", answer.headers)

    async def test_nothing_else(self) -> None:
        self.assertEqual((await self.ask("/nothing", basic("ann"))).status, 404)
        self.assertEqual((await self.ask("/nothing")).status, 401)
        self.assertEqual((await self.ask("/", basic("ann"), method="DELETE")).status, 405)

    async def test_a_failure_names_the_hop_and_the_request(self) -> None:
        answer = await self.ask("/desktop/nowhere/", basic("ann"), JSON)
        self.assertEqual((answer.json["hop"], answer.json["code"]), ("front", "no-such-session"))
        self.assertEqual(answer.json["request_id"], answer.headers["X-Request-Id"])

    async def test_so_does_one_of_a_request_that_cannot_be_read(self) -> None:
        large = [(f"Cookie-{number}", "x" * 8000) for number in range(9)]
        for path, headers, status, word in (
            ("/" + "x" * 9000, [], 414, "address-too-long"),
            ("/", large, 431, "header-too-large"),
            ("/", [("Host", "a"), ("Host", "b"), HTML], 400, "bad-request"),
        ):
            answer = await self.ask(path, *headers)
            self.assertEqual(answer.status, status)
            self.assertIn("text/html", answer.headers["Content-Type"])
            for text in (word, "front", answer.headers["X-Request-Id"]):
                self.assertIn(text, answer.body.decode())


class PrefixTests(DirectCase):
    """All of it below /kasm/x."""

    prefix = "/kasm/x"

    async def test_everything_is_below_it(self) -> None:
        for path in ("/__healthcheck", "/login", "/login.css", "/login.mjs"):
            self.assertEqual((await self.ask(path)).status, 200, path)
        answer = await self.ask("/desktop/a/vnc.html", basic("ann"))
        self.assertEqual(answer.json["target"], "/desk/vnc.html")
        (ann,) = [desktop for desktop in (await self.ask("/", basic("ann"))).json["desktops"]
                  if desktop["id"] == "a"]
        self.assertEqual(ann["href"],
                         "desktop/a/vnc.html?path=kasm/x/desktop/a/websockify")

    async def test_pages_find_their_files(self) -> None:
        for path, up in (("/", "./"), ("/login", "./"), ("/desktop/a/x", "../../")):
            answer = await self.ask(path, HTML)
            self.assertIn(f'href="{up}login.css"'.encode(), answer.body, path)

    async def test_nothing_is_beside_it(self) -> None:
        self.prefix = ""
        for path in ("/", "/desktop/a/", "/__healthcheck", "/login", "/kasm/xx/", "/kasm/"):
            self.assertEqual((await self.ask(path, basic("ann"))).status, 404, path)
        answer = await self.ask("/kasm/x?y")
        self.assertEqual((answer.status, answer.headers["Location"]), (308, "./x/?y"))
