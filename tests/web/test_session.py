"""Who I am and who is here, now and as it changes."""

import json
import socket
from functools import partial

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.display.memory import MemoryDisplay
from kasmd.http.server import HttpFactory, Limits
from kasmd.interfaces import Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.rights import NOTHING, READ, WRITE
from kasmd.viewer.roster import Roster
from kasmd.web.pages import Page, Pages
from kasmd.web.session import MAX_STREAMS_OF_ONE, DocumentStream, Session

PAGE, OTHER = "a" * 32, "0123456789abcdef" * 2


class Present:
    """A viewer as far as the roster looks."""

    peer = "10.0.0.1:1"

    def __init__(self, name, since, page=""):
        self.name, self.connected_at, self.page = name, since, page


class Client:
    """Asks for a path and reads line by line, blocking, in a thread."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.sendall(b"GET " + path + b" HTTP/1.0\r\n\r\n")
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = []
        while (line := self.file.readline()) != b"\r\n":
            self.headers.append(line.strip())

    def event(self):
        """Give the next document, None at the end."""
        kind = b""
        while line := self.file.readline():
            if line.startswith(b"event: "):
                kind = line[7:].strip()
            elif line.startswith(b"data: "):
                value = json.loads(line[6:])
                return (kind.decode(), value) if kind else value
        return None

    def close(self):
        self.file.close()
        self.socket.close()


class SessionTests(TestCase):
    def setUp(self):
        self.registry = MemoryRegistry({"ann": READ, "bob": NOTHING})
        self.roster = Roster()
        self.pages = Pages()
        self.desktop = MemoryDisplay(64, 48)
        self.session = Session(reactor, self.roster, self.pages, self.desktop)
        factory = HttpFactory(reactor, self.respond, (), Limits())
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.number = port.getHost().port

    def respond(self, request):
        name, _, what = request.path[1:].decode().partition("/")
        request.principal = Principal(name)
        request.grant = self.registry.admit(request.principal, "desktop")
        return {"me": self.session.me, "events": self.session.events}[what](request)

    async def open(self, path):
        client = await deferToThread(Client, self.number, path)
        self.addCleanup(client.close)
        return client

    async def test_me(self):
        self.roster.joined(Present("ann", 12.5))
        client = await self.open(b"/ann/me")
        self.assertIn(b"Content-Type: application/json", client.headers)
        self.assertEqual(
            json.loads(await deferToThread(client.file.read)),
            {
                "name": "ann",
                "proof": "password",
                "rights": ["enter", "view"],
                "reached": True,
                "viewers": [{"name": "ann", "since": 12.5, "you": False}],
            },
        )

    async def test_events_follow_rights_and_roster(self):
        client = await self.open(b"/ann/events")
        self.assertIn(b"Content-Type: text/event-stream", client.headers)
        first = await deferToThread(client.event)
        self.assertEqual((first["rights"], first["viewers"]), (["enter", "view"], []))
        self.registry.set("ann", WRITE)
        self.assertIn("keyboard", (await deferToThread(client.event))["rights"])
        bob = Present("bob", 1.0)
        self.roster.joined(bob)
        seen = (await deferToThread(client.event))["viewers"]
        self.assertEqual(seen, [{"name": "bob", "since": 1.0, "you": False}])
        self.roster.left(bob)
        self.assertEqual((await deferToThread(client.event))["viewers"], [])

    async def test_events_tell_whether_the_desktop_answers(self):
        self.desktop.lose("unplugged")
        client = await self.open(b"/ann/events")
        self.assertFalse((await deferToThread(client.event))["reached"])
        self.desktop.come_back()
        self.assertTrue((await deferToThread(client.event))["reached"])
        self.desktop.lose("unplugged")
        self.assertFalse((await deferToThread(client.event))["reached"])

    async def test_two_pages_of_one_account_each_know_themselves(self):
        mine, other = Present("ann", 1.0, PAGE), Present("ann", 2.0, OTHER)
        for viewer in (mine, other, Present("bob", 3.0, PAGE)):
            self.roster.joined(viewer)
        for page, you in ((PAGE, [True, False, False]), (OTHER, [False, True, False])):
            client = await self.open(b"/ann/events?page=" + page.encode())
            document = await deferToThread(client.event)
            self.assertEqual([viewer["you"] for viewer in document["viewers"]], you)

    async def test_a_message_goes_to_its_page_alone(self):
        mine, other = Present("ann", 1.0, PAGE), Present("ann", 2.0, OTHER)
        first = await self.open(b"/ann/events?page=" + PAGE.encode())
        await deferToThread(first.event)
        thief = await self.open(b"/bob/events?page=" + PAGE.encode())
        await deferToThread(thief.event)
        self.assertTrue(self.pages.tell(mine, {"from": "own", "text": "<tea>"}))
        self.assertEqual(await deferToThread(first.event),
                         ("notice", {"from": "own", "text": "<tea>"}))
        self.assertFalse(self.pages.tell(other, {"text": "nobody"}))
        self.assertFalse(self.pages.tell(Present("ann", 1.0), {"text": "no page"}))
        self.registry.remove("bob")
        self.assertEqual((await deferToThread(thief.event))["rights"], [])

    async def test_a_page_that_is_closed_or_opened_anew(self):
        mine = Present("ann", 1.0, PAGE)
        first = await self.open(b"/ann/events?page=" + PAGE.encode())
        second = await self.open(b"/ann/events?page=" + PAGE.encode())
        await deferToThread(second.event)
        first.close()
        while self.session._streams["ann"] > 1:
            await deferLater(reactor, 0)
        self.assertTrue(self.pages.tell(mine, {"text": "again"}))
        second.close()
        while "ann" in self.session._streams:
            await deferLater(reactor, 0)
        self.assertFalse(self.pages.tell(mine, {"text": "late"}))

    async def test_a_name_that_is_none_is_no_page(self):
        for name in (b"", b"%FF", b"x" * 32, PAGE[1:].encode()):
            client = await self.open(b"/ann/events?page=" + name)
            await deferToThread(client.event)
        self.assertEqual(self.pages._shows, {})

    async def test_many_changes_at_once_are_one_event(self):
        client = await self.open(b"/ann/events")
        await deferToThread(client.event)
        for number in range(20):
            self.roster.joined(Present(f"guest {number}", 1.0))
        self.assertEqual(len((await deferToThread(client.event))["viewers"]), 20)

    async def test_the_stream_of_a_removed_account_ends(self):
        client = await self.open(b"/bob/events")
        await deferToThread(client.event)
        self.registry.remove("bob")
        self.assertEqual((await deferToThread(client.event))["rights"], [])
        self.assertIsNone(await deferToThread(client.event))

    async def test_streams_of_one_account_are_counted(self):
        for _ in range(MAX_STREAMS_OF_ONE):
            await self.open(b"/ann/events")
        self.assertEqual((await self.open(b"/ann/events")).status, 503)
        self.assertEqual((await self.open(b"/bob/events")).status, 200)


class SlowRequest:
    """A request whose client does not read."""

    def __init__(self, grant):
        self.grant = grant
        self.written = []

    def notifyFinish(self):
        self.gone = Deferred()
        return self.gone

    def registerProducer(self, producer, streaming):
        self.producer = producer

    def unregisterProducer(self):
        self.producer = None

    def write(self, data):
        self.written.append(data)

    def finish(self):
        self.gone.callback(None)


class SlowTests(TestCase):
    def setUp(self):
        self.clock, self.roster = Clock(), Roster()
        self.registry = MemoryRegistry({"ann": READ})
        self.request = SlowRequest(self.registry.admit(Principal("ann"), "desktop"))
        session = Session(self.clock, self.roster, Pages())
        document = partial(session.document, "login", Page("ann", PAGE))
        self.stream = DocumentStream(self.clock, self.request, document, [self.roster.watch])
        self.stream.start()
        self.stream.pauseProducing()

    def test_who_takes_nothing_is_let_go_with_his_rights(self):
        self.registry.remove("ann")
        self.clock.advance(1)
        self.assertTrue(self.request.gone.called)
        self.assertEqual((len(self.request.written), self.clock.getDelayedCalls()), (1, []))

    def test_what_is_not_taken_is_not_queued(self):
        clock, roster, request, stream = self.clock, self.roster, self.request, self.stream
        self.assertFalse(stream.show({"text": "lost"}))
        for number in range(50):
            roster.joined(Present(f"guest {number}", 1.0))
            clock.advance(1)
        self.assertEqual(len(request.written), 1)
        request.producer.resumeProducing()
        clock.advance(1)
        self.assertEqual(len(request.written), 2)
        self.assertIn(b"guest 49", request.written[1])
        clock.advance(20)
        # Not as a comment: a page is told of events only.
        self.assertEqual(request.written[2], b"event: here\ndata:\n\n")
        request.gone.callback(None)
        self.assertEqual(clock.getDelayedCalls(), [])
