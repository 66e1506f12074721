"""The composition, with no X server behind it: what is said at the start, and the end."""

from __future__ import annotations

import io
import os
import socket
import stat
from contextlib import redirect_stdout
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred

from kasmd.config.load import load
from kasmd.errors import ConfigError
from kasmd.permission.kasmpasswd import hash_password
from kasmd.tap import Options, compose, makeService
from tests.composed import Case
from tests.test_startup import logged


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
