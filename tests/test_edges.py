"""The edges, composed from the file: where they listen, and that each is its own role."""

from __future__ import annotations

import re
import socket
import stat
from typing import Optional

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from kasmd.edge.directory import Directory
from kasmd.errors import ConfigError
from kasmd.permission.kasmpasswd import hash_password
from tests.test_tap import Case
from tests.web.asking import basic

DESK = "0123456789abcdef0123456789abcdef"
EDGES = """\
desktop: {{enabled: false}}
edge:
  - name: front
    role: direct
    listen: {{port: 0}}
    tls: {{plain_http: serve}}
    directory: {folder}/sessions.yaml
    limits: {{request_line: 300}}
  - name: first
    role: webapp
    listen: {{unix_socket: {folder}/first, unix_mode: "0660"}}
    tls: {{plain_http: serve}}
    auth: {{address: "http://127.0.0.1:1"}}
    upstream: {{unchecked: true}}
    prefix: /kasm
  - name: second
    role: agent
    listen: {{unix_socket: {folder}/second}}
    tls: {{plain_http: serve}}
    auth: {{address: "http://127.0.0.1:1"}}
    directory: {folder}/sessions.yaml
"""


class EdgeCase(Case):
    """Edges of one daemon, in this process."""

    def edges(self, text: str = EDGES) -> None:
        """Make them, with one session that nothing serves."""
        (self.folder / "kasmpasswd").write_text(f"own:{hash_password('secret')}:rwo\n")
        (self.folder / "sessions.yaml").write_text(
            f"sessions:\n- {{id: {DESK}, owner: own, upstream: 'http://127.0.0.1:1'}}\n"
        )
        (self.folder / "sessions.yaml").chmod(0o600)
        self.daemon = self.compose(text.format(folder=self.folder))
        self.daemon.startService()

    def ask(self, where: str, target: str, *lines: str, method: str = "GET") -> Deferred[bytes]:
        """Give the whole answer to a request of an edge: its port's or socket's."""
        fields = [f"{method} {target} HTTP/1.1", "Host: edge", "Connection: close", *lines, "", ""]

        def asking() -> bytes:
            family = socket.AF_UNIX if where.startswith("/") else socket.AF_INET
            with socket.socket(family) as client:
                client.settimeout(60)
                client.connect(where if where.startswith("/") else ("127.0.0.1", int(where)))
                client.sendall("\r\n".join(fields).encode())
                answer = b""
                while more := client.recv(65536):
                    answer += more
            return answer

        return deferToThread(asking)

    def place(self, name: str) -> str:
        """Give where an edge said that it listens."""
        found: Optional[re.Match[str]] = re.search(
            rf"kasmd: edge {name}, \w+: (?:https://127\.0\.0\.1:)?([^\s]*?)(?:/)?\n", self.printed
        )
        assert found is not None, self.printed
        return found[1]


class EdgeTests(EdgeCase):
    async def test_a_direct_edge_has_kasmds_own_log_in(self) -> None:
        self.edges()
        front = self.place("front")
        nobody = await self.ask(front, "/")
        self.assertTrue(nobody.startswith(b"HTTP/1.1 401 "), nobody)
        own = f"Authorization: {basic('own')}"
        self.assertIn(DESK.encode(), await self.ask(front, "/", own))
        down = await self.ask(front, f"/desktop/{DESK}/", own)
        self.assertTrue(down.startswith(b"HTTP/1.1 502 "), down)
        self.assertTrue((await self.ask(front, "/invite")).startswith(b"HTTP/1.1 401 "))

    def test_edges_of_one_file_read_it_once(self) -> None:
        self.edges()
        self.assertEqual(len([part for part in self.daemon if isinstance(part, Directory)]), 1)

    async def test_limits_are_an_edge_s_own(self) -> None:
        self.edges()
        long = "/" + "x" * 400
        self.assertTrue((await self.ask(self.place("front"), long)).startswith(b"HTTP/1.1 414 "))
        second = await self.ask(self.place("second"), long)
        self.assertFalse(second.startswith(b"HTTP/1.1 414 "), second)

    async def test_hops_ask_a_control_plane(self) -> None:
        self.edges()
        first, second = self.place("first"), self.place("second")
        needed = "Cookie: username=own; session_token=t"
        for where, prefix in ((first, "/kasm"), (second, "")):
            target = f"{prefix}/desktop/{DESK}/vnc/"
            self.assertTrue((await self.ask(where, target)).startswith(b"HTTP/1.1 401 "))
            silent = await self.ask(where, target, needed)
            self.assertIn(b"reason: auth-service-down", silent)

    async def test_an_agent_says_that_it_is_well(self) -> None:
        self.edges()
        well = await self.ask(self.place("second"), "/agent/__healthcheck")
        self.assertTrue(well.startswith(b"HTTP/1.1 200 "), well)
        other = await self.ask(self.place("first"), "/kasm/agent/__healthcheck")
        self.assertFalse(other.startswith(b"HTTP/1.1 200 "), other)

    async def test_a_hop_takes_an_owner_s_revocations(self) -> None:
        self.edges()
        body = '{"user": "ann"}'
        for proof, status in ((f"Authorization: {basic('own')}", b"200"), ("X-No: proof", b"401")):
            # The body follows the empty line that ends the head.
            lines = (proof, f"Content-Length: {len(body)}", "", body)
            answer = await self.ask(
                self.place("second"), "/__edge/revocations", *lines, method="POST"
            )
            self.assertEqual(answer[9:12], status, answer)

    def test_sockets_are_for_whom_it_was_said(self) -> None:
        self.edges()
        modes = [stat.S_IMODE((self.folder / name).stat().st_mode) for name in ("first", "second")]
        self.assertEqual(modes, [0o660, 0o600])

    def test_what_cannot_be_listened_on_is_named(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            text = EDGES.replace("{{port: 0}}", "{{port: %d}}" % taken.getsockname()[1])
            with self.assertRaisesRegex(ConfigError, r"edge\[0\]\.listen\.port: cannot listen"):
                self.edges(text)

    def test_a_systemd_socket_that_is_none(self) -> None:
        text = EDGES.replace("{{port: 0}}", "{{systemd_socket: web}}")
        with self.assertRaisesRegex(ConfigError, r"edge\[0\]\.listen\.systemd_socket: systemd"):
            self.edges(text)
