"""The rest of /api/v1 on a port: sessions, proofs, the desktop, events, the document."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.http.problems import Problem
from kasmd.interfaces import Principal
from kasmd.rights import Right
from kasmd.screen.geometry import Screen
from kasmd.web.api.document import document
from kasmd.web.api.events import MAX_STREAMS, MAX_WAITING
from kasmd.web.api.operations import Call
from kasmd.web.api.schemas import MAX_MESSAGE, MAX_TEXT
from kasmd.web.pages import Page
from tests.web.api.site import Served, authorization

LATER = time.time() + 3600


def opened(port: int) -> tuple[http.client.HTTPConnection, Any]:
    """Begin a stream of events."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/api/v1/events", headers={"Authorization": authorization("own")})
    return connection, connection.getresponse()


def read(response: Any, number: int) -> list[tuple[str, Any]]:
    """Read so many events, or until the stream's end."""
    found, kind = [], ""
    while len(found) < number:
        line = response.readline().decode()
        if not line:
            break
        if line.startswith("event: "):
            kind = line[7:].strip()
        elif line.startswith("data: "):
            found.append((kind, json.loads(line[6:])))
    return found


class Sessions(Served, TestCase):
    async def test_list_and_disconnect(self) -> None:
        ann, bob = self.join("writer"), self.join("reader")
        first, second = (await self.ask("GET", "/sessions")).json
        self.assertEqual((first["name"], first["peer"], first["since"]),
                         ("writer", ann.peer, 1000.5))
        self.assertEqual((first["rights"]["upload"], second["rights"]["upload"]), (True, False))
        path = f"/sessions/{second['id']}"
        self.assertEqual((await self.ask("GET", path)).json, second)
        gone = await self.ask("DELETE", path + "?reason=lunch%20now")
        self.assertEqual((gone.status, bob.ended, ann.ended), (204, [(1008, "lunch now")], []))
        self.assertEqual((await self.ask("DELETE", "/sessions/none")).status, 404)
        bad = await self.ask("DELETE", path + "?reason=a%0Ab")
        self.assertEqual((bad.status, bad.fields), (422, ["reason"]))

    async def test_a_cap_of_ones_own(self) -> None:
        ann, bob = self.join("writer"), self.join("reader")
        first, second = (await self.ask("GET", "/sessions")).json
        path = f"/sessions/{first['id']}"
        for kilobits, size in ((2000, 250_000), (None, None)):
            answer = await self.ask("PATCH", path, {"max_bandwidth": kilobits})
            self.assertEqual(answer.json, {**first, "max_bandwidth": kilobits})
            self.assertEqual((ann.max_bandwidth, bob.max_bandwidth), (size, None))
        self.assertEqual((await self.ask("PATCH", path, {})).json, first)
        bad = await self.ask("PATCH", path, {"max_bandwidth": 7})
        self.assertEqual((bad.status, bad.fields), (422, ["/max_bandwidth"]))
        for proof, where, status in (("writer", path, 403), ("own", "/sessions/none", 404)):
            answer = await self.ask("PATCH", where, {"max_bandwidth": 8}, proof)
            self.assertEqual(answer.status, status)

    async def test_rights_are_those_of_now(self) -> None:
        self.join("writer")
        await self.ask("PATCH", "/users/writer", {"rights": {"pointer": False}})
        session, = (await self.ask("GET", "/sessions")).json
        self.assertFalse(session["rights"]["pointer"])

    async def test_statistics(self) -> None:
        self.join("writer")
        scores, = (await self.ask("GET", "/statistics")).json
        session, = (await self.ask("GET", "/sessions")).json
        self.assertEqual((scores["id"], scores["network"]), (session["id"], 10))

    async def test_a_message_is_shown_or_it_is_not(self) -> None:
        page, told = Page("writer", "0" * 32), []
        self.join("reader")
        self.join("writer").page = page.name
        reader, writer = (each["id"] for each in (await self.ask("GET", "/sessions")).json)
        take = [True, False]
        self.pages.opened(page, lambda message: told.append(message) or take.pop(0))
        text = {"text": "Tea?\nIn ten minutes."}
        for ident, shown in ((writer, True), (writer, False), (reader, False)):
            answer = await self.ask("POST", f"/sessions/{ident}/messages", text)
            self.assertEqual((answer.status, answer.json), (200, {"shown": shown}))
        self.assertEqual(told, [{"from": "own", **text}] * 2)

    async def test_messages_that_are_none(self) -> None:
        self.join("writer")
        session, = (await self.ask("GET", "/sessions")).json
        path = f"/sessions/{session['id']}/messages"
        for text in ("", "a\x1b[31m", "a\rb", "x" * (MAX_MESSAGE + 1), 7):
            answer = await self.ask("POST", path, {"text": text})
            self.assertEqual((answer.status, answer.fields), (422, ["/text"]), text)
        self.assertEqual((await self.ask("POST", path, {"text": "x"}, "writer")).status, 403)
        none = await self.ask("POST", "/sessions/none/messages", {"text": "x"})
        self.assertEqual(none.status, 404)


