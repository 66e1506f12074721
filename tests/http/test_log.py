"""What is written of requests: one line each, and none of their secrets."""

import re
import socket
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.http.log import (
    Access,
    accepted_request_id,
    log_access,
    new_request_id,
    note,
    note_route,
    shown_query,
)
from kasmd.http.proxies import Proxies
from kasmd.http.server import HttpFactory, Limits, Response
from kasmd.log.lines import DEBUG, INFO, Kasmvnc, tell
from kasmd.log.output import set_level


def access(**changed):
    plain = Access(1, "10.0.0.1", "10.0.0.2", "ann", b"GET", b"/x", b"", b"HTTP/1.1", 200, 10, 0.1)
    return plain._replace(**changed)


INJECTIONS = [
    ({"path": b"/a\r\n 2023 [INFO] forged"}, '"GET /a\\x0d\\x0a 2023 [INFO] forged HTTP/1.1"'),
    ({"path": b'/" 200 5'}, '"GET /\\x22 200 5 HTTP/1.1"'),
    ({"path": b"/\x1b[2J"}, '"GET /\\x1b[2J HTTP/1.1"'),
    ({"path": "/\u202e".encode()}, '"GET /\\xe2\\x80\\xae HTTP/1.1"'),
    ({"path": b"/{peer}%0a"}, '"GET /{peer}%0a HTTP/1.1"'),
    ({"method": b"G\nET"}, '"G\\x0aET /x HTTP/1.1"'),
    ({"user": 'bob "GET / HTTP/1.1" 200'}, " bob\\x20\\x22GET\\x20/\\x20HTTP/1.1\\x22\\x20200 "),
    ({"user": "\u202eeve\n"}, " \\u202eeve\\x0a "),
    ({"user": ""}, " 10.0.0.2 - "),
    ({"client": "x\ny"}, " x\\x0ay "),
    ({"peer": "", "client": ""}, "- - ann"),
]


@pytest.mark.parametrize("changed, shown", INJECTIONS)
def test_no_request_forges_a_line(changed, shown):
    line = str(access(**changed))
    assert shown in line and re.fullmatch("[ -~]*", line)


QUERIES = [
    # path, query, what may be read of it
    (b"/api/get_screenshot", b"width=80&height=60", b"width=80&height=60"),
    (b"/api/create_user", b"name=bob&password=hunter2&write=true", b"name=bob&write=true&..."),
    (b"/api/create_user", b"password=hunter2", b"..."),
    (b"/api/create_user", b"hunter2", b"..."),
    (b"/api/create_user", b"Name=hunter2&NAME%3d=hunter2", b"..."),
    (b"/api/update_user", b"name=bob&read=true", b"name=bob&read=true"),
    (b"/api/get_screenshot", b"width=1&token=hunter2", b"width=1&..."),
    (b"/", b"token=hunter2", b"..."),
    (b"/websockify", b"token=hunter2", b"..."),
    (b"/api/create_user", b"", b""),
]


@pytest.mark.parametrize("path, query, shown", QUERIES)
def test_of_a_query_only_what_is_harmless_is_shown(path, query, shown):
    assert shown_query(path, query) == shown
    line = str(access(path=path, query=query))
    assert "hunter2" not in line
    assert f"{path.decode()}?{shown.decode()} " in line or b"/api/" not in path or not query


def test_a_query_elsewhere_is_not_written_at_all():
    assert '"GET /x HTTP/1.1"' in str(access(query=b"width=1"))


def test_the_manual_has_every_part():
    manual = Path(__file__).parents[2].joinpath("docs", "man", "kasmd.8.rst").read_text()
    assert not [part for part in access().fields if f"``{part}``" not in manual]


def test_request_ids_are_all_different():
    ids = {new_request_id() for _ in range(1000)}
    assert len(ids) == 1000 and all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", each) for each in ids)


@pytest.mark.parametrize("value", [b"", b"a b", b"a\nb", b"x" * 65, b'"', b"\xff", b"a\n"])
def test_an_indecent_request_id_is_replaced(value):
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", accepted_request_id(value))


def test_a_decent_request_id_is_taken():
    assert accepted_request_id(b"Root=1-67891233-abcdef012345678912345678").startswith("Root=1-")


