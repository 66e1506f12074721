"""The processes of an edge: started, told, counted together, and ended."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from kasmd.carriage import Terms
from kasmd.config.edges import Edge
from kasmd.http.server import HttpFactory, Limits
from kasmd.processes import Workers
from kasmd.samples import CONNECTIONS, REQUESTS, Sample
from tests.test_edges import DESK, EDGES, EdgeCase
from tests.test_startup import logged
from tests.web.asking import basic

SHARED = EDGES.replace("    role: direct\n", "    role: direct\n    processes: 2\n")
EDGE = Edge(name="front", role="direct", processes=3)


class SharedTests(EdgeCase):
    """A direct edge of two processes, beside hops of none."""

    async def test_all_is_as_with_one(self) -> None:
        self.edges(SHARED)
        front, own = self.place("front"), f"Authorization: {basic('own')}"
        # Whoever comes before a process is there waits for it.
        nobody = await self.ask(front, "/")
        self.assertTrue(nobody.startswith(b"HTTP/1.1 401 "), nobody)
        self.assertIn(DESK.encode(), await self.ask(front, "/", own))
        told = logged(self, "502")
        down = await self.ask(front, f"/desktop/{DESK}/", own)
        self.assertIn(b"reason: upstream-refused", down)
        ident = re.search(rb"X-Request-Id: (\S+)", down)
        assert ident is not None
        self.assertIn('own "GET', await told)
        long = await self.ask(front, "/" + "x" * 400)
        self.assertTrue(long.startswith(b"HTTP/1.1 414 "), long)
        for path in ("/__healthcheck", "/checkvalid"):
            self.assertTrue((await self.ask(front, path)).startswith(b"HTTP/1.1 200 "))


#: What a process does not need that only carries: pictures, passwords, Prometheus.
UNNEEDED = {"PIL", "jwt", "numpy", "passlib", "prometheus_client", "ruamel", "simplejpeg"}


def test_a_process_loads_what_it_needs() -> None:
    command = "import sys, kasmd.worker; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", command], text=True).split()
    assert not UNNEEDED & {module.partition(".")[0] for module in loaded}


def told(connections: int, requests: int) -> list[Sample]:
    """Give what one process counted."""
    return [
        Sample(CONNECTIONS, ("edge:front",), connections),
        Sample(REQUESTS, ("edge:front", "2xx"), requests),
    ]


class WorkersTests(TestCase):
    """Without any process."""

    def setUp(self) -> None:
        listening, other = socket.socketpair()
        self.addCleanup(listening.close)
        self.addCleanup(other.close)
        face = HttpFactory(reactor, lambda request: None, (), Limits())  # type: ignore[arg-type]
        self.workers = Workers(
            reactor, face, Terms(EDGE, ("", ""), 30), listening, lambda: told(1, 10)
        )

    def found(self) -> list[float]:
        return [sample.value for sample in self.workers.samples()]

    def test_what_is_gone_is_counted_on(self) -> None:
        self.assertEqual(self.found(), [1, 10])
        self.workers.keep(told(5, 7))
        self.assertEqual(self.found(), [10 + 7, 1])
        self.workers.keep(told(2, 3))
        self.assertEqual(sorted(self.found()), [1, 20])

    async def test_it_may_stop_before_it_began(self) -> None:
        self.workers.stale()
        self.workers.look()
        self.assertEqual(self.workers.pids, [])
        await self.workers.stopService()
