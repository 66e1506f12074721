"""The clipboard, with xclip on a real Xvfb."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from typing import Any, Optional

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.display.recorder import Recorder
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.x11 import X11Display
from kasmd.display.x11_selection import MAX_TRANSFERS, STALL_SECONDS

SECONDS = 60
LIMIT = 4 << 20
_REFUSED = "a copy on the desktop was not taken: it is too large"


class Xclip(ProcessProtocol):
    """One run of xclip: ``done`` fires with what it wrote when it ends."""

    def __init__(self, given: Optional[bytes]) -> None:
        self.done: Deferred[bytes] = Deferred()
        self.started: Deferred[None] = Deferred()
        self.given = given
        self.output = b""

    def connectionMade(self) -> None:
        """Give the input."""
        if self.given is not None:
            self.transport.write(self.given)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        """Collect."""
        self.output += data

    def processEnded(self, reason: Failure) -> None:
        """Tell."""
        self.done.callback(self.output)


class ClipboardTests(TestCase):
    """Both ways."""

    timeout = 120

    async def setUp(self) -> None:
        """Start Xvfb, a display and an observer."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory, True)
        self.display = X11Display(reactor, "", clipboard_bytes=LIMIT)
        self.service = DesktopService(
            reactor,
            DesktopSettings(directory, 640, 480, 640, 480, window_manager=(), terminal=()),
            self.display,
        )
        self.service.startService()
        self.addCleanup(self.service.stopService)
        await self.service.ready
        self.recorder = Recorder()
        self.addCleanup(self.display.observe(self.recorder))

    def xclip(self, *options: str, given: Optional[bytes] = None) -> Xclip:
        """Run xclip on the test's display; it ends with the test."""
        protocol = Xclip(given)
        environment = {
            **os.environ, "DISPLAY": self.display.where, "XAUTHORITY": self.service.authority
        }
        argv = ["xclip", "-selection", "clipboard", *options]
        process = reactor.spawnProcess(protocol, "xclip", argv, environment)

        def end() -> Deferred[bytes]:
            if process.pid is not None:
                process.signalProcess("KILL")
            return protocol.done

        self.addCleanup(end)
        return protocol

    async def offer(self, **content: bytes) -> None:
        """Offer ``kind_subkind`` contents, and wait until the X server knows."""
        self.display.offer_clipboard(
            {kind.replace("_", "/"): data for kind, data in content.items()}
        )
        assert self.display._session is not None
        await self.display._session.connection.sync()

    def offered(self) -> Deferred[Any]:
        """Wait for a copy to be told."""
        return self.recorder.next("clipboard_offered").addTimeout(SECONDS, reactor)

    async def paste(self, *options: str) -> bytes:
        """Paste as a program would."""
        done = self.xclip("-out", *options).done
        return await done.addTimeout(SECONDS, reactor)

    async def test_a_copy_is_told(self) -> None:
        """UTF-8 text, with LF line ends."""
        offered = self.offered()
        self.xclip("-in", "-quiet", given="Grüße,\r\n中 😀".encode())
        self.assertEqual(await offered, ({"text/plain": "Grüße,\n中 😀".encode()},))

    async def test_a_large_copy_is_told(self) -> None:
        """Three megabytes come by INCR."""
        text = random.Random(1).randbytes(1500000).hex().encode()
        offered = self.offered()
        self.xclip("-in", "-quiet", given=text)
        ((content),) = await offered
        self.assertEqual(content["text/plain"], text)

    async def test_a_picture_is_told(self) -> None:
        """Its kind is the MIME type."""
        offered = self.offered()
        self.xclip("-in", "-quiet", "-target", "image/png", given=b"\x89PNG\r\n\x1a\nxyz")
        self.assertEqual(await offered, ({"image/png": b"\x89PNG\r\n\x1a\nxyz"},))

    async def test_a_copy_that_is_too_large_is_not_taken(self) -> None:
        """And the next one is."""
        refused: Deferred[None] = Deferred()

        def heard(event: LogEvent) -> None:
            if formatEvent(event) == _REFUSED:
                refused.callback(None)

        globalLogPublisher.addObserver(heard)
        self.addCleanup(globalLogPublisher.removeObserver, heard)
        offered = self.offered()
        self.xclip("-in", "-quiet", given=b"x" * (LIMIT + 1))
        await refused.addTimeout(SECONDS, reactor)
        self.assertFalse(offered.called)
        self.xclip("-in", "-quiet", given=b"small")
        self.assertEqual(await offered, ({"text/plain": b"small"},))

    async def test_an_offer_can_be_pasted(self) -> None:
        """In every form of text; and it is not told back to us."""
        await self.offer(text_plain="Grüße €".encode())
        self.assertEqual(await self.paste(), "Grüße €".encode())
        self.assertEqual(await self.paste("-target", "UTF8_STRING"), "Grüße €".encode())
        self.assertEqual(await self.paste("-target", "STRING"), "Grüße ?".encode("latin-1"))
        self.assertEqual(await self.paste("-target", "image/png"), b"")
        targets = (await self.paste("-target", "TARGETS")).split()
        self.assertIn(b"text/plain;charset=utf-8", targets)
        self.assertNotIn(b"image/png", targets)
        self.assertEqual(self.recorder.named("clipboard_offered"), [])

    async def test_a_large_offer_can_be_pasted_by_several(self) -> None:
        """Three megabytes go by INCR, to four programs at once."""
        text = random.Random(2).randbytes(1500000).hex().encode()
        await self.offer(text_plain=text, text_html=b"<p>")
        pastes = [self.paste() for _ in range(MAX_TRANSFERS)]
        for paste in [Deferred.fromCoroutine(paste) for paste in pastes]:
            self.assertEqual(await paste, text)
        self.assertEqual(await self.paste("-target", "text/html"), b"<p>")

    async def test_an_offer_that_is_too_large_is_not_taken(self) -> None:
        """The one before stays."""
        await self.offer(text_plain=b"small")
        await self.offer(text_plain=b"x" * (LIMIT + 1))
        self.assertEqual(await self.paste(), b"small")

    async def test_clearing(self) -> None:
        """Empty content leaves nothing to paste."""
        await self.offer(text_plain=b"secret")
        await self.offer()
        self.assertEqual(await self.paste(), b"")

    async def test_clearing_takes_it_from_programs_too(self) -> None:
        """The selection as well; xclip ends when it has lost what it gave."""
        told = self.offered()
        copied = self.xclip("-in", "-quiet", given=b"copied")
        await told
        selected = self.xclip("-in", "-quiet", "-selection", "primary", given=b"selected")
        while await self.paste("-selection", "primary") != b"selected":
            pass
        told = self.offered()
        self.display.clear_clipboard()
        self.assertEqual(await told, ({},))
        await copied.done
        await selected.done

    async def test_a_program_that_stops_taking_is_given_up(self) -> None:
        """Its transfer ends, so that others have its place."""
        await self.offer(text_plain=b"x" * 3000000)
        session = self.display._session
        assert session is not None
        giver = session.clipboard._giver
        stopped = self.xclip("-out")
        while not giver._transfers:
            if stopped.done.called:
                # It was all there between two looks.
                stopped = self.xclip("-out")
            await deferLater(reactor, 0)
        stopped.transport.signalProcess("STOP")
        # What it took before it was stopped may still be on its way.
        while giver._transfers:
            (transfer,) = giver._transfers.values()
            self.assertLessEqual(transfer.timer.getTime() - reactor.seconds(), STALL_SECONDS)
            transfer.timer.reset(0)
            await deferLater(reactor, 0)
