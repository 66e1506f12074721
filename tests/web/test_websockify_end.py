"""A websocket that is over does not wait for the garbage collector."""

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.web.websockify import Timing, Websocket
from tests.garbage import uncollected
from tests.web.test_websockify import BINARY, PING, Served, frame


class Tests(Served, TestCase):
    timing = Timing(ping=0.05, dead=0.2)

    def setUp(self):
        super().setUp()
        self.left = uncollected(self, Websocket)

    async def check(self, talk):
        """Look, when that is over which ``talk`` has a client say."""
        client = await self.connect()
        await deferToThread(talk, client)
        self.assertEqual(self.left(), 1)
        await self.viewers[0].gone
        self.viewers.clear()
        # What told of the end returns.
        await deferLater(reactor, 0)
        self.assertEqual(self.left(), 0)

    async def test_one_that_was_closed(self):
        def talk(client):
            client.socket.sendall(frame(BINARY, b"one"))
            while client.receive()[0] != PING:
                pass
            client.close()

        await self.check(talk)

    async def test_one_that_fell_silent(self):
        await self.check(lambda client: client.socket.sendall(frame(BINARY, b"one")))
