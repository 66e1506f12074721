"""Several processes, one limit: whatever comes where, and in whichever order it is heard."""

from __future__ import annotations

from collections import deque
from typing import Optional

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from kasmd.edge.census import ALL, GATHER, Census, SharedCrowd
from kasmd.edge.messages import Bound, Here
from kasmd.http.server import Limits

LIMITS = Limits(connections=8, connections_per_address=4)
PROCESSES = 3
ADDRESSES = ("a", "b", "proxy", "")


class Connection:
    """A connection, open until it leaves or is cut."""

    def __init__(self, process: Process, address: str) -> None:
        self.process = process
        self.address = address
        self.open = True

    def abortConnection(self) -> None:
        """Lose it."""
        if self.open:
            self.open = False
            self.process.crowd.left(self.address, self)


class Process:
    """One process, with what is on its way there and from there."""

    def __init__(self, census: Census) -> None:
        self.clock = Clock()
        self.census = census
        self.asked: deque[Here] = deque()
        self.told: deque[Bound] = deque()
        self.clogged = False
        self.crowd = SharedCrowd(
            self.clock, self.send, LIMITS, exempt=lambda address: address == "proxy"
        )

    def send(self, here: Here) -> bool:
        """Take what the process tells, unless it is told to wait."""
        if not self.clogged:
            self.asked.append(here)
        return not self.clogged

    def bound(self, address: str, most: Optional[int]) -> None:
        """Take what the census says."""
        self.told.append(Bound(address, most))

    def connect(self, address: str) -> Optional[Connection]:
        """Accept a connection; None where it is refused."""
        if not self.crowd.has_room():
            return None
        connection = Connection(self, address)
        if not self.crowd.arrived(address, connection):
            connection.abortConnection()
        return connection if connection.open else None

    def hear(self) -> bool:
        """Let one message come through; tell whether there was one."""
        self.clock.advance(GATHER)
        if self.told:
            self.crowd.bound(self.told.popleft())
            return True
        if self.asked:
            self.census.told(self, self.asked.popleft().counts)
            return True
        return False


class World:
    """The processes of an edge and all their connections."""

    def __init__(self) -> None:
        self.census = Census(LIMITS)
        self.processes = [Process(self.census) for _ in range(PROCESSES)]
        self.came: list[Connection] = []

    def connect(self, number: int, address: str) -> bool:
        """Connect to a process."""
        connection = self.processes[number].connect(address)
        if connection is not None:
            self.came.append(connection)
        return connection is not None

    def leave(self, number: int) -> None:
        """Let one of those who are there leave."""
        here = self.here()
        if here:
            here[number % len(here)].abortConnection()

    def here(self, address: Optional[str] = None) -> list[Connection]:
        """Give the open connections: all, or those of an address."""
        return [each for each in self.came if each.open and address in (None, each.address)]

    def settle(self) -> None:
        """Let all that is on its way arrive."""
        while any([process.hear() for process in self.processes]):
            pass

    def die(self, number: int) -> None:
        """End a process, with all that it has; another takes its place."""
        process = self.processes[number]
        self.came = [each for each in self.came if each.process is not process]
        self.processes[number] = Process(self.census)
        self.census.gone(process)


def test_the_last_one_is_cut_wherever_it_came() -> None:
    world = World()
    assert all(world.connect(number, "a") for number in (0, 0, 1, 1))
    world.settle()
    first = world.here()
    assert all(world.connect(number, "a") for number in (0, 2))
    assert world.connect(2, "b")
    world.settle()
    assert world.here("a") == first and len(world.here("b")) == 1
    # Who tried knows by now, and need not ask.
    assert not world.connect(0, "a") and not world.connect(2, "a")
    counts = world.processes[2].crowd.counts
    assert (counts.limits["connections_per_address"], counts.connections) == (2, 1)


def test_there_is_room_again_for_everybody() -> None:
    world = World()
    for number in (0, 0, 1, 1, 2, 2):
        world.connect(number, "a")
        world.settle()
    assert len(world.here("a")) == 4 and not world.connect(2, "a")
    world.leave(0)
    world.settle()
    assert world.connect(2, "a")
    world.settle()
    assert len(world.here("a")) == 4


def test_the_connections_in_all_are_limited_too() -> None:
    world = World()
    for number in (0, 1, 2):
        for address in ("a", "b", "", "proxy"):
            world.connect(number, address)
    world.settle()
    assert len(world.here()) == LIMITS.connections
    full = [process for process in world.processes if not process.crowd.has_room()]
    assert full and all(process.crowd.counts.limits["connections"] for process in full)


def test_what_a_process_had_that_died_is_free() -> None:
    world = World()
    for number in (0, 0, 0, 0, 1):
        world.connect(number, "a")
        world.settle()
    assert not world.connect(1, "a")
    world.die(0)
    world.settle()
    assert [world.connect(1, "a") for _ in range(5)] == [True] * 4 + [False]
    world.settle()
    assert len(world.here("a")) == 4


def test_what_cannot_be_told_now_is_told_later() -> None:
    world = World()
    process = world.processes[0]
    process.clogged = True
    world.connect(0, "a")
    world.settle()
    assert not process.asked
    world.connect(0, "b")
    process.clogged = False
    process.clock.advance(GATHER)
    assert sorted(process.asked.popleft().counts) == [(ALL, 2), ("a", 1), ("b", 1)]


CONNECT = st.tuples(
    st.just("connect"), st.integers(0, PROCESSES - 1), st.sampled_from(ADDRESSES)
)
OTHERS = st.tuples(
    st.sampled_from(["leave", "hear", "die"]), st.integers(0, 99), st.just("")
)


@given(st.lists(st.one_of(CONNECT, CONNECT, OTHERS), max_size=60))
def test_never_more_than_the_limit_and_never_less_for_long(
    steps: list[tuple[str, int, str]]
) -> None:
    world = World()
    for what, number, address in steps:
        if what == "connect":
            world.connect(number, address)
        elif what == "leave":
            world.leave(number)
        elif what == "hear":
            world.processes[number % PROCESSES].hear()
        else:
            world.die(number % PROCESSES)
    world.settle()
    assert len(world.here()) <= LIMITS.connections
    for address in ("a", "b"):
        assert len(world.here(address)) <= LIMITS.connections_per_address
    for process in world.processes:
        here = [each for each in world.here() if each.process is process]
        assert process.crowd.counts.connections == len(here)
    # Where there is room, it can be had at every process.
    while world.here():
        world.leave(0)
        world.settle()
    for number in range(PROCESSES):
        assert [world.connect(number, "a") for _ in range(5)] == [True] * 4 + [False]
        world.settle()
        while world.here():
            world.leave(0)
        world.settle()