class Proofs(Served, TestCase):
    async def test_tokens(self) -> None:
        made = await self.ask("POST", "/tokens", {
            "label": "ci", "scope": {"manage": True}, "expires": LATER})
        self.assertEqual(made.status, 201)
        secret, token = made.json["secret"], made.json["token"]
        self.assertEqual(token["account"], "own")
        listed = await self.ask("GET", "/tokens", proof=secret)
        self.assertEqual([each["id"] for each in listed.json], [token["id"]])
        self.assertNotIn(secret.encode(), listed.body)
        self.assertEqual((await self.ask("DELETE", f"/tokens/{token['id']}")).status, 204)
        self.assertEqual((await self.ask("GET", "/tokens", proof=secret)).status, 401)
        self.assertEqual((await self.ask("DELETE", f"/tokens/{token['id']}")).status, 404)

    async def test_scope(self) -> None:
        made = await self.ask("POST", "/tokens", {
            "label": "eye", "scope": {"view": True}, "expires": LATER})
        self.assertEqual((await self.ask("GET", "/users", proof=made.json["secret"])).status, 403)

    async def test_tokens_refused(self) -> None:
        good = {"label": "ci", "scope": {}, "expires": LATER}
        for change, fields in (
            ({"label": ""}, ["/label"]), ({"label": "a\nb"}, ["/label"]),
            ({"label": "é" * 64}, ["/label"]), ({"expires": 1}, ["/expires"]),
            ({"expires": "soon"}, ["/expires"]), ({"account": "eve"}, ["/account"]),
        ):
            answer = await self.ask("POST", "/tokens", {**good, **change})
            self.assertEqual((answer.status, answer.fields), (422, fields), change)

    async def test_invitations(self) -> None:
        made = await self.ask("POST", "/invitations", {
            "label": "tea", "rights": {"view": True}, "expires": LATER, "uses": 2})
        self.assertEqual((made.status, made.json["maker"], made.json["guests"]), (201, "own", 1))
        place, _, code = made.json["link"].partition("#")
        self.assertEqual(place, f"http://127.0.0.1:{self.port}/invite")
        secret = await self.proofs.invitations.open(code)
        listed, = (await self.ask("GET", "/invitations")).json
        self.assertEqual((listed["used"], listed["present"]), (1, 1))
        self.assertEqual((await self.ask("DELETE", f"/invitations/{listed['id']}")).status, 204)
        self.assertIsNone(self.proofs.invitations.principal(secret))
        refused = await self.ask("POST", "/invitations", {
            "label": "tea", "rights": {"manage": True}, "expires": LATER})
        self.assertEqual((refused.status, refused.fields), (422, ["/rights/manage"]))

    async def test_logins(self) -> None:
        secret = self.proofs.logins.start("reader")
        login, = (await self.ask("GET", "/logins")).json
        self.assertEqual(login["name"], "reader")
        self.assertEqual((await self.ask("DELETE", f"/logins/{login['id']}")).status, 204)
        self.assertIsNone(self.proofs.logins.principal(secret))


class Desktop(Served, TestCase):
    async def test_screenshot(self) -> None:
        answer = await self.ask("GET", "/screenshot?width=10")
        self.assertEqual(answer.headers["Content-Type"], "image/jpeg")
        self.assertEqual(answer.body[:2], b"\xff\xd8")
        bad = await self.ask("GET", "/screenshot?width=0&quality=x")
        self.assertEqual((bad.status, bad.fields), (422, ["width", "quality"]))

    async def test_screens(self) -> None:
        width, height = self.display.size
        await self.display.resize(width, height, [
            Screen(3, 0, 0, 20, height), Screen(1, 20, 0, width - 20, height)])
        self.assertEqual((await self.ask("GET", "/screens", proof="reader")).json, {
            "width": width, "height": height, "screens": [
                {"id": 1, "x": 20, "y": 0, "width": width - 20, "height": height},
                {"id": 3, "x": 0, "y": 0, "width": 20, "height": height},
            ],
        })

    async def test_clipboard(self) -> None:
        answer = await self.ask("PUT", "/clipboard", {"text": "a\r\né"}, "writer")
        self.assertEqual(answer.status, 204)
        self.assertEqual(self.display.clipboard, {"text/plain": "a\né".encode()})
        self.assertEqual((await self.ask("PUT", "/clipboard", {"text": ""}, "reader")).status, 403)
        self.assertEqual((await self.ask("DELETE", "/clipboard", proof="writer")).status, 403)
        self.assertEqual((await self.ask("DELETE", "/clipboard")).status, 204)
        self.assertEqual(self.display.clipboard, {})

    async def test_what_was_copied(self) -> None:
        self.assertEqual((await self.ask("GET", "/clipboard")).json, {"text": ""})
        self.display.copy({"text/plain": "é\n".encode(), "text/html": b"<i>"})
        self.assertEqual((await self.ask("GET", "/clipboard", proof="writer")).json,
                         {"text": "é\n"})
        self.assertEqual((await self.ask("GET", "/clipboard", proof="reader")).status, 403)
        await self.ask("DELETE", "/clipboard")
        self.assertEqual((await self.ask("GET", "/clipboard")).json, {"text": ""})
        self.display.copy({"text/plain": b"x" * (MAX_TEXT + 1)})
        self.assertEqual((await self.ask("GET", "/clipboard")).status, 409)


