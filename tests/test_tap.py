"""The composition, with no X server behind it: what is listened on, and for whom."""

from __future__ import annotations

import io
import os
import shutil
import socket
import stat
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Callable, Optional

from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.config.load import load
from kasmd.display.memory import MemoryDisplay
from kasmd.display.recorder import Recorder
from kasmd.display.upstream import Place
from kasmd.errors import ConfigError, DisplayLost
from kasmd.permission.kasmpasswd import hash_password
from kasmd.rfb.client import ClientSession, Connected, Said, UpdateReceived
from kasmd.rfb.numbers import Encoding
from kasmd.screen.geometry import Rect, Screen
from kasmd.tap import Options, compose, makeService
from tests.display.upstreams import serve, upstream
from tests.test_startup import logged

CONFIGURATION = """\
state_directory: {folder}/state
network:
  websocket_port: 0
server:
  http:
    httpd_directory: {folder}/www
  advanced:
    kasm_password_file: {folder}/kasmpasswd
display:
  x11: ":54321"
native:
  unix_socket: {folder}/viewers
  unix_account: kasm_user
"""


class Case(TestCase):
    """A folder, and what was logged and printed."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "www").mkdir()
        self.printed = ""
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self._log)
        self.addCleanup(globalLogPublisher.removeObserver, self._log)

    def _log(self, event: LogEvent) -> None:
        self.logged.append(formatEvent(event))

    def configuration(self, more: str = "") -> str:
        """Write a configuration and give its path."""
        path = self.folder / "kasmd.yaml"
        path.write_text(CONFIGURATION.format(folder=self.folder) + more)
        return str(path)

    def compose(self, more: str = "") -> MultiService:
        """Make a daemon that ends with the test."""
        with redirect_stdout(io.StringIO()) as printed:
            daemon = compose(load(self.configuration(more), os.environ), reactor)
        self.printed = printed.getvalue()
        self.addCleanup(daemon.stopService)
        return daemon


class FirstStartTests(Case):
    def test_an_account_is_made_and_told(self) -> None:
        self.compose()
        self.assertIn("kasmd: user kasm_user password ", self.printed)
        self.assertRegex(self.printed, r"kasmd: https://127\.0\.0\.1:\d+/\n")
        self.assertIn(f"as kasm_user: {self.folder}/viewers", self.printed)
        self.assertRegex((self.folder / "kasmpasswd").read_text(), r"^kasm_user:\$5\$.*:rwo\n$")
        self.assertEqual([line for line in self.logged if "no account" in line], [])

    def test_at_the_second_it_is_only_told_where_they_are(self) -> None:
        (self.folder / "kasmpasswd").write_text(f"ann:{hash_password('x')}:r\n")
        self.compose()
        self.assertIn(f"kasmd: accounts are in {self.folder}/kasmpasswd", self.printed)
        self.assertNotIn("password ", self.printed.replace("kasmpasswd", ""))
        self.assertFalse((self.folder / "state" / "initial-password").exists())

    def test_an_empty_password_file_is_left_empty_and_warned_of(self) -> None:
        (self.folder / "kasmpasswd").touch()
        self.compose()
        self.assertEqual((self.folder / "kasmpasswd").read_text(), "")
        self.assertEqual(len([line for line in self.logged if "no account" in line]), 1)

    def test_the_state_is_for_its_user_alone(self) -> None:
        self.compose()
        self.assertEqual(stat.S_IMODE((self.folder / "state").stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.folder / "viewers").stat().st_mode), 0o600)


class EndTests(Case):
    async def test_a_daemon_that_ran_leaves_nothing(self) -> None:
        with redirect_stdout(io.StringIO()):
            daemon = compose(load(self.configuration(), os.environ), reactor)
        tried = logged(self, ":54321 cannot be reached")
        daemon.startService()
        await tried
        await maybeDeferred(daemon.stopService)
        self.assertFalse((self.folder / "viewers").exists())
        self.compose()


class UpstreamTests(Case):
    async def test_an_rfb_server_is_shown_in_place_of_an_x_server(self) -> None:
        """A viewer of ours sees what is there; with its name, no X server and no programs."""
        far = MemoryDisplay(320, 200, "far away")
        place = serve(self, far)
        path = Path(self.configuration())
        path.write_text(path.read_text().replace('x11: ":54321"', f'rfb: "{place}"'))
        with redirect_stdout(io.StringIO()):
            daemon = compose(load(str(path), os.environ), reactor)
        self.addCleanup(daemon.stopService)
        daemon.startService()
        display = upstream(self, Place(path=f"{self.folder}/viewers"))
        recorder = Recorder()
        self.addCleanup(display.observe(recorder))
        shown = recorder.next("resized", lambda *size: display.size == (320, 200))
        named = recorder.next("renamed", lambda name: name == "far away")
        display.connect().addErrback(lambda failure: failure.trap(DisplayLost))
        await shown.addTimeout(60, reactor)
        await named.addTimeout(60, reactor)


class RefusalTests(Case):
    def refused(self, more: str) -> str:
        with self.assertRaises(ConfigError) as caught:
            self.compose(more)
        return str(caught.exception)

    def test_a_state_directory_in_use(self) -> None:
        self.compose()
        self.assertIn("in use by another kasmd", self.refused(""))

    def test_a_used_port(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = other.getsockname()[1]
            path = Path(self.configuration())
            path.write_text(path.read_text().replace("port: 0", f"port: {number}"))
            with self.assertRaises(ConfigError) as caught, redirect_stdout(io.StringIO()):
                compose(load(str(path), os.environ), reactor)
        self.assertIn(f"network.websocket_port: cannot listen on 127.0.0.1, port {number}",
                      str(caught.exception))

    def test_twistd_ends_with_one_line(self) -> None:
        options = Options()
        options.parseOptions(["--config", self.configuration("nonsense: 1\n")])
        with self.assertRaises(SystemExit) as caught:
            makeService(options)
        self.assertIn("nonsense", str(caught.exception))
        self.assertTrue(str(caught.exception).startswith("kasmd: "))


class ResizeTests(Case):
    """desktop.allow_resize is a right that nobody has, whatever the account says."""

    def answer(self) -> int:
        """Ask for another size over the unix socket; give the result."""
        viewer = Native(str(self.folder / "viewers"))
        try:
            viewer.until(Connected)
            viewer.session.send_encodings([Encoding.RAW, Encoding.EXTENDED_DESKTOP_SIZE])
            viewer.session.send_desktop_size(640, 480, [Screen(0, 0, 0, 640, 480)])
            viewer.session.send_update_request(True, Rect(0, 0, 1, 1))
            told = viewer.until(UpdateReceived, lambda update: any(
                rectangle.encoding == -308 and rectangle.rect.x == 1
                for rectangle in update.rectangles
            ))
            return told.rectangles[-1].rect.y
        finally:
            viewer.close()

    async def test_forbidden(self) -> None:
        self.compose("desktop:\n  allow_resize: false\n")
        self.assertEqual(await deferToThread(self.answer), 1)

    async def test_allowed_but_there_is_no_display(self) -> None:
        self.compose()
        self.assertEqual(await deferToThread(self.answer), 2)


class Native:
    """A viewer program on a unix socket, that blocks."""

    def __init__(self, path: str) -> None:
        self.session = ClientSession()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(path)

    def until(self, kind: type, wanted: Callable[[Any], bool] = lambda event: True) -> Any:
        """Talk until the server says this, and give it."""
        found: Optional[Said] = None
        while found is None:
            self._socket.sendall(b"".join(self.session.data_to_send()))
            data = self._socket.recv(65536)
            assert data, "the server hung up"
            self.session.receive_data(data)
            for event in self.session.events_received():
                if isinstance(event, kind) and wanted(event):
                    found = event
        return found

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
