"""The processes that share an edge's port: started, asked by, told, and ended by this one."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import contextmanager
from typing import Any, Iterator, Optional, Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from kasmd.carriage import Terms
from kasmd.display.programs import Pace, Program, check_installed
from kasmd.edge.census import Census
from kasmd.edge.deciding import Decider, Endings, Told
from kasmd.edge.messages import Begun, Level, Logged
from kasmd.http.server import HttpFactory
from kasmd.log.output import level
from kasmd.log.retold import retell
from kasmd.samples import FAMILIES, Kind, Sample, Source
from kasmd.worker import LISTENING, WIRE, adopt

_log = Logger(namespace="kasmd.edge")

_COMMAND = (sys.executable, "-m", "kasmd.worker")
_FAMILIES = {family.name: family for family in FAMILIES}


class _Process:
    """One worker, and what answers it while it lives."""

    def __init__(self, workers: Workers, name: str, reactor: Any, pace: Pace) -> None:
        self._workers = workers
        self._reactor = reactor
        self.program = Program(reactor, _COMMAND, self._ended, pace=pace, lend=self._lend)
        self.program.name = name
        self.decider: Optional[Decider] = None
        #: What it counted.
        self.counted: list[Sample] = []

    @contextmanager
    def _lend(self) -> Iterator[dict[int, int]]:
        workers = self._workers
        ours, theirs = socket.socketpair()
        decider = self.decider = Decider(
            workers.face, workers.terms.edge.lease_seconds, self.program.kill, self._told,
            workers.endings, workers.census,
        )
        adopt(self._reactor, ours, decider.wire)
        decider.wire.send(workers.terms._replace(log_level=level()).sealed())
        with theirs:
            yield {WIRE: theirs.fileno(), LISTENING: workers.listening.fileno()}

    def _told(self, message: Told) -> None:
        if isinstance(message, Logged):
            retell(self.program.pid, message.line)
        elif isinstance(message, Begun):
            _log.info("{name} accepts connections", name=self.program.name)
        elif self.program.pid is not None:
            # What one said that is gone is counted already.
            self.counted = [
                Sample(_FAMILIES[name], tuple(labels), value)
                for name, labels, value in message.samples
            ]

    def _ended(self) -> None:
        self._workers.keep(self.counted)
        self.counted = []


class Workers(Service):
    """As many as the edge wants, which accept on ``listening`` and ask ``face``.

    ``counted`` tells what this process counted for the edge.
    """

    def __init__(self, reactor: Any, face: HttpFactory, terms: Terms, listening: socket.socket,
                 counted: Source, pace: Pace = Pace()) -> None:
        self.face = face
        self.terms = terms
        self.listening = listening
        self.endings = Endings()
        self.census = Census(face.limits)
        self._counted = counted
        #: What those counted that are gone.
        self._past: dict[tuple[str, tuple[str, ...]], float] = {}
        self._level = level()
        check_installed(_COMMAND)
        name = f"a process of edge {terms.edge.name}"
        self._processes = [
            _Process(self, name, reactor, pace) for _ in range(terms.edge.processes)
        ]

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that there are."""
        return [each.program.pid for each in self._processes if each.program.pid is not None]

    def startService(self) -> None:
        """Start them, and again whenever one ends."""
        super().startService()
        for process in self._processes:
            process.program.start(os.environ)

    def stopService(self) -> Deferred[Any]:
        """End them, once their websockets were told."""
        super().stopService()
        return DeferredList([process.program.stop() for process in self._processes])

    def stale(self) -> None:
        """Something changed: let nothing be remembered."""
        for decider in self._deciders():
            decider.stale()

    def look(self) -> None:
        """Tell what changed without a word; call this every second."""
        if self._level != level():
            self._level = level()
            for decider in self._deciders():
                decider.wire.send(Level(self._level))

    def _deciders(self) -> Iterator[Decider]:
        return (each.decider for each in self._processes if each.decider is not None)

    # Metrics.

    def keep(self, samples: Sequence[Sample]) -> None:
        """Go on counting what a process counted that is gone."""
        for family, labels, value in samples:
            if family.kind is Kind.COUNTER:
                _add(self._past, family.name, labels, value)

    def samples(self) -> Iterator[Sample]:
        """Tell what all of them counted together; a `kasmd.samples.Source`."""
        total = self._past.copy()
        for source in (self._counted(), *(each.counted for each in self._processes)):
            for family, labels, value in source:
                _add(total, family.name, labels, value)
        for (name, labels), value in total.items():
            yield Sample(_FAMILIES[name], labels, value)


def _add(total: dict[tuple[str, tuple[str, ...]], float], name: str, labels: tuple[str, ...],
         value: float) -> None:
    total[name, labels] = total.get((name, labels), 0) + value
