"""What is asked is answered, whatever becomes of it; when an X server counts as silent."""

from __future__ import annotations

import signal

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from xcffib.xproto import CW, Atom, EventMask, PropMode

from kasmd.display.x11_connect import open_connection
from kasmd.display.x11_connection import EVENTS_AT_ONCE, PATIENCE_SECONDS, XConnection
from kasmd.errors import DisplayLost
from tests.display.x11_desktops import Desktop
from tests.edge.far import Still


class AnswersTests(Desktop):
    """On a real Xvfb."""

    async def connection(self) -> XConnection:
        """Connect."""
        xcb, _ = await open_connection(
            reactor, self.display.where, self.service.authority, lambda xcb: None
        )
        connection = XConnection(reactor, xcb)
        self.addCleanup(connection.close)
        return connection

    async def test_a_reply_comes_as_its_bytes(self) -> None:
        connection, answered = await self.connection(), Deferred()
        connection.ask(connection.core.GetInputFocus().sequence, answered.callback)
        reply = await answered
        self.assertEqual((len(reply), reply[0]), (32, 1))

    async def test_who_asks_hears_of_the_end(self) -> None:
        connection, heard = await self.connection(), list[bytes | Failure]()
        connection.ask(connection.core.GetInputFocus().sequence, heard.append)
        connection.close()
        connection.ask(connection.core.GetInputFocus().sequence, heard.append)
        self.assertEqual([failure.type for failure in heard], [DisplayLost, DisplayLost])

    async def test_one_who_fails_to_hear_it_keeps_no_other_waiting(self) -> None:
        def fail(reply: bytes | Failure) -> None:
            raise RuntimeError("on purpose")

        connection = await self.connection()
        connection.ask(connection.core.GetInputFocus().sequence, fail)
        await connection.sync()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_the_error_of_a_request_that_nobody_checks_is_told_and_no_event_is_lost(
        self
    ) -> None:
        connection, heard, told = await self.connection(), list[object](), list[str]()
        root = connection.xcb.setup.roots[0].root
        connection.on_event = heard.append

        def note(event: LogEvent) -> None:
            told.append(formatEvent(event))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)
        core = connection.core
        core.ChangeWindowAttributes(root, CW.EventMask, [EventMask.PropertyChange])
        for _ in range(2):
            core.ChangeProperty(PropMode.Replace, root, Atom.WM_NAME, Atom.STRING, 8, 1, b"x")
            core.DestroyWindow(1)
        await connection.sync()
        await connection.sync()
        self.assertEqual(len(heard), 2)
        self.assertEqual(
            [line for line in told if "reports" in line],
            2 * ["the X server reports WindowError for request 4.0"],
        )

    async def test_one_event_that_is_not_borne_costs_no_other(self) -> None:
        connection, heard = await self.connection(), list[object]()
        root = connection.xcb.setup.roots[0].root

        def hear(event: object) -> None:
            heard.append(event)
            if len(heard) == 1:
                raise RuntimeError("on purpose")

        connection.on_event = hear
        core = connection.core
        core.ChangeWindowAttributes(root, CW.EventMask, [EventMask.PropertyChange])
        for _ in range(3):
            core.ChangeProperty(PropMode.Replace, root, Atom.WM_NAME, Atom.STRING, 8, 1, b"x")
        await connection.sync()
        await connection.sync()
        self.assertEqual(len(heard), 3)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_a_flood_of_events_lets_the_reactor_turn(self) -> None:
        connection, count = await self.connection(), 8 * EVENTS_AT_ONCE
        root = connection.xcb.setup.roots[0].root
        hear = [EventMask.PropertyChange]
        connection.core.ChangeWindowAttributes(root, CW.EventMask, hear)
        await connection.sync()
        turns, all_heard, waiting = [0], Deferred[None](), list[object]()

        def hear_one(event: object) -> None:
            # Something is asked all the time, as pictures are.
            if not waiting:
                waiting.append(event)
                asked = connection.core.GetInputFocus().sequence
                connection.ask(asked, lambda reply: waiting.clear())
            turns[-1] += 1
            if sum(turns) == count:
                all_heard.callback(None)

        connection.on_event = hear_one
        other, _ = await open_connection(
            reactor, self.display.where, self.service.authority, lambda xcb: None
        )
        self.addCleanup(other.disconnect)
        for _ in range(count):
            other.core.ChangeProperty(PropMode.Append, root, Atom.WM_NAME, Atom.STRING, 8, 0, b"")
        # In this very turn, so that all of them wait.
        other.core.GetInputFocus().reply()
        turning = LoopingCall(turns.append, 0)
        turning.start(0, now=False)
        self.addCleanup(turning.stop)
        await all_heard
        # The timer and the socket may each have so many taken in one turn.
        self.assertLess(max(turns), count // 2)


class SilenceTests(Desktop):
    """On a real Xvfb that is stopped, by a clock that stands still."""

    async def asked(self) -> tuple[XConnection, Still, list[bool]]:
        """Stop the X server and ask it; give the connection, its clock, and what is said."""
        clock, said = Still(), []
        xcb, _ = await open_connection(
            clock, self.display.where, self.service.authority, lambda xcb: None
        )
        connection = XConnection(clock, xcb)
        self.addCleanup(connection.close)
        connection.on_silence = said.append
        self.signal_xvfb(signal.SIGSTOP)
        self.addCleanup(self.signal_xvfb, signal.SIGCONT)
        self.answer = connection.sync()
        return connection, clock, said

    async def test_it_is_told_that_a_reply_is_overdue_and_that_it_came(self) -> None:
        connection, clock, said = await self.asked()
        clock.advance(PATIENCE_SECONDS)
        self.assertEqual((connection.silent, said), (True, [True]))
        self.signal_xvfb(signal.SIGCONT)
        await self.answer
        self.assertEqual((connection.silent, said), (False, [True, False]))

    async def test_who_stood_still_himself_gives_it_more_time(self) -> None:
        _, clock, said = await self.asked()
        clock.advance(10 * PATIENCE_SECONDS)
        self.assertEqual(said, [])
        clock.advance(PATIENCE_SECONDS)
        self.assertEqual(said, [True])
        self.signal_xvfb(signal.SIGCONT)
        await self.answer
