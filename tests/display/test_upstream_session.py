"""What becomes of an upstream that is slow, odd or restless."""

from __future__ import annotations

import struct
from typing import Sequence

from twisted.internet import reactor

from kasmd.display.recorder import Recorder
from kasmd.errors import DisplayLost
from kasmd.rfb import clipboard, update
from kasmd.rfb.limits import Limits
from kasmd.rfb.numbers import Encoding
from kasmd.rfb.standard import server_cut_text
from kasmd.screen.geometry import Rect, Screen
from tests.display.upstreams import (
    BOMB,
    NO_LOGIN,
    SECONDS,
    VERSION,
    WHOLE,
    Case,
    greeting,
    init,
    one,
    picture,
    pixel,
)


def layout(screens: Sequence[Screen]) -> bytes:
    """Give the rectangle that tells them, in this order."""
    parts = b"".join(update.SCREEN.pack(*screen) for screen in screens)
    payload = update.SCREENS.pack(len(screens)) + parts
    return update.rectangle(WHOLE._replace(x=0, y=0), Encoding.EXTENDED_DESKTOP_SIZE, payload)


class FaultTests(Case):
    async def test_nobody_listens(self) -> None:
        """It is tried again until somebody does."""
        liar = self.lie(greeting(50))
        place = liar.place
        await liar._port.stopListening()
        display = self.display(place)
        with self.assertRaisesRegex(DisplayLost, "refused"):
            await display.connect().addTimeout(SECONDS, reactor)

    async def test_it_closes_in_the_middle_and_restarts_with_another_size(self) -> None:
        larger = VERSION + NO_LOGIN + init(60, 50) + one(Rect(59, 49, 1, 1), 0, b"\x07\x07\x07\0")
        liar, display, recorder = await self.connected(greeting(50), larger)
        lost = recorder.next("display_lost").addTimeout(SECONDS, reactor)
        changed = recorder.next("changed").addTimeout(SECONDS, reactor)
        liar.talkers[0].say(update.update_header(1) + update.rectangle(WHOLE, 0, bytes(99)))
        liar.talkers[0].transport.loseConnection()
        self.assertEqual(await lost, ("it closed the connection",))
        await changed
        self.assertEqual(display.size, (60, 50))
        self.assertEqual((pixel(display), pixel(display, 59, 49)), (50, 7))

    async def test_a_storm_of_sizes_is_told_now_and_then(self) -> None:
        liar, display, recorder = await self.connected(greeting(50))
        last = recorder.next("resized", lambda w, h, s: (w, h) == (40, 1030))
        before = len(recorder.named("resized"))
        for height in range(31, 1031):
            liar.talkers[0].say(one(Rect(0, 0, 40, height), Encoding.DESKTOP_SIZE))
        await last.addTimeout(SECONDS, reactor)
        self.assertLess(len(recorder.named("resized")) - before, 100)

    async def test_layouts_that_cannot_be_are_made_to_fit(self) -> None:
        """Whatever it says of its screens, viewers are told a layout."""
        liar, display, recorder = await self.connected(greeting(50))
        good = Screen(9, 3, 4, 10, 20, 7)
        for screens, shown in (
            ([good], (good,)),
            ([Screen(n, n, n, 65535, 65535) for n in range(255)],
             tuple(Screen(n, n, n, 40 - n, 30 - n) for n in range(4))),
            ([good, good, Screen(3, 40, 0, 1, 1), Screen(4, 0, 0, 0, 0)], (good,)),
            ([Screen(3, 65535, 65535, 65535, 65535)], (Screen(0, 0, 0, 40, 30),)),
            ([Screen(4, 0, 0, 40, 30)], (Screen(4, 0, 0, 40, 30),)),
            ([], (Screen(0, 0, 0, 40, 30),)),
        ):
            told = recorder.next("resized").addTimeout(SECONDS, reactor)
            liar.talkers[0].say(update.update_header(1) + layout(screens))
            self.assertEqual(await told, (40, 30, shown))
            self.assertEqual(display.screens, shown)
        self.assertEqual(pixel(display), 50)

    async def test_a_size_that_is_told_again_is_not_asked_for_again(self) -> None:
        """An upstream that tells it with each whole picture would never come to rest."""
        liar, display, recorder = await self.connected(greeting(50))
        talker = liar.talkers[0]
        whole = b"\x03\x00" + struct.pack(">4H", *WHOLE)
        await talker.hears(whole)
        before = talker.heard.count(whole)
        last = recorder.next("resized", lambda width, height, screens: screens[0].ident == 9)
        for ident in range(10):
            talker.say(update.update_header(1) + layout([Screen(ident, *WHOLE)]))
        await last.addTimeout(SECONDS, reactor)
        talker.say(b"\xf8\0\0\0\x80\0\0\x01\x02hi")
        await talker.hears(b"\0\0\0\x01\x02hi")
        self.assertEqual(talker.heard.count(whole), before)

    async def test_pixels_wait_for_their_size(self) -> None:
        liar, display, recorder = await self.connected(greeting(50))
        changed = recorder.next("changed", lambda region, moves: pixel(display, 0, 59) == 3)
        for height in (40, 60):
            liar.talkers[0].say(one(Rect(0, 0, 40, height), Encoding.DESKTOP_SIZE))
        liar.talkers[0].say(one(Rect(0, 59, 1, 1), 0, b"\x03\x03\x03\0"))
        await changed.addTimeout(SECONDS, reactor)

    async def test_a_bell_without_end_is_rung_now_and_then(self) -> None:
        liar, display, recorder = await self.connected(greeting(50))
        seen = recorder.next("changed").addTimeout(SECONDS, reactor)
        liar.talkers[0].say(b"\x02" * 100000 + picture(51))
        await seen
        self.assertLess(len(recorder.named("bell_rung")), 100)

    async def test_a_clipboard_bomb_is_dropped(self) -> None:
        liar, display, recorder = await self.connected(greeting(50))
        offered = recorder.next("clipboard_offered").addTimeout(SECONDS, reactor)
        long = server_cut_text("x" * (Limits().inflated + 1))
        liar.talkers[0].say(clipboard.message(1 << 28 | 1, BOMB) + long + server_cut_text("small"))
        self.assertEqual(await offered, ({"text/plain": b"small"},))

    async def test_one_that_reads_nothing_is_given_up(self) -> None:
        liar, display, recorder = await self.connected(greeting(50), greeting(60))
        lost = recorder.next("display_lost").addTimeout(SECONDS, reactor)
        liar.talkers[0].transport.pauseProducing()
        for _ in range(100):
            display.offer_clipboard({"text/plain": b"a" * (1 << 20)})
        self.assertEqual(await lost, ("it does not read what it is sent",))

    async def test_an_unwatched_upstream_is_asked_for_nothing(self) -> None:
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        await display.connect().addTimeout(SECONDS, reactor)
        talker = liar.talkers[0]
        asked = b"\x03\x01" + struct.pack(">4H", *WHOLE)
        # The fence's answer comes behind all that was said before.
        talker.say(b"\xf8\0\0\0\x80\0\0\x01\x02hi")
        await talker.hears(b"\0\0\0\x01\x02hi")
        self.assertNotIn(asked, talker.heard)
        self.watch(display)
        await talker.hears(asked)

    async def test_continuous_updates_are_used_where_there_are_any(self) -> None:
        liar = self.lie(greeting(50) + b"\x96")
        display = self.display(liar.place)
        end = display.observe(Recorder())
        await display.connect().addTimeout(SECONDS, reactor)
        await liar.talkers[0].hears(b"\x96\x01" + struct.pack(">4H", *WHOLE))
        end()
        await liar.talkers[0].hears(b"\x96\x00" + struct.pack(">4H", *WHOLE))

    async def test_old_versions(self) -> None:
        """3.3 and 3.7 without a result for None; Apple's 3.889 as 3.8."""
        for hello, login, answered in (
            (b"RFB 003.003\n", b"\0\0\0\x01", b"RFB 003.003\n"),
            (b"RFB 003.007\n", b"\x01\x01", b"RFB 003.007\n"),
            (b"RFB 003.889\n", NO_LOGIN, VERSION),
        ):
            liar = self.lie(hello + login + init() + picture(50))
            display = self.display(liar.place)
            await display.connect().addTimeout(SECONDS, reactor)
            await liar.talkers[0].hears(answered)
            self.assertEqual(pixel(display), 50)
