"""The whole site: every route by everyone, TLS and plain, the page's own promises."""

import base64
import datetime
import re
import shutil
import socket
import ssl
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import fail, succeed
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.errors import ConfigError, LoginRefused
from kasmd.http.routes import Routes
from kasmd.http.server import Limits
from kasmd.http.tls import CertificateFiles
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import NOTHING, Right
from kasmd.viewer.roster import Roster
from kasmd.web.certificate import self_signed
from kasmd.web.pages import Pages
from kasmd.web.session import Session
from kasmd.web.site import (
    PAGE,
    Plain,
    find_novnc,
    make_site,
    page_mounts,
    parse_origins,
    site_routes,
)
from kasmd.web.static import StaticFiles
from kasmd.web.websockify import Websockify

GOOD = b"Authorization: Basic " + base64.b64encode(b"ann:right")
UPGRADE = (
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def talk(port, tls, method, path, *lines):
    """Give the status line and headers, and the body of an answer that ends."""
    head = [method + b" " + path + b" HTTP/1.1", b"Host: 127.0.0.1:%d" % port, *lines, b"", b""]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client = context.wrap_socket(client)
        client.sendall(b"\r\n".join(head))
        file = client.makefile("rb")
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            line = file.readline()
            if not line:
                return answer, b""
            answer += line
        length = re.search(rb"Content-Length: (\d+)", answer)
        body = file.read(int(length[1])) if length and method != b"HEAD" else b""
        client.close()
        return answer, body


class Passwords:
    def authenticate(self, name, password, address):
        return succeed(name) if password == "right" else fail(LoginRefused("no"))


class Viewer:
    def __init__(self, transport, principal):
        transport.send(b"hello " + principal.name.encode())

    def received(self, data):
        pass

    def lost(self, reason):
        pass


def make_table():
    static = StaticFiles(reactor, ())
    return site_routes(static, Session(reactor, Roster(), Pages()), Websockify(reactor, Viewer, ()))


class Served:
    """Serves a site on a port of the system's choice."""

    def listen(self, **options):
        self.registry = MemoryRegistry({"ann": NOTHING})
        site = make_site(
            reactor,
            authenticator=Passwords(),
            registry=self.registry,
            roster=Roster(),
            pages=Pages(),
            make_viewer=Viewer,
            mounts=page_mounts(PAGE),
            headers=[("Cross-Origin-Opener-Policy", "same-origin")],
            **options,
        )
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.number = port.getHost().port

    def certificate(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        path = self_signed(Path(directory), datetime.datetime.now(datetime.timezone.utc))
        return CertificateFiles(reactor, path, path)

    def ask(self, method, path, *lines, tls=False):
        return deferToThread(talk, self.number, tls, method, path, *lines)


class GateTests(Served, TestCase):
    def setUp(self):
        self.listen()

    def test_every_route_needs_a_right(self):
        table = make_table()
        self.assertIsInstance(table, Routes)
        for route in table.table:
            self.assertTrue(route.needs, route.path)
            self.assertIn(Right.ENTER, route.needs, route.path)

    async def test_no_route_answers_without_a_password(self):
        attempts = (
            (b"X: y",),
            (b"Authorization: Basic " + base64.b64encode(b":"),),
            (b"Authorization: Basic " + base64.b64encode(b"ann:"),),
            (b"Authorization: Basic " + base64.b64encode(b"ann:wrong"),),
            (b"Authorization: Basic " + base64.b64encode(b"nobody:right"),),
            (b"Authorization: Bearer right",),
        )
        paths = [route.path.replace(b"*", b"index.html") for route in make_table().table]
        for path in (*paths, b"/", b"/no/such", b"/favicon.ico"):
            for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"):
                for lines in attempts:
                    head, _ = await self.ask(method, path, *lines, *UPGRADE)
                    self.assertEqual(head[:12], b"HTTP/1.1 401", (method, path, lines))

    async def test_nothing_but_get_and_head_is_published(self):
        for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"get"):
            head, _ = await self.ask(method, b"/", GOOD)
            self.assertEqual(head[:12], b"HTTP/1.1 405")
            self.assertIn(b"\r\nAllow: GET, HEAD\r\n", head)

    async def test_the_configured_headers_are_on_every_answer(self):
        for path, lines in ((b"/", [GOOD]), (b"/", []), (b"/none", [GOOD]), (b"/%00", [GOOD])):
            head, _ = await self.ask(b"GET", path, *lines)
            self.assertIn(b"\r\nCross-Origin-Opener-Policy: same-origin\r\n", head)
            self.assertIn(b"\r\nServer: kasmd\r\n", head)

    async def test_what_goes_wrong_is_a_page_an_object_or_text(self):
        for method, path, word in ((b"GET", b"/none", b"no-such-page"),
                                   (b"PUT", b"/", b"no-such-method")):
            for accept, kind in ((b"text/html,*/*;q=0.8", b"text/html; charset=utf-8"),
                                 (b"application/json", b"application/problem+json"),
                                 (b"*/*", b"text/plain; charset=utf-8")):
                request_id = b"X-Request-Id: asked-by-%b" % method
                head, body = await self.ask(method, path, GOOD, b"Accept: " + accept, request_id)
                self.assertIn(b"\r\nContent-Type: %b\r\n" % kind, head)
                self.assertIn(word, body)
                self.assertIn(b"desktop", body)
                self.assertNotIn(b"\r\nProxy-Status: ", head)
                given = head.partition(b"\r\nX-Request-Id: ")[2].partition(b"\r\n")[0]
                self.assertTrue(given and given in body, head)

    async def test_a_referer_is_no_path(self):
        lines = [GOOD, b"Referer: http://a/api/get_users?../../"]
        self.assertEqual((await self.ask(b"GET", b"/index.html", *lines))[0][:12], b"HTTP/1.1 200")

    async def test_websockify_without_upgrade_says_so(self):
        head, body = await self.ask(b"GET", b"/websockify", GOOD)
        self.assertEqual(head[:12], b"HTTP/1.1 426")
        self.assertIn(b"\r\nUpgrade: websocket\r\n", head)
        self.assertIn(b"speaks WebSocket only", body)

    async def test_a_websocket_leaves_no_http_grant_behind(self):
        head, _ = await self.ask(b"GET", b"/websockify", GOOD, *UPGRADE)
        self.assertEqual(head[:12], b"HTTP/1.1 101")
        self.assertEqual(len(self.registry), 0)


class TlsTests(Served, TestCase):
    async def test_both_are_served(self):
        self.listen(tls=self.certificate())
        for tls in (False, True):
            head, _ = await self.ask(b"GET", b"/", GOOD, tls=tls)
            self.assertEqual(head[:12], b"HTTP/1.1 200")
            head, _ = await self.ask(b"GET", b"/websockify", GOOD, *UPGRADE, tls=tls)
            self.assertEqual(head[:12], b"HTTP/1.1 101")

    async def test_a_full_house_turns_both_away_in_silence(self):
        self.listen(tls=self.certificate(), limits=Limits(connections=0))
        for tls in (False, True):
            with self.assertRaises(OSError):
                head, _ = await self.ask(b"GET", b"/", GOOD, tls=tls)
                if not head:
                    raise ConnectionResetError

    async def test_plain_is_redirected_without_asking_for_a_password(self):
        self.listen(tls=self.certificate(), plain=Plain.REDIRECT)
        head, _ = await self.ask(b"GET", b"//evil/x?q=1")
        self.assertEqual(head[:12], b"HTTP/1.1 308")
        where = b"\r\nLocation: https://127.0.0.1:%d//evil/x?q=1\r\n" % self.number
        self.assertIn(where, head)
        head, _ = await self.ask(b"GET", b"http://evil/x")
        self.assertEqual(head[:12], b"HTTP/1.1 400")
        self.assertEqual((await self.ask(b"GET", b"/", GOOD, tls=True))[0][:12], b"HTTP/1.1 200")

    async def test_plain_is_refused_with_a_word(self):
        self.listen(tls=self.certificate(), plain=Plain.REFUSE)
        head, body = await self.ask(b"GET", b"/", GOOD)
        self.assertEqual(head[:12], b"HTTP/1.1 403")
        self.assertIn(b"\r\nConnection: close\r\n", head)
        self.assertIn(b"https only", body)

    async def test_a_plain_page_may_not_connect_over_tls(self):
        self.listen(tls=self.certificate())
        for scheme, status in ((b"https", b"101"), (b"http", b"403")):
            origin = b"Origin: %s://127.0.0.1:%d" % (scheme, self.number)
            head, _ = await self.ask(b"GET", b"/websockify", GOOD, origin, *UPGRADE, tls=True)
            self.assertEqual(head[9:12], status)


class PageTests(Served, TestCase):
    def setUp(self):
        self.listen()

    async def test_the_policy_is_strict(self):
        head, _ = await self.ask(b"GET", b"/style.css", GOOD)
        policy = re.search(rb"Content-Security-Policy: (.*)\r\n", head)[1]
        for rule in (b"default-src 'none'", b"script-src 'self'", b"style-src 'self'"):
            self.assertIn(rule, policy.split(b"; "))
        self.assertNotIn(b"unsafe", policy)

    def test_the_page_has_relative_addresses_and_nothing_inline(self):
        html = (PAGE / "index.html").read_text()
        self.assertNotIn("style=", html)
        self.assertIsNone(re.search(r"<script(?![^>]*src=)", html))
        self.assertIsNone(re.search(r"\son[a-z]+=", html))
        addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
        for path in PAGE.glob("*.mjs"):
            called = r'(?:from |EventSource\(|fetch\(|URL\()"([^"]+)"'
            addresses += re.findall(called, path.read_text())
        self.assertIn("./novnc/core/rfb.js", addresses)
        self.assertIn("websockify", addresses)
        for address in addresses:
            self.assertFalse(address.startswith("/") or "//" in address, address)


class ValueTests(TestCase):
    def test_novnc_is_where_it_was_said_to_be(self):
        self.assertTrue((find_novnc() / "core" / "rfb.js").is_file())
        with self.assertRaisesRegex(ConfigError, "/nowhere: holds no noVNC"):
            find_novnc(Path("/nowhere"))

    def test_origins(self):
        (origin,) = parse_origins(["https://portal.example"])
        self.assertEqual(origin, ("https", "portal.example", 443))
        for wrong in ("*", "portal.example", "https://portal.example/"):
            with self.assertRaises(ConfigError):
                parse_origins([wrong])

    def test_headers_that_cannot_be(self):
        for name, value in (("A B", "x"), ("A", "x\r\nB: y"), ("", "x"), ("A", "\u20ac")):
            with self.assertRaises(ConfigError):
                make_site(
                    reactor,
                    authenticator=Passwords(),
                    registry=MemoryRegistry({}),
                    roster=Roster(),
                    pages=Pages(),
                    make_viewer=Viewer,
                    mounts=(),
                    headers=[(name, value)],
                )
