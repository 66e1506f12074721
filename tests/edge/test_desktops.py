"""The list of one's own desktops."""

from __future__ import annotations

from kasmd.rights import FEATURES, READ, Right
from tests.edge.direct_site import HTML, SESSIONS, DirectCase, basic


class ListTests(DirectCase):
    async def ids(self, *proof: tuple[str, str]) -> list[str]:
        answer = await self.ask("/api/v1/desktops", *proof)
        return [desktop["id"] for desktop in answer.json["desktops"]]

    async def test_everybody_sees_what_he_may_enter(self) -> None:
        self.assertEqual(await self.ids(basic("ann")), ["a", "t", "s"])
        self.assertEqual(await self.ids(basic("bob")), ["a", "b", "t"])
        self.assertEqual(await self.ids(basic("eve")), [])
        self.assertEqual(await self.ids(self.cookie("bob")), ["a", "b", "t"])
        self.assertEqual((await self.ask("/api/v1/desktops")).status, 401)
        self.assertEqual(len(self.registry), 0)

    async def test_what_it_says(self) -> None:
        answer = await self.ask("/api/v1/desktops", basic("bob"))
        self.assertEqual(answer.json["desktops"][0], {
            "id": "a", "name": "Ann's <desk>", "owner": "ann", "rights": ["view"],
            "state": "running", "href": "desktop/a/vnc.html?path=desktop/a/websockify",
        })
        self.assertEqual(answer.json["desktops"][1]["rights"], list(FEATURES))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    async def test_a_token_s_rights(self) -> None:
        answer = await self.ask("/api/v1/desktops", self.token("ann", READ))
        self.assertEqual([each["rights"] for each in answer.json["desktops"]], [["view"]] * 3)

    async def test_the_page(self) -> None:
        answer = await self.ask("/", basic("bob"), HTML)
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
        body = answer.body.decode()
        self.assertIn('href="desktop/a/vnc.html?path=desktop/a/websockify"', body)
        self.assertIn("Ann&#x27;s &lt;desk&gt;", body)
        self.assertIn('<p class="whose">of ann, to watch</p>', body)
        self.assertIn('<p class="whose">yours</p>', body)
        self.assertNotIn("<desk>", body)
        self.assertNotIn("http-equiv", body)
        self.assertIn("frame-ancestors 'self'", answer.headers["Content-Security-Policy"])
        self.assertEqual(body.count("<li>"), 3)

    async def test_a_page_with_one_that_starts_is_loaded_again(self) -> None:
        body = (await self.ask("/", basic("ann"), HTML)).body
        self.assertIn(b'http-equiv="refresh"', body)
        self.assertIn(b'<li class="starting">', body)

    async def test_none(self) -> None:
        body = (await self.ask("/", basic("eve"), HTML)).body
        self.assertIn(b"There is no desktop for you yet.", body)

    async def test_one_without_any_right_that_is_listed(self) -> None:
        self.found = (SESSIONS[2]._replace(others={"eve": Right.ENTER}),)
        self.directory.look()
        body = (await self.ask("/", basic("eve"), HTML)).body
        self.assertIn(b"of ann, to enter", body)

    async def test_who_has_not_logged_in_gets_the_log_in(self) -> None:
        answer = await self.ask("/", HTML)
        self.assertEqual(answer.status, 401)
        self.assertIn(b'action="./login"', answer.body)