class LogTests(TestCase):
    def setUp(self):
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.addCleanup(set_level, INFO)

    def lines(self):
        form = Kasmvnc()
        return [form(tell(event))[24:-1] for event in self.events]

    def test_an_access_line(self):
        log_access(access(), "p-1")
        self.assertEqual(self.lines(), [
            ' [INFO] websocket 1: 10.0.0.1 10.0.0.2 ann "GET /x HTTP/1.1" 200 10 id=p-1'
        ])

    def test_steps_are_written_where_they_are_wanted(self):
        note(1, "handler exit")
        note_route(1, "password", b"/", b"", "p-1")
        self.assertEqual(self.events, [])
        set_level(DEBUG)
        note(1, "a\nb")
        self.assertEqual(self.lines(), [" [DEBUG] websocket 1: a\\x0ab"])

    def test_the_steps_of_a_request_hide_its_secrets(self):
        set_level(DEBUG)
        note_route(3, "password", b"/api/create_user", b"name=bob&password=hunter2", "p-1")
        note_route(3, "token", b"/index.html", b"token=hunter2", "p-2")
        head = " [DEBUG] websocket 3: "
        self.assertEqual(self.lines(), [
            f"{head}BasicAuth matched id=p-1",
            f"{head}Invalid WS request, maybe a HTTP one id=p-1",
            f"{head}HTTP request under /api/ id=p-1",
            f"{head}Requested owner api '/api/create_user' with args 'name=bob&...' id=p-1",
            f"{head}token matched id=p-2",
            f"{head}Invalid WS request, maybe a HTTP one id=p-2",
            f"{head}Requested file '/index.html' id=p-2",
        ])


class RequestTests(TestCase):
    """Lines of real requests, and of those that are none."""

    def serve(self, respond, *proxies):
        factory = HttpFactory(reactor, respond, (), Limits(), proxies=Proxies(proxies))
        self.port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    async def send(self, *lines, wait=True):
        """Send a request; give the value of X-Request-Id in the answer."""
        request = b"\r\n".join((*lines, b"Connection: close", b"", b""))
        answer = await deferToThread(talk, self.port.getHost().port, request, wait)
        found = re.findall(rb"\r\nX-Request-Id: ([^\r]+)\r\n", answer)
        return found[0].decode() if found else ""

    def told(self):
        return [tell(event) for event in self.events if "log_namespace" in event]

    async def test_a_trusted_proxy_names_the_request_and_the_client(self):
        self.serve(lambda request: Response(200, (), b"hello"), "127.0.0.1")
        lines = (b"GET / HTTP/1.1", b"Host: a", b"X-Forwarded-For: 1.2.3.4")
        self.assertEqual(await self.send(*lines, b"X-Request-Id: abc/1"), "abc/1")
        (access,) = [told for told in self.told() if "GET" in told.text]
        self.assertEqual(access.request_id, "abc/1")
        self.assertTrue(access.text.startswith("127.0.0.1 1.2.3.4 - "), access.text)
        for bad in ((b"X-Request-Id: a b",), (b"X-Request-Id: a", b"X-Request-Id: b")):
            self.assertRegex(await self.send(*lines, *bad), r"^[0-9a-f]{8}-[0-9a-f]+$")

    async def test_nobody_else_does(self):
        self.serve(lambda request: Response(200, (), b"hello"), "10.0.0.1")
        given = await self.send(b"GET / HTTP/1.1", b"Host: a", b"X-Request-Id: abc")
        self.assertRegex(given, r"^[0-9a-f]{8}-[0-9a-f]+$")

    async def test_what_is_no_request_has_a_line_and_an_id(self):
        self.serve(lambda request: Response(200, (), b"hello"))
        given = await self.send(b"GET /\x1b secret", b"Host: a")
        (line,) = self.told()
        self.assertEqual(line.request_id, given)
        self.assertRegex(line.text, r'^127.0.0.1 127.0.0.1 - "- - HTTP/1.1" 400 \d+$')

    async def test_a_route_that_breaks_is_found_by_the_id(self):
        def broken(request):
            raise RuntimeError("on purpose")

        self.serve(broken)
        given = await self.send(b"GET / HTTP/1.1", b"Host: a")
        failure, access = self.told()
        self.assertEqual((failure.request_id, access.request_id), (given, given))
        self.assertIn("on purpose", failure.traceback[-1])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_one_that_did_not_wait_for_its_answer_has_a_line(self):
        gone = Deferred()

        def patient(request):
            request.notifyFinish().addErrback(lambda failure: gone.callback(None))
            return Deferred()

        self.serve(patient)
        await self.send(b"GET /slow HTTP/1.1", b"Host: a", wait=False)
        await gone
        (access,) = self.told()
        self.assertTrue(access.text.endswith('- "GET /slow HTTP/1.1" 499 0'), access.text)


def talk(port, request, wait):
    """Send ``request``; give all that comes until the server closes, or do not wait."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(request)
        answer = b""
        while wait and (data := client.recv(65536)):
            answer += data
    return answer