class SlowRequest:
    """A request whose client takes nothing."""

    finished = 0

    def __init__(self, grant: Any) -> None:
        self.grant = grant
        self.method = b"GET"
        self.gone: Deferred[None] = Deferred()
        self.written: list[bytes] = []

    def notifyFinish(self) -> Deferred[None]:
        return self.gone

    def open(self, status: int, headers: Any, length: Any) -> None:
        self.status = status

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """Nobody is told to pause any more."""

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def finish(self) -> None:
        self.finished += 1
        self.gone.callback(None)


class EventBounds(Served, TestCase):
    """What a stream may hold, and how many there may be."""

    def stream(self) -> SlowRequest:
        """Open one whose client takes nothing."""
        request = SlowRequest(self.registry.admit(Principal("own"), "desktop"))
        events = next(each for each in self.api.operations if each.name == "events")
        events.handle(Call(request, {}, {}, None))  # type: ignore[arg-type]
        return request

    def test_one_that_lets_too_much_wait_is_ended_and_nobody_else(self) -> None:
        slow = self.stream()
        for number in range(MAX_WAITING // 2):
            self.roster.left(self.join("writer"))  # type: ignore[arg-type]
        later = self.stream()
        self.assertEqual(slow.finished, 0)
        self.join("reader")
        self.assertEqual((slow.finished, later.finished), (1, 0))
        self.assertEqual([said for said in slow.written if not said.startswith(b":")], [])
        later.finish()

    def test_so_many_at_one_time(self) -> None:
        streams = [self.stream() for _ in range(MAX_STREAMS)]
        with self.assertRaises(Problem) as caught:
            self.stream()
        self.assertEqual(caught.exception.status, 503)
        self.assertEqual(list(caught.exception.headers), [(b"Retry-After", b"10")])
        streams.pop().finish()
        streams.append(self.stream())
        for stream in streams:
            stream.finish()
        self.assertEqual(len(globalLogPublisher._observers), self.observers)

    def setUp(self) -> None:
        """Count who listens to the log."""
        super().setUp()
        self.observers = len(globalLogPublisher._observers)


class Events(Served, TestCase):
    async def test_who_comes_goes_and_changes_what(self) -> None:
        ann = self.join("writer")
        connection, response = await deferToThread(opened, self.port)
        self.addCleanup(connection.close)
        self.addCleanup(response.close)
        bob = self.join("reader")
        await self.ask("PATCH", "/users/reader", {"rights": {"pointer": True}})
        self.roster.left(ann)  # type: ignore[arg-type]
        events = await deferToThread(read, response, 4)
        self.assertEqual([(kind, said["name"]) for kind, said in events], [
            ("present", "writer"), ("joined", "reader"), ("changed", "reader"),
            ("left", "writer"),
        ])
        change = events[2][1]
        self.assertEqual((change["change"], change["after"], change["by"], change["way"]),
                         ("features", "+pointer", "own", "api"))
        self.assertTrue(bob.grant.holds(Right.POINTER))

    async def test_it_ends_with_the_right(self) -> None:
        connection, response = await deferToThread(opened, self.port)
        self.addCleanup(connection.close)
        self.addCleanup(response.close)
        await self.ask("PATCH", "/users/own?force=true", {"rights": {"manage": False}})
        kinds = [kind for kind, said in await deferToThread(read, response, 99)]
        self.assertLessEqual(set(kinds), {"changed"})


class Document(Served, TestCase):
    async def test_served(self) -> None:
        answer = await self.ask("GET", "/openapi.json", proof="reader")
        self.assertEqual(answer.json, json.loads(json.dumps(document(self.api.operations))))
        self.assertEqual(answer.json["openapi"], "3.1.0")

    async def test_page(self) -> None:
        for path, kind in (("/docs", "text/html"), ("/docs.mjs", "text/javascript"),
                           ("/docs.css", "text/css"), ("/docs.svg", "image/svg+xml")):
            answer = await self.ask("GET", path, proof="reader")
            self.assertTrue(answer.headers["Content-Type"].startswith(kind))
            self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
            self.assertNotRegex(answer.body.decode(), r"(src|href)=\"https?:")

    def test_every_reference_is_there(self) -> None:
        value = document(self.api.operations)
        text = json.dumps(value)
        for part in text.split("#/components/schemas/")[1:]:
            self.assertIn(part.partition('"')[0], value["components"]["schemas"])
        names = [operation.name for operation in self.api.operations]
        self.assertEqual(len(names), len(set(names)))
