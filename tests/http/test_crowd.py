"""Connections are counted: in all, and by the address that they come from."""

from __future__ import annotations

from kasmd.http.counts import Counts
from kasmd.http.crowd import Crowd


def test_more_than_there_may_be() -> None:
    crowd = Crowd(2, 0)
    assert [crowd.has_room() and crowd.arrived("a") for _ in range(3)] == [True, True, False]
    assert (crowd.counts.connections, crowd.counts.limits["connections"]) == (2, 1)
    crowd.left("a")
    assert crowd.has_room()


def test_more_than_one_address_may_have() -> None:
    crowd = Crowd(None, 2)
    assert [crowd.arrived("a") for _ in range(3)] == [True, True, False]
    assert crowd.arrived("b")
    assert (crowd.counts.connections, crowd.counts.limits["connections_per_address"]) == (4, 1)
    # The one that was refused leaves, too.
    crowd.left("a")
    assert not crowd.arrived("a")
    crowd.left("a")
    crowd.left("a")
    assert crowd.arrived("a")


def test_those_without_an_address_are_counted_in_all_only() -> None:
    crowd = Crowd(3, 1)
    assert all(crowd.arrived("") for _ in range(3))
    assert not crowd.has_room()


def test_without_limits_everybody_may_come() -> None:
    counts = Counts()
    crowd = Crowd(counts=counts)
    assert all(crowd.has_room() and crowd.arrived("a") for _ in range(100))
    assert counts.connections == 100
