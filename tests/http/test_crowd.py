"""Connections are counted: in all, and by the address that they come from."""

from __future__ import annotations

from kasmd.http.counts import Counts
from kasmd.http.crowd import Crowd


class Open:
    """A connection that is never cut."""

    def abortConnection(self) -> None:
        raise AssertionError("a crowd of one process cuts nobody")


HERE = Open()


def test_more_than_there_may_be() -> None:
    crowd = Crowd(2, 0)
    assert [crowd.has_room() and crowd.arrived("a", HERE) for _ in range(3)] == [True, True, False]
    assert (crowd.counts.connections, crowd.counts.limits["connections"]) == (2, 1)
    crowd.left("a", HERE)
    assert crowd.has_room()


def test_more_than_one_address_may_have() -> None:
    crowd = Crowd(None, 2)
    assert [crowd.arrived("a", HERE) for _ in range(3)] == [True, True, False]
    assert crowd.arrived("b", HERE)
    assert (crowd.counts.connections, crowd.counts.limits["connections_per_address"]) == (4, 1)
    # The one that was refused leaves, too.
    crowd.left("a", HERE)
    assert not crowd.arrived("a", HERE)
    crowd.left("a", HERE)
    crowd.left("a", HERE)
    assert crowd.arrived("a", HERE)


def test_those_without_an_address_are_counted_in_all_only() -> None:
    crowd = Crowd(3, 1)
    assert all(crowd.arrived("", HERE) for _ in range(3))
    assert not crowd.has_room()


def test_without_limits_everybody_may_come() -> None:
    counts = Counts()
    crowd = Crowd(counts=counts)
    assert all(crowd.has_room() and crowd.arrived("a", HERE) for _ in range(100))
    assert counts.connections == 100


def test_a_proxy_may_have_as_many_as_it_likes() -> None:
    crowd = Crowd(None, 1, exempt=lambda address: address == "proxy")
    assert all(crowd.arrived("proxy", HERE) for _ in range(9))
    assert [crowd.arrived("a", HERE) for _ in range(2)] == [True, False]
    for _ in range(9):
        crowd.left("proxy", HERE)
    assert crowd.counts.connections == 2
