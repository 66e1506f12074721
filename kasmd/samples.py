"""What the parts of a daemon counted, as numbers with names; `kasmd.metrics` tells Prometheus.

Nothing is labelled by who came or what he asked for, so there are as many samples as
faces, limits and words of failures.
"""

from __future__ import annotations

from enum import Enum
from typing import Callable, Iterable, Iterator, Mapping, NamedTuple, Optional

from kasmd.edge.pool import Pool
from kasmd.edge.relay import Relay
from kasmd.edge.splices import Splices
from kasmd.http.counts import Counts
from kasmd.interfaces import IReachable, IRoster
from kasmd.permission.leases import Leases
from kasmd.permission.lockout import AccountLockout, Lockout
from kasmd.viewer.totals import Totals

#: The label of what belongs to the desktop's own site; an edge's begins with its kind.
DESKTOP_FACE = "desktop"
EDGE_FACE = "edge:"


class Kind(Enum):
    """Whether a number only grows."""

    COUNTER = "counter"
    GAUGE = "gauge"


class Family(NamedTuple):
    """One metric: how it is called, what it tells, by what its samples differ."""

    kind: Kind
    name: str
    text: str
    labels: tuple[str, ...] = ("face",)


class Sample(NamedTuple):
    """A number of a family; ``labels`` are the values of the family's."""

    family: Family
    labels: tuple[str, ...]
    value: float


#: Gives what there is to tell, now.
Source = Callable[[], Iterable[Sample]]

_COUNTER, _GAUGE = Kind.COUNTER, Kind.GAUGE
CONNECTIONS = Family(_GAUGE, "kasmd_connections", "Open connections, websockets among them.")
REQUESTS = Family(_COUNTER, "kasmd_requests", "Requests by the class of their status.",
                  ("face", "status"))
ANSWERED = Family(_COUNTER, "kasmd_answer_bytes", "Bytes of answers.")
REACHED = Family(_COUNTER, "kasmd_limit_reached", "What was refused or cut, by the limit.",
                 ("face", "limit"))
FAILURES = Family(_COUNTER, "kasmd_failures", "Failures by their word.", ("face", "word"))
WEBSOCKETS = Family(_GAUGE, "kasmd_edge_websockets", "Open websockets through an edge.")
RELAYED = Family(_COUNTER, "kasmd_edge_relayed_bytes",
                 "Bytes of bodies and websockets from clients and from upstreams.",
                 ("face", "sender"))
LEASES = Family(_GAUGE, "kasmd_edge_leases", "Answers of the control plane that are remembered.")
REVOKED = Family(_COUNTER, "kasmd_edge_revocations",
                 "Requests and websockets that were cut because their leave ended.")
UNDIALLED = Family(_COUNTER, "kasmd_edge_dial_failures",
                   "Connections to upstreams that did not come about, by the word of why.",
                   ("face", "word"))
LOCKED = Family(_COUNTER, "kasmd_lockouts", "Addresses and accounts that were locked out.", ("of",))
VIEWERS = Family(_GAUGE, "kasmd_viewers", "Viewers whose handshake is done.", ())
UPDATES = Family(_COUNTER, "kasmd_updates", "Updates of the picture that were sent.", ())
PIXELS = Family(_COUNTER, "kasmd_update_bytes", "Bytes of these updates.", ())
LOSSES = Family(_COUNTER, "kasmd_display_losses",
                "How often the display was lost, or could not be reached.", ())
FAMILIES = (
    CONNECTIONS, REQUESTS, ANSWERED, REACHED, FAILURES, WEBSOCKETS, RELAYED, LEASES, REVOKED,
    UNDIALLED, LOCKED, VIEWERS, UPDATES, PIXELS, LOSSES,
)  # fmt: skip


def of_face(name: str, counts: Counts) -> Source:
    """Tell of a face."""

    def samples() -> Iterator[Sample]:
        yield Sample(CONNECTIONS, (name,), counts.connections)
        yield Sample(ANSWERED, (name,), counts.sent)
        for digit, count in enumerate(counts.answers[1:], 1):
            yield Sample(REQUESTS, (name, f"{digit}xx"), count)
        yield from _each(REACHED, name, counts.limits)
        yield from _each(FAILURES, name, counts.failures)

    return samples


def of_edge(name: str, pool: Pool, splices: Splices, relay: Relay,
            leases: Optional[Leases] = None) -> Source:
    """Tell of what an edge relays; ``name`` is its face's."""

    def samples() -> Iterator[Sample]:
        received, sent = splices.relayed()
        yield Sample(WEBSOCKETS, (name,), len(splices))
        yield Sample(RELAYED, (name, "client"), relay.received + received)
        yield Sample(RELAYED, (name, "upstream"), relay.sent + sent)
        yield Sample(REVOKED, (name,), relay.revoked + splices.revoked)
        yield Sample(REACHED, (name, "dead_seconds"), splices.dead)
        words = {kind.value: count for kind, count in pool.undialled.items()}
        yield from _each(UNDIALLED, name, words)
        if leases is not None:
            yield Sample(LEASES, (name,), len(leases))

    return samples


def of_desktop(roster: IRoster, totals: Totals, display: IReachable) -> Source:
    """Tell of a desktop and its viewers."""

    def samples() -> Iterator[Sample]:
        yield Sample(VIEWERS, (), len(roster.viewers()))
        yield Sample(UPDATES, (), totals.updates)
        yield Sample(PIXELS, (), totals.sent)
        yield Sample(LOSSES, (), display.losses)
        yield from _each(REACHED, DESKTOP_FACE, totals.limits)

    return samples


def of_lockout(addresses: Lockout, accounts: AccountLockout) -> Source:
    """Tell who was locked out, however it was that he came."""

    def samples() -> Iterator[Sample]:
        yield Sample(LOCKED, ("address",), addresses.locks)
        yield Sample(LOCKED, ("account",), accounts.locks)

    return samples


def _each(family: Family, name: str, numbers: Mapping[str, int]) -> Iterator[Sample]:
    for word, count in numbers.items():
        yield Sample(family, (name, word), count)
