"""A link between viewer and server, a process: python -m bench.link TARGET RATE TRIP.

Its first answer says the port that it listens on.

Each way has a wire of RATE bytes a second, a bounded queue before it, and half of
TRIP seconds behind it.  Where the queue is full the sender has to wait, as
TCP has where a router drops: nothing is lost, and nothing overtakes.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Iterator

from bench.child import Child, answer
from bench.stacks import Stack

#: One Ethernet frame's payload, and how many seconds a piece is to last where that is more.
_PACKET, _PIECE = 1460, 0.002
#: The kernel is to hold little besides our queue.
_KERNEL_BUFFER = 4096


@dataclass(frozen=True)
class Link:
    """Bytes a second and the seconds of a round trip; the queue holds 0.2 s, 8 KiB at least."""

    rate: float
    trip: float

    @property
    def queue(self) -> int:
        """The bytes that a router keeps for the link."""
        return max(8192, int(self.rate * 0.2))

    @contextmanager
    def to(self, stack: Stack) -> Iterator[Stack]:
        """Give ``stack`` as it is seen from the far end; the link is not in its cost."""
        numbers = (stack.port, self.rate, self.trip)
        with closing(Child("bench.link", *map(str, numbers))) as child:
            yield replace(stack, port=int(child.ready["port"]))


LINKS = {
    "20m": Link(20e6 / 8, 0.020),
    "2m": Link(2e6 / 8, 0.100),
    "56k": Link(56e3 / 8, 0.100),
}


async def carry(source: socket.socket, sink: socket.socket, link: Link) -> None:
    """Carry one way until the end of the source, or of the sink."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    piece = max(_PACKET, int(link.rate * _PIECE))

    async def take() -> None:
        free = 0.0
        data = b"?"
        while data:
            data = await loop.sock_recv(source, piece)
            now = loop.time()
            free = max(free, now) + len(data) / link.rate
            under_way.put_nowait((free + link.trip / 2, data))
            await asyncio.sleep(free - now - link.queue / link.rate)

    taking = asyncio.create_task(take())
    try:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                return
            await loop.sock_sendall(sink, data)
    except OSError:
        return
    finally:
        taking.cancel()


async def join(near: socket.socket, target: int, link: Link) -> None:
    """Carry both ways between a viewer and the server, until either leaves."""
    loop = asyncio.get_running_loop()
    with near, socket.socket() as far:
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER)
        await loop.sock_connect(far, ("127.0.0.1", target))
        ways = [asyncio.create_task(carry(*ends, link)) for ends in ((near, far), (far, near))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)


async def relay(target: int, link: Link) -> None:
    """Join all who come, until the parent ends the conversation."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    joined: set[asyncio.Task[None]] = set()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    with ExitStack() as ending:
        listener = ending.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER)

        async def listen() -> None:
            while True:
                near, _address = await loop.sock_accept(listener)
                task = asyncio.create_task(join(near, target, link))
                joined.add(task)
                task.add_done_callback(joined.discard)

        listening = asyncio.create_task(listen())
        answer({"port": listener.getsockname()[1]})
        await ended.wait()
        for task in (listening, *joined):
            task.cancel()


def main(target: str, rate: str, trip: str) -> None:
    """Relay until the parent ends the conversation."""
    asyncio.run(relay(int(target), Link(float(rate), float(trip))))


if __name__ == "__main__":
    main(*sys.argv[1:])
