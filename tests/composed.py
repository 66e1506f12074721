"""A daemon composed for a test, with no X server behind it."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.config.load import load
from kasmd.tap import compose

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
  {display}
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

    def configuration(self, more: str = "", display: str = 'x11: ":54321"') -> str:
        """Write a configuration and give its path."""
        path = self.folder / "kasmd.yaml"
        path.write_text(CONFIGURATION.format(folder=self.folder, display=display) + more)
        return str(path)

    def compose(self, *configured: str) -> MultiService:
        """Make a daemon of such a `configuration` that ends with the test."""
        with redirect_stdout(io.StringIO()) as printed:
            daemon = compose(load(self.configuration(*configured), os.environ), reactor)
        self.printed = printed.getvalue()
        self.addCleanup(daemon.stopService)
        return daemon
