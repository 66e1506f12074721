"""The session's cookie as it goes over the wire, in every kind of place."""

from __future__ import annotations

import http.client
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.http.cookies import PLAIN_NAME, SECURE_NAME, SessionCookie
from kasmd.http.proxies import Proxies
from kasmd.http.server import HttpFactory, Limits, Request, Response

SECRET = "s" * 43
#: Over TLS, as the proxy in front says; it is on this machine, its client is not.
SECURE = ("X-Forwarded-Proto", "https")
FAR = ("X-Forwarded-For", "192.0.2.1")

Answer = tuple[int, str, list[str]]


class CookieTests(TestCase):
    """A site that does with its cookie what its path says."""

    timeout = 120

    def setUp(self) -> None:
        self.cookie = SessionCookie()
        factory = HttpFactory(
            reactor, self.respond, (), Limits(), proxies=Proxies(["127.0.0.1"])  # type: ignore
        )
        listening = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore
        self.addCleanup(listening.stopListening)
        self.port = listening.getHost().port

    def respond(self, request: Request) -> Response:
        if request.path == b"/begin":
            return Response(200, ((b"Set-Cookie", self.cookie.begin(request, SECRET)),))
        if request.path == b"/end":
            return Response(200, ((b"Set-Cookie", self.cookie.end(request)),))
        return Response(200, (), self.cookie.read(request).encode())

    def ask(self, path: str, *fields: tuple[str, str]) -> Any:
        return deferToThread(self._ask, path, fields)

    def _ask(self, path: str, fields: tuple[tuple[str, str], ...]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest("GET", path)
        for name, value in fields:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = answer.status, answer.read().decode(), answer.headers.get_all("Set-Cookie") or []
        connection.close()
        return found

    async def set_by(self, path: str, *fields: tuple[str, str]) -> str:
        status, _, (line,) = await self.ask(path, *fields)
        self.assertEqual(status, 200)
        return str(line)

    async def test_over_tls(self) -> None:
        rest = "; Path=/; HttpOnly; Secure; SameSite=Lax"
        self.assertEqual(await self.set_by("/begin", SECURE), f"__Host-kasmd={SECRET}{rest}")
        self.assertEqual(await self.set_by("/begin", SECURE, FAR), f"__Host-kasmd={SECRET}{rest}")
        self.assertEqual(await self.set_by("/end", SECURE), f"__Host-kasmd={rest}; Max-Age=0")

    async def test_inside_another_site_s_page(self) -> None:
        self.cookie = SessionCookie(embedded=True)
        rest = "; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"
        self.assertEqual(await self.set_by("/begin", SECURE), f"__Host-kasmd={SECRET}{rest}")
        self.assertEqual(await self.set_by("/end", SECURE), f"__Host-kasmd={rest}; Max-Age=0")

    async def test_in_the_clear_it_is_for_this_machine(self) -> None:
        for self.cookie in (SessionCookie(), SessionCookie(embedded=True)):
            line = await self.set_by("/begin")
            self.assertEqual(line, f"kasmd={SECRET}; Path=/; HttpOnly; SameSite=Lax")
            status, text, lines = await self.ask("/begin", FAR)
            self.assertEqual((status, lines), (403, []))
            self.assertIn("A session needs https", text)

    async def read(self, *cookies: str, secure: bool = False) -> Answer:
        fields = [("Cookie", cookie) for cookie in cookies]
        found: Answer = await self.ask("/", *fields, *([SECURE] if secure else []))
        return found

    async def test_it_is_read_from_among_others(self) -> None:
        for cookies in (["kasmd=x"], ["a=b; kasmd=x;c"], ["a=b", " kasmd=x "], [";;kasmd=x;="]):
            self.assertEqual((await self.read(*cookies))[1], "x", cookies)
        for cookies in ([], ["a=b"], ["Kasmd=x"], ["xkasmd=x"], ["a=kasmd=x"], ["kasmd"],
                        ["__Host-kasmd=x"]):
            self.assertEqual((await self.read(*cookies))[1], "", cookies)

    async def test_over_tls_the_other_name_counts_for_nothing(self) -> None:
        cookies = f"{PLAIN_NAME.decode()}=planted; {SECURE_NAME.decode()}=x"
        self.assertEqual((await self.read(cookies, secure=True))[1], "x")
        self.assertEqual((await self.read("kasmd=planted", secure=True))[1], "")

    async def test_of_two_none_is_taken_and_both_are_forgotten(self) -> None:
        for cookies in (["kasmd=x; kasmd=y"], ["kasmd=x", "kasmd=x"]):
            status, text, lines = await self.read(*cookies)
            self.assertEqual(status, 400)
            self.assertIn("two session cookies", text)
            self.assertEqual(lines, ["kasmd=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"])
        twice = "__Host-kasmd=x; __Host-kasmd=y"
        status, _, lines = await self.read(twice, secure=True)
        self.assertEqual((status, len(lines)), (400, 2))
        self.assertEqual(["Partitioned" in line for line in lines], [True, False])
