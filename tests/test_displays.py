"""What is shown: another server's desktop in place of one of our own."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import deferLater

from kasmd.display.memory import MemoryDisplay
from kasmd.display.recorder import Recorder
from kasmd.display.upstream_line import Place
from kasmd.errors import DisplayLost
from tests.composed import Case
from tests.display.upstreams import serve, upstream
from tests.test_startup import logged


class UpstreamTests(Case):
    async def test_an_rfb_server_is_shown_in_place_of_an_x_server(self) -> None:
        """A viewer of ours sees what is there; with its name, no X server and no programs."""
        far = MemoryDisplay(320, 200, "far away")
        self.compose("", f'rfb: "{serve(self, far)}"').startService()
        display = upstream(self, Place(path=f"{self.folder}/viewers"))
        recorder = Recorder()
        self.addCleanup(display.observe(recorder))
        shown = recorder.next("resized", lambda *size: display.size == (320, 200))
        named = recorder.next("renamed", lambda name: name == "far away")
        display.connect().addErrback(lambda failure: failure.trap(DisplayLost))
        await shown.addTimeout(60, reactor)
        await named.addTimeout(60, reactor)

    async def test_one_that_is_not_there_is_told_once(self) -> None:
        told = logged(self, "trying on")
        self.compose("", f"rfb: {self.folder}/nobody").startService()
        await told
        await deferLater(reactor, 0)
        (line,) = [line for line in self.logged if "trying on" in line]
        self.assertIn(f"display {self.folder}/nobody cannot be reached", line)
