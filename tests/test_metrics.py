"""Each limit that is crossed is counted, and only owners may look."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Mapping, NamedTuple

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from kasmd.display.memory import MemoryDisplay
from kasmd.edge.faults import LIMITS as edge_limits
from kasmd.http.counts import LIMITS as http_limits
from kasmd.http.counts import Counts
from kasmd.metrics import Metrics
from kasmd.permission.kasmpasswd import hash_password
from kasmd.samples import FAMILIES, Kind, of_desktop, of_face
from kasmd.viewer.roster import Roster
from kasmd.viewer.totals import LIMITS as viewer_limits
from kasmd.viewer.totals import Totals
from tests.test_tap import Case
from tests.web.asking import basic

DOCUMENT = Path(__file__).parents[1] / "docs" / "operating.rst"
EDGES = """\
desktop: {{enabled: false}}
security: {{brute_force_protection: {{blacklist_threshold: 2}}}}
edge:
  - name: front
    role: direct
    listen: {{port: 0}}
    tls: {{plain_http: serve}}
    trusted_proxies: [127.0.0.1]
    directory: {folder}/sessions.yaml
    limits: {{request_line: 300, header_bytes: 1024, header_count: 10, body_bytes: 9}}
  - name: few
    role: direct
    listen: {{port: 0}}
    tls: {{plain_http: serve}}
    directory: {folder}/sessions.yaml
    limits: {{connections: 1}}
  - name: narrow
    role: direct
    listen: {{port: 0}}
    tls: {{plain_http: serve}}
    directory: {folder}/sessions.yaml
    limits: {{connections_per_address: 1}}
"""
#: An edge for each time-out, so that none is crossed by those who come slowly.
HASTY = """\
  - name: {name}
    role: direct
    listen: {{{{port: 0}}}}
    tls: {{{{plain_http: serve}}}}
    directory: {{folder}}/sessions.yaml
    timeouts: {{{{{timeout}: 1}}}}
"""
TIMEOUTS = {name.replace("_", "-"): name
            for name in ("head", "keep_alive", "answer", "body_idle", "connect")}
EDGES += "".join(HASTY.format(name=name, timeout=TIMEOUTS[name]) for name in TIMEOUTS)
OWNER = f"Authorization: {basic('own')}"
CLOSE = "Connection: close"


def request(target: str, *lines: str, method: str = "GET", body: str = "") -> bytes:
    """Give a request's bytes; Connection is what the lines say."""
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: edge", *lines, "", body)).encode()


def talk(port: int, data: bytes, secure: bool = False) -> bytes:
    """Send it and give what comes until the end."""
    with ExitStack() as stack:
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        if secure:
            client = stack.enter_context(ssl._create_unverified_context().wrap_socket(client))
        answer = b""
        try:
            # One who is not let in may be cut off before he has said anything.
            client.sendall(data)
            while more := client.recv(65536):
                answer += more
        except ConnectionError:
            pass
        return answer


class Crossing(NamedTuple):
    """How a limit is reached at an edge, and what the answer is; nothing: the end."""

    limit: str
    data: bytes
    status: bytes = b""
    edge: str = "front"
    #: Connections that are there before, and say nothing.
    silent: int = 0


SILENT, SILENT_TLS = "/desktop/silent/", "/desktop/tls/"
GUESS = f"Authorization: {basic('own', 'wrong')}"
AFAR = "X-Forwarded-For: 10.1.2.3"
CROSSINGS = (
    Crossing("request_line", request("/" + "x" * 300), b"414"),
    Crossing("header_bytes", request("/", "Cookie: " + "x" * 1100), b"431"),
    Crossing("header_count", request("/", *["X: y"] * 10), b"431"),
    Crossing("body_bytes", request(SILENT, OWNER, "Content-Length: 10", method="POST"), b"413"),
    Crossing("chunk_line", request("/", "Transfer-Encoding: chunked", method="POST",
                                   body="1" * 300), b"400"),
    Crossing("trailers", request("/", "Transfer-Encoding: chunked", method="POST",
                                 body="0\r\n" + "x" * 9000), b"431"),
    Crossing("head_seconds", b"GET / HTTP/1.1\r\n", b"", "head"),
    Crossing("keep_alive_seconds", request("/checkvalid"), b"200", "keep-alive"),
    Crossing("answer_seconds", request(SILENT, OWNER, CLOSE), b"504", "answer"),
    Crossing("body_idle_seconds", request(SILENT, OWNER, "Content-Length: 2", method="POST",
                                          body="x"), b"408", "body-idle"),
    Crossing("connect_seconds", request(SILENT_TLS, OWNER, CLOSE), b"504", "connect"),
    Crossing("wrong_passwords", request("/", GUESS, AFAR) * 2 + request("/", GUESS, AFAR, CLOSE),
             b"401"),
    Crossing("connections", request("/"), b"", "few", 1),
    Crossing("connections_per_address", request("/"), b"", "narrow", 1),
)  # fmt: skip


