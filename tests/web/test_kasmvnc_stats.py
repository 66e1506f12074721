"""Sessions, bottlenecks and frames, over viewers of every kind."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from kasmd.errors import DisplayLost
from kasmd.interfaces import Principal
from kasmd.rfb.client import ClientSession, KasmMessageSent, Said, UpdateReceived
from kasmd.rfb.numbers import ClientMessage, Encoding, ServerMessage
from kasmd.rights import READ
from kasmd.screen.geometry import Rect
from kasmd.viewer.protocol import Viewer
from kasmd.web.kasmvnc_stats import CLIENT_SECONDS, FRAME_SECONDS, connection_id
from tests.web.owner import Served

ID = re.compile(r"192\.0\.2\.9_\d+\.\d+::websocket")


def area(program: Program) -> int:
    """Give how many pixels a program was sent."""
    updates = [event for event in program.heard if isinstance(event, UpdateReceived)]
    return sum(each.rect.area for update in updates for each in update.rectangles)


class Program:
    """A viewer program at the other end of a line in memory, which answers at once."""

    peer = "192.0.2.9:40123"
    page = ""

    def __init__(self, around: Any, name: str, kasm: bool) -> None:
        self.heard: list[Said] = []
        self.updated: Deferred[None] = Deferred()
        self.answers = True
        self._asked = False
        self._carrying = False
        self._items: list[bytes] = []
        self._client = ClientSession(kasm=kasm)
        self.viewer = Viewer(self, Principal(name), around)
        self.carry()
        self._client.send_encodings(
            [Encoding.TIGHT, Encoding.LAST_RECT, Encoding.CONTINUOUS_UPDATES, Encoding.FENCE]
            + [Encoding.KASM_DISCONNECT_NOTICE] * kasm
        )
        self._client.send_continuous_updates(True, Rect(0, 0, 320, 200))
        self.carry()

    def carry(self) -> None:
        """Carry all that was said, both ways."""
        if self._carrying:
            return
        self._carrying = True
        while True:
            said = self._client.data_to_send()
            told, self._items = self._items, []
            if not said and not told:
                break
            for item in said:
                self.viewer.received(item)
            for item in told:
                self._client.receive_data(item)
                for event in self._client.events_received():
                    self._hear(event)
        self._carrying = False

    def _hear(self, event: Said) -> None:
        self.heard.append(event)
        if isinstance(event, KasmMessageSent):
            self._asked |= event.number == ServerMessage.REQUEST_FRAME_STATS
        if isinstance(event, UpdateReceived):
            waiting, self.updated = self.updated, Deferred()
            waiting.callback(None)
            if self._asked and self.answers:
                # Kasm's client tells its figures after the next picture.
                self._asked = False
                head = bytes([ClientMessage.FRAME_STATS, 0, 0, 0])
                self._client.send(head + bytes([0, 0, 0, 60, 0, 0, 0, 4]))

    def asked(self) -> int:
        """Count the questions for figures."""
        return sum(
            isinstance(event, KasmMessageSent)
            and event.number == ServerMessage.REQUEST_FRAME_STATS
            for event in self.heard
        )

    # What carries the viewer's bytes.

    def send(self, data: bytes) -> None:
        self._items.append(data)
        self.carry() if hasattr(self, "viewer") else None

    def register_producer(self, producer: IPushProducer) -> None:
        """Never full."""

    def start_tls(self, certificate: bool) -> None:
        raise ValueError

    def close(self, code: int, reason: str) -> None:
        """Nothing more comes."""

    def abort(self) -> None:
        """Nothing more comes."""


class Watched(Served):
    """A site that programs watch."""

    def watch(self, name: str, kasm: bool = True) -> Program:
        program = Program(self.around, name, kasm)
        self.addCleanup(program.viewer.lost, "the test is over")  # type: ignore[attr-defined]
        return program


class StatsTests(Watched, TestCase):
    """On the port."""

    async def test_sessions_newest_first(self) -> None:
        for number, name in enumerate(("reader", "writer", "writer")):
            self.watch(name).viewer.connected_at = 1_000_000_000.7 + number
        answer = await self.get("get_sessions")
        self.assertEqual(answer.type, "text/plain")
        self.assertEqual(answer.json, {"users": [
            {"username": "writer", "connected_since": "2001-09-09 01:46:42"},
            {"username": "writer", "connected_since": "2001-09-09 01:46:41"},
            {"username": "reader", "connected_since": "2001-09-09 01:46:40"},
        ]})

    async def test_sessions_forget_the_last_one_too(self) -> None:
        program = self.watch("writer")
        self.assertEqual(len((await self.get("get_sessions")).json["users"]), 1)
        program.viewer.lost("gone")
        self.assertEqual((await self.get("get_sessions")).json, {"users": []})

    async def test_names_are_cleaned_as_kasmvnc_cleans_them(self) -> None:
        account = self.accounts.accounts()["writer"]
        await self.accounts.put(account._replace(name='a.b"c@example.com'))
        self.watch('a.b"c@example.com')
        (user,) = (await self.get("get_sessions")).json["users"]
        self.assertEqual(user["username"], 'a_b"c')

    async def test_bottlenecks(self) -> None:
        first, second, other = self.watch("writer"), self.watch("writer"), self.watch("reader")
        first.viewer.measures.encoded(1000.0)
        first.viewer.measures.updated(0.0)
        value = (await self.get("get_bottleneck_stats")).json
        self.assertEqual(set(value), {"writer", "reader"})
        self.assertEqual(len(value["writer"]), 2)
        for connections in value.values():
            for name, scores in connections.items():
                self.assertRegex(name, ID)
                self.assertEqual(len(scores), 4)
                self.assertTrue(all(0 <= score <= 10 for score in scores))
        scores = value["writer"][connection_id(first.viewer)]
        self.assertEqual(scores[1], 0.0)
        self.assertEqual(value["writer"][connection_id(second.viewer)], [10.0] * 4)
        other.viewer.lost("gone")
        self.assertEqual(set((await self.get("get_bottleneck_stats")).json), {"writer"})

    async def test_a_full_frame_reaches_everyone_who_may_see(self) -> None:
        programs = [self.watch("writer"), self.watch("reader", kasm=False)]
        blind = self.watch("nobody")
        for program in programs:
            while area(program) < 320 * 200:
                await deferLater(reactor, 0)
            program.heard.clear()
        coming = [program.updated for program in programs]
        self.assertEqual((await self.get("send_full_frame")).body, b"200 OK")
        for each in coming:
            await each
        for program in programs:
            self.assertEqual(area(program), 320 * 200)
        self.assertFalse([e for e in blind.heard if isinstance(e, UpdateReceived)])

    async def test_a_right_that_is_taken_is_gone_when_that_is_answered(self) -> None:
        program = self.watch("writer")
        await self.get("update_user?name=writer&read=false")
        program.heard.clear()
        self.display.fill((9, 9, 9))
        self.display.copy({"text/plain": b"secret"})
        program.viewer.repaint()
        self.assertEqual(program.heard, [])
        coming = program.updated
        await self.get("update_user?name=writer&read=true")
        await coming
        await self.get("remove_user?name=writer")
        self.assertEqual(self.roster.viewers(), ())
        self.assertTrue([event for event in program.heard if isinstance(event, KasmMessageSent)
                         and event.number == ServerMessage.SERVER_DISCONNECT])

    async def test_the_clipboard_is_cleared_everywhere(self) -> None:
        self.display.copy({"text/plain": b"secret"})
        writer, reader = self.watch("writer"), self.watch("reader")
        writer.heard.clear(), reader.heard.clear()
        self.assertEqual((await self.get("clear_clipboard")).body, b"200 OK")
        self.assertEqual(self.display.clipboard, {})
        sent = [event.body for event in writer.heard if isinstance(event, KasmMessageSent)
                and event.number == ServerMessage.BINARY_CLIPBOARD]
        self.assertEqual(len(sent), 1)
        self.assertTrue(sent[0].endswith(b"\x0atext/plain\0\0\0\0"), sent)
        self.assertFalse([e for e in reader.heard if isinstance(e, KasmMessageSent)])

    # Frames.

    async def test_the_shape_of_a_still_screens_frame(self) -> None:
        self.display.fill((10, 200, 30))
        answer = await self.get("get_frame_stats?client=none")
        self.assertEqual((answer.status, answer.type), (200, "text/plain"))
        value = answer.json
        self.assertEqual(list(value), ["frame", "server_side", "client_side"])
        self.assertEqual(list(value["frame"]), ["resx", "resy", "changed", "server_time"])
        self.assertEqual([value["frame"][key] for key in ("resx", "resy", "changed")],
                         [320, 200, 100])
        self.assertEqual([list(stage) for stage in value["server_side"]], [
            ["process_name", "time"],
            ["process_name", "time"],
            ["process_name", "time", "videoscaling"],
            ["process_name", "time", "count", "area"],
            ["process_name", "time", "count", "area"],
        ])
        self.assertEqual([stage["process_name"] for stage in value["server_side"]], [
            "Analysis", "Screenshot", "Encoding_total", "TightJPEGEncoder", "TightWEBPEncoder",
        ])
        numbers = [number for stage in value["server_side"] for number in stage.values()
                   if not isinstance(number, str)]
        self.assertTrue(all(type(number) is int and number >= 0 for number in numbers))
        self.assertEqual(value["client_side"], [])

    async def test_which_clients_are_asked(self) -> None:
        account = self.accounts.accounts()["own"]
        await self.accounts.put(account._replace(rights=account.rights | READ))
        owner, writer = self.watch("own"), self.watch("writer")
        foreign = self.watch("writer", kasm=False)
        ids = {program: connection_id(program.viewer) for program in (owner, writer, foreign)}
        for wanted, expected in (
            ("none", set()),
            ("auto", {owner}),
            ("all", {owner, writer}),
            (ids[writer], {writer}),
            (f"writer@{ids[writer]}", {writer}),
            ("192.0.2.9", {owner, writer}),
            ("198.51.100.1", set()),
        ):
            value = (await self.get(f"get_frame_stats?client={wanted}")).json
            names = [client["client"] for client in value["client_side"]]
            self.assertEqual(sorted(names), sorted(ids[each] for each in expected), wanted)
        self.assertEqual(foreign.asked(), 0)
        self.assertEqual(list(value), ["frame", "server_side", "client_side"])

    async def test_what_a_client_tells(self) -> None:
        self.watch("writer")
        value = (await self.get("get_frame_stats?client=all")).json
        (client,) = value["client_side"]
        self.assertEqual(list(client), ["client", "client_time", "ping", "processes"])
        self.assertEqual(client["client_time"], 60)
        self.assertEqual(client["processes"], [{"process_name": "scanRenderQ", "time": 4}])
        self.assertIs(type(client["ping"]), int)

    async def test_auto_without_an_owner_is_none(self) -> None:
        writer = self.watch("writer")
        value = (await self.get("get_frame_stats?client=auto")).json
        self.assertEqual((value["client_side"], writer.asked()), ([], 0))

    async def test_a_display_that_is_gone(self) -> None:
        def gone() -> Any:
            raise DisplayLost("gone")

        self.display.screenshot = gone  # type: ignore[method-assign]
        self.watch("writer")
        answer = await self.get("get_frame_stats?client=all")
        self.assertEqual(answer.status, 503)


class PatienceTests(Watched, TestCase):
    """Time is the test's."""

    def setUp(self) -> None:
        self.clock = Clock()
        super().setUp()

    async def test_who_does_not_answer_is_left_out_and_holds_nobody_up(self) -> None:
        silent = self.watch("writer")
        silent.answers = False
        slow = self.get("get_frame_stats?client=all")
        while not silent.asked():
            await deferLater(reactor, 0)  # type: ignore[arg-type]
        quick = await self.get("get_frame_stats?client=none")
        self.assertEqual(quick.status, 200)
        self.assertFalse(slow.called)
        self.clock.advance(CLIENT_SECONDS)
        self.assertEqual((await slow).json["client_side"], [])

    async def test_a_display_that_does_not_answer(self) -> None:
        asked: Deferred[None] = Deferred()

        def silent() -> Deferred[Any]:
            reactor.callLater(0, asked.callback, None)  # type: ignore[attr-defined]
            return Deferred()

        self.display.screenshot = silent  # type: ignore[method-assign]
        waiting = self.get("get_frame_stats?client=none")
        await asked
        self.clock.advance(FRAME_SECONDS)
        answer = await waiting
        self.assertEqual((answer.status, answer.body), (503, b"503 Service Unavailable"))
