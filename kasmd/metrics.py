"""What the parts of a daemon counted, for Prometheus, read when it asks.

    -> GET /metrics                     the desktop's site
    -> GET <prefix>/__edge/metrics      every edge
    <- text/plain; version=...          or OpenMetrics, for who accepts that

For owners, with a password or a token.
"""

from __future__ import annotations

from typing import Iterator, Mapping, Union

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from kasmd.http.routes import Route
from kasmd.http.server import Request, Response
from kasmd.rights import Right
from kasmd.samples import FAMILIES, Family, Kind, Source

_Metric = Union[CounterMetricFamily, GaugeMetricFamily]
_KINDS: Mapping[Kind, type[_Metric]] = {
    Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily,
}  # fmt: skip


class Metrics(Collector):
    """The metrics of one daemon, with those of its process."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def add(self, source: Source) -> None:
        """Ask ``source``, too, from now on."""
        self._sources.append(source)

    def collect(self) -> Iterator[_Metric]:
        """Give what all sources tell (of prometheus_client)."""
        found = {family: _made(family) for family in FAMILIES}
        for source in self._sources:
            for family, labels, value in source():
                found[family].add_metric(labels, value)
        yield from (metric for metric in found.values() if metric.samples)

    def route(self, path: bytes) -> Route:
        """Give what is to be published at ``path``."""
        return Route(b"GET", path, Right.MANAGE, self._answer)

    def _answer(self, request: Request) -> Response:
        accept = b",".join(request.values(b"Accept")).decode("latin-1")
        encode, kind = choose_encoder(accept)
        fields = ((b"Content-Type", kind.encode("ascii")), (b"Cache-Control", b"no-store"))
        return Response(200, fields, encode(self._registry))


def _made(family: Family) -> _Metric:
    return _KINDS[family.kind](family.name, family.text, labels=family.labels)