class LimitTests(Case):
    """Over a daemon's edges, and an upstream that never says a word."""

    def setUp(self) -> None:
        super().setUp()
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        (self.folder / "kasmpasswd").write_text(
            f"own:{hash_password('secret')}:rwo\nann:{hash_password('secret')}:rw\n"
        )
        (self.folder / "sessions.yaml").write_text(
            f"sessions:\n- {{id: silent, owner: own, upstream: 'http://{place}'}}\n"
            f"- {{id: tls, owner: own, upstream: 'https://{place}', unchecked: true}}\n"
        )
        (self.folder / "sessions.yaml").chmod(0o600)
        self.compose(EDGES.format(folder=self.folder)).startService()

    def port(self, name: str) -> int:
        found = re.search(rf"kasmd: edge {name}, \w+: https://127\.0\.0\.1:(\d+)/", self.printed)
        assert found is not None, self.printed
        return int(found[1])

    def ask(self, target: str, *lines: str) -> Deferred[bytes]:
        """Give an answer of the first edge."""
        data = request(target, CLOSE, *lines)
        return deferToThread(talk, self.port("front"), data)

    async def numbers(self) -> Mapping[str, float]:
        """Give what is told, by name and labels."""
        answer = (await self.ask("/__edge/metrics", OWNER)).decode()
        self.assertRegex(answer, r"^HTTP/1\.1 200 ")
        samples = re.findall(r"^(kasmd_[^ ]*) (\S+)\r?$", answer, re.MULTILINE)
        return {name: float(value) for name, value in samples}

    def cross(self, crossing: Crossing) -> Deferred[bytes]:
        def crossing_it() -> bytes:
            port = self.port(crossing.edge)
            silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(crossing.silent)]
            try:
                return talk(port, crossing.data)
            finally:
                for connection in silent:
                    connection.close()

        return deferToThread(crossing_it)

    async def test_each_limit_that_is_crossed_is_counted(self) -> None:
        before = await self.numbers()
        answers = await gatherResults([self.cross(crossing) for crossing in CROSSINGS])
        after = await self.numbers()
        for crossing, answer in zip(CROSSINGS, answers):
            self.assertEqual(answer[9:12], crossing.status, (crossing.limit, answer))
            labels = f'face="edge:{crossing.edge}",limit="{crossing.limit}"'
            name = f"kasmd_limit_reached_total{{{labels}}}"
            self.assertEqual((before[name], after[name]), (0, 1), name)
        told = {name: after[name] - before[name] for name in after}
        face = 'face="edge:front"'
        for name in (
            'kasmd_failures_total{face="edge:answer",word="upstream-silent"}',
            'kasmd_failures_total{face="edge:body-idle",word="body-slow"}',
            'kasmd_edge_dial_failures_total{face="edge:connect",word="upstream-unanswered"}',
            'kasmd_lockouts_total{of="address"}',
        ):
            self.assertEqual(told[name], 1, name)
        self.assertGreaterEqual(after[f"kasmd_connections{{{face}}}"], 1)

    async def test_only_owners_may_look(self) -> None:
        for lines, status in (
            ((), b"401"),
            ((f"Authorization: {basic('ann')}",), b"403"),
            (("Authorization: Bearer no",), b"401"),
            ((OWNER,), b"200"),
        ):
            answer = await self.ask("/__edge/metrics", *lines)
            self.assertEqual(answer[9:12], status, answer)

    async def test_a_format_is_agreed_upon(self) -> None:
        for accept, kind in (("*/*", b"text/plain"),
                             ("application/openmetrics-text", b"application/openmetrics-text")):
            answer = await self.ask("/__edge/metrics", OWNER, f"Accept: {accept}")
            self.assertIn(b"Content-Type: " + kind, answer)
            self.assertIn(b"process_cpu_seconds_total", answer)


class SiteTests(Case):
    async def test_a_desktop_s_own(self) -> None:
        (self.folder / "kasmpasswd").write_text(
            f"own:{hash_password('secret')}:rwo\nann:{hash_password('secret')}:rw\n"
        )
        self.compose().startService()
        found = re.search(r"kasmd: https://127\.0\.0\.1:(\d+)/", self.printed)
        assert found is not None
        statuses = []
        for lines in ((), (f"Authorization: {basic('ann')}",), (OWNER,)):
            data = request("/metrics", CLOSE, *lines)
            answer = await deferToThread(talk, int(found[1]), data, True)
            statuses.append(answer[9:12])
        self.assertEqual(statuses, [b"401", b"403", b"200"])
        for line in (b"kasmd_viewers 0.0", b"kasmd_updates_total 0.0",
                     b'kasmd_limit_reached_total{face="desktop",limit="viewers"} 0.0',
                     b'kasmd_requests_total{face="desktop",status="4xx"} 2.0'):
            self.assertIn(line, answer)


def test_names_are_ours_and_say_what_they_count() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"kasmd_[a-z_]+", name) for name in names)


def test_operators_are_told_of_every_name() -> None:
    text = DOCUMENT.read_text()
    names = {*http_limits, *edge_limits, *viewer_limits, "dead_seconds"}
    for family in FAMILIES:
        names.add(family.name + ("_total" if family.kind is Kind.COUNTER else ""))
    assert [name for name in sorted(names) if f"``{name}``" not in text] == []


def test_parts_are_read_when_somebody_asks() -> None:
    metrics, counts, totals = Metrics(), Counts(), Totals()
    metrics.add(of_face("desktop", counts))
    metrics.add(of_desktop(Roster(), totals, MemoryDisplay(1, 1)))
    counts.connections, totals.sent = 7, 11
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }
    assert values["kasmd_connections", "desktop"] == 7
    assert values["kasmd_update_bytes_total",] == 11
