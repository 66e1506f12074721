"""What carries an edge's traffic."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.carriage import Carriage, Sockets, Terms
from kasmd.config.edges import Edge, EdgeLimits, Timeouts
from kasmd.edge.dial import Timeouts as DialTimeouts
from kasmd.edge.messages import decode, encode
from kasmd.edge.pool import Pool
from kasmd.edge.splices import Splices, Timing

EDGE = Edge(
    name="front", role="direct", allowed_origins=("https://portal.example",),
    limits=EdgeLimits(request_line=300, connections=7), timeouts=Timeouts(head=3, connect=2),
)


class CarriageTests(TestCase):
    def test_terms_are_another_process_s_too(self) -> None:
        terms = Terms(EDGE, ("a.pem", "b.pem"), 30)
        begin = decode(encode(terms.sealed()))
        self.assertEqual(Terms.unsealed(begin), terms)  # type: ignore[arg-type]

    def test_limits_and_times_are_the_edge_s(self) -> None:
        carriage = Carriage(reactor, EDGE)
        limits, timeouts = carriage.limits, carriage.pool.timeouts
        self.assertEqual((limits.connections, limits.head.request_line), (7, 300))
        self.assertEqual((limits.head_timeout, timeouts.connect), (3, 2))

    def test_it_counts(self) -> None:
        carriage = Carriage(reactor, EDGE)
        carriage.counts.connections = 3
        found = {
            sample.family.name: sample.value for sample in carriage.samples()
            if sample.labels == ("edge:front",)
        }
        self.assertEqual((found["kasmd_connections"], found["kasmd_edge_websockets"]), (3, 0))

    def test_without_websockets_nobody_is_waited_for(self) -> None:
        sockets = Sockets(
            Clock(), Splices(reactor, Timing()), Pool(reactor, DialTimeouts())  # type: ignore
        )
        self.assertIsNone(sockets.stopService())
