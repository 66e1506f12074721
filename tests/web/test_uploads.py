"""Files that people bring, on the port: whole or not at all, and while they may."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any, Callable, Optional

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kasmd.http.problems import Problem
from kasmd.http.sending import PATIENCE, PORTION
from kasmd.interfaces import Principal
from kasmd.permission.grant import Grant
from kasmd.rights import WRITE, Right
from kasmd.viewer.worker import InlineWorker
from kasmd.web.uploads import MAX_OF_ONE, MAX_WAITING, Gone, Receiving
from tests.web.api.site import MAX_UPLOAD, Served, authorization

CONTENT = bytes(range(256)) * 8192


class Uploads(Served, TestCase):
    """By raw sockets, so that a body can be under way."""

    @property
    def folder_of_uploads(self) -> Path:
        return Path(self._file("Uploads"))

    def left(self) -> dict[str, bytes]:
        """Give all that is in the folder."""
        found = {}
        for path in self.folder_of_uploads.glob("*"):
            # It may get its name, or go, while this looks.
            with contextlib.suppress(FileNotFoundError):
                found[path.name] = path.read_bytes()
        return found

    async def until(self, true: Callable[[], Any]) -> Any:
        """Let the reactor turn until something is true."""
        while not true():
            await deferLater(reactor, 0.005)  # type: ignore[arg-type]

    def begin(self, length: Optional[int] = len(CONTENT), name: str = "a.bin", sent: int = 1000,
              who: str = "writer", *more: str) -> Deferred[socket.socket]:
        """Begin a body, and let it be under way."""
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines = [f"PUT /api/v1/files/{name} HTTP/1.1", "Host: h", framing, *more,
                 f"Authorization: {authorization(who)}", "", ""]

        def beginning() -> socket.socket:
            client = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            client.sendall("\r\n".join(lines).encode() + CONTENT[:sent])
            return client

        return deferToThread(beginning)

    def finish(self, client: socket.socket, rest: bytes = b"") -> Deferred[bytes]:
        """Send the rest, and give all that was answered until the end."""

        def finishing() -> bytes:
            answer = b""
            with client:
                try:
                    client.sendall(rest)
                    while more := client.recv(65536):
                        answer += more
                        if b"\r\n\r\n" in answer and not rest:
                            break
                except ConnectionError:
                    pass
            return answer

        return deferToThread(finishing)

    async def under_way(self, **more: Any) -> socket.socket:
        """Begin an upload, and wait until the disk has some of it."""
        client = await self.begin(**more)
        await self.until(lambda: any(self.left().values()))
        return client

    async def test_byte_for_byte(self) -> None:
        answer = await self.ask("PUT", "/files/a%20b.bin", CONTENT, "writer")
        self.assertEqual((answer.status, answer.json), (201, {"name": "a b.bin", "size": 1 << 21}))
        self.assertEqual(self.left(), {"a b.bin": CONTENT})

    async def test_nothing_is_a_file_too(self) -> None:
        self.assertEqual((await self.ask("PUT", "/files/a", b"", "writer")).status, 201)
        self.assertEqual(self.left(), {"a": b""})

    async def test_in_chunks(self) -> None:
        client = await self.begin(None, "a", 0, "writer", "Connection: close")
        chunk = b"10000\r\n%b\r\n" % CONTENT[:65536]
        answer = await self.finish(client, b"3\r\nabc\r\n" + chunk + b"0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 201 "), answer)
        self.assertEqual(self.left(), {"a": b"abc" + CONTENT[:65536]})

    async def test_one_who_waits_to_be_asked(self) -> None:
        client = await self.begin(5, "a", 0, "writer", "Expect: 100-continue")
        asked = await deferToThread(client.recv, 100)
        self.assertEqual(asked, b"HTTP/1.1 100 Continue\r\n\r\n")
        client.sendall(b"hello")
        self.assertIn(b" 201 ", (await self.finish(client)).splitlines()[0])
        for name, status in (("a", b" 409 "), ("con", b" 422 ")):
            client = await self.begin(5, name, 0, "writer", "Expect: 100-continue")
            self.assertIn(status, (await self.finish(client)).splitlines()[0])

    async def test_several_at_once(self) -> None:
        clients = [await self.under_way(name=f"{number}") for number in range(4)]
        answers = [self.finish(client, CONTENT[1000:]) for client in clients]
        for answer in answers:
            # Nobody is kept waiting for another: each is answered while the connection stays.
            answer.addBoth(lambda _: None)
        await self.until(lambda: set(self.left()) == {"0", "1", "2", "3"})
        self.assertEqual(set(self.left().values()), {CONTENT})
        for client, answer in zip(clients, answers):
            client.shutdown(socket.SHUT_RDWR)
            await answer

    async def test_so_many_of_one(self) -> None:
        clients = [await self.begin(name=f"{number}") for number in range(MAX_OF_ONE)]
        await self.until(lambda: len(self.left()) == MAX_OF_ONE)
        busy = await self.ask("PUT", "/files/more", b"x", "writer")
        self.assertEqual((busy.status, busy.headers["Retry-After"]), (503, "10"))
        self.assertEqual((await self.ask("PUT", "/files/more", b"x")).status, 201)
        for client in clients:
            client.close()
        await self.until(lambda: set(self.left()) == {"more"})
        self.assertEqual((await self.ask("PUT", "/files/again", b"x", "writer")).status, 201)

    async def test_a_right_that_goes_ends_it(self) -> None:
        for _ in range(2):
            client = await self.under_way()
            await self.ask("PATCH", "/users/writer", {"rights": {"upload": False}})
            answer = await self.finish(client)
            self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), answer)
            self.assertIn(b"nothing of the file is kept", answer)
            self.assertEqual(self.left(), {})
            refused = await self.ask("PUT", "/files/a", b"x", "writer")
            self.assertEqual(refused.status, 403)
            await self.ask("PATCH", "/users/writer", {"rights": {"upload": True}})

    async def test_a_user_who_is_removed_ends_it(self) -> None:
        client = await self.under_way()
        self.assertEqual((await self.ask("DELETE", "/users/writer")).status, 204)
        self.assertTrue((await self.finish(client)).startswith(b"HTTP/1.1 403 "))
        self.assertEqual(self.left(), {})

    async def test_a_client_that_leaves_ends_it(self) -> None:
        said: list[str] = []

        def observer(event: LogEvent) -> None:
            said.append(formatEvent(event))

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        client = await self.under_way()
        client.close()
        await self.until(lambda: not self.left())
        line = "writer brings a file no further, after 1000 bytes: the client left"
        self.assertIn(line, said)

    async def test_a_body_that_is_broken_ends_it(self) -> None:
        client = await self.begin(None, "a", 0)
        client.sendall(b"3\r\nabc\r\n")
        await self.until(lambda: any(self.left().values()))
        client.sendall(b"zz\r\n")
        self.assertTrue((await self.finish(client)).startswith(b"HTTP/1.1 400 "))
        await self.until(lambda: not self.left())

    async def test_too_large(self) -> None:
        said = f"The file is too large: {MAX_UPLOAD} bytes are taken."
        client = await self.begin(MAX_UPLOAD + 1, sent=0)
        answer = await self.finish(client)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "))
        self.assertIn(said.encode(), answer)
        client = await self.begin(None, sent=0)
        chunk = b"%x\r\n%b\r\n" % (len(CONTENT), CONTENT)
        answer = await self.finish(client, 3 * chunk)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        self.assertEqual(self.left(), {})

    async def test_a_disk_without_room(self) -> None:
        self.uploads.most = 1 << 60
        client = await self.begin(1 << 59, sent=0)
        answer = await self.finish(client)
        self.assertTrue(answer.startswith(b"HTTP/1.1 507 "), answer)
        self.assertEqual(self.left(), {})

    async def test_a_name_that_is_taken(self) -> None:
        await self.ask("PUT", "/files/a.txt", b"old", "writer")
        self.assertEqual((await self.ask("PUT", "/files/a.txt", b"x", "writer")).status, 409)
        other = await self.ask("PUT", "/files/a.txt?number=true", b"new", "writer")
        self.assertEqual((other.status, other.json), (201, {"name": "a (2).txt", "size": 3}))
        self.assertEqual(self.left(), {"a.txt": b"old", "a (2).txt": b"new"})

    async def test_a_folder_that_cannot_be_written(self) -> None:
        self.folder_of_uploads.write_bytes(b"")
        answer = await self.ask("PUT", "/files/a", b"x", "writer")
        self.assertEqual(answer.status, 500)
        self.assertEqual(os.path.getsize(self._file("Uploads")), 0)

    async def test_pages_of_others(self) -> None:
        answer = await self.ask("PUT", "/files/a", b"x", "writer", Origin="https://else.example")
        self.assertEqual((answer.status, self.left()), (403, {}))

    def test_sweep(self) -> None:
        self.folder_of_uploads.mkdir()
        (self.folder_of_uploads / ".kasmd-upload-0").write_bytes(b"x")
        self.uploads.sweep()
        self.assertEqual(self.left(), {})


class Body:
    """A request of which the reading is looked at."""

    over = paused = False
    request_id = "1"

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        self.finished: Deferred[None] = Deferred()
        self.reader: Optional[Receiving] = None
        #: What comes as soon as more is read.
        self.rest: Callable[[], None] = lambda: None

    def notifyFinish(self) -> Deferred[None]:
        return self.finished

    def read_body(self, reader: Receiving) -> None:
        self.reader = reader

    def pause_body(self) -> None:
        self.paused = True

    def resume_body(self) -> None:
        self.paused = False
        self.rest()


class Disk:
    """Takes what it is given when it is let."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[..., Any], Any]] = []

    def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, work, args))
        return done

    def turn(self) -> None:
        """Do one piece of work."""
        done, work, args = self.waiting.pop(0)
        done.callback(work(*args))


class File:
    """A file that is on its way, in memory."""

    def __init__(self) -> None:
        self.wanted = True
        self.content = b""

    def write(self, data: bytes) -> None:
        self.content += data

    def keep(self) -> str:
        return "a"


class ReceivingTests(SynchronousTestCase):
    """What waits, and for how long."""

    def setUp(self) -> None:
        self.clock, self.disk, self.file = Clock(), Disk(), File()
        self.grant = Grant(Principal("ann"), Right.ENTER | WRITE, lambda grant: None)
        self.body = Body(self.grant)
        self.receiving = Receiving(
            self.clock, self.body, self.file, self.disk, 1 << 30  # type: ignore[arg-type]
        )
        self.received = self.receiving.start()

    def take(self, right: Right) -> None:
        """Let the grant lose a right."""
        self.grant.update((Right.ENTER | WRITE) & ~right)
        self.grant.tell()

    def test_a_slow_disk_stops_the_reading(self) -> None:
        self.receiving.body_received(b"1")
        for _ in range(MAX_WAITING // 1024):
            self.receiving.body_received(b"x" * 1024)
        self.assertFalse(self.body.paused)
        self.receiving.body_received(b"x")
        self.assertTrue(self.body.paused)
        self.assertEqual(len(self.disk.waiting), 1)
        self.disk.turn()
        self.assertFalse(self.body.paused)
        self.receiving.body_ended()
        self.disk.turn()
        self.assertEqual(self.successResultOf(self.received), MAX_WAITING + 2)
        self.assertEqual(len(self.file.content), MAX_WAITING + 2)

    def test_the_end_that_comes_as_soon_as_more_is_read(self) -> None:
        self.body.rest = self.receiving.body_ended
        self.receiving.body_received(b"1")
        self.disk.turn()
        self.assertEqual(self.successResultOf(self.received), 1)
        finishing = Deferred.fromCoroutine(self.receiving.finish())
        self.disk.turn()
        self.assertEqual(self.successResultOf(finishing), "a")

    def test_another_right_changes_nothing(self) -> None:
        self.take(Right.POINTER)
        self.assertNoResult(self.received)
        self.receiving.stop()

    def test_the_right_goes_and_not_a_byte_more_is_written(self) -> None:
        self.receiving.body_received(b"1")
        self.receiving.body_received(b"2")
        self.take(Right.UPLOAD)
        self.assertEqual(self.failureResultOf(self.received, Problem).value.status, 403)
        self.assertTrue(self.body.paused and not self.file.wanted)
        self.disk.turn()
        self.assertEqual(self.disk.waiting, [])
        self.assertTrue(self.body.paused)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_right_goes_while_it_gets_its_name(self) -> None:
        self.receiving.body_ended()
        self.successResultOf(self.received)
        kept = Deferred.fromCoroutine(self.receiving.finish())
        self.take(Right.UPLOAD)
        self.assertFalse(self.file.wanted)
        self.disk.turn()
        self.assertEqual(self.failureResultOf(kept, Problem).value.status, 403)

    def test_the_client_goes_while_it_gets_its_name(self) -> None:
        self.receiving.body_ended()
        kept = Deferred.fromCoroutine(self.receiving.finish())
        self.body.finished.errback(Failure(ConnectionDone()))
        self.disk.turn()
        self.failureResultOf(kept, Gone)
        self.assertFalse(self.file.wanted)
        self.successResultOf(self.received)

    def test_its_end_is_no_end_of_the_file(self) -> None:
        self.receiving.body_ended()
        self.successResultOf(self.received)
        kept = Deferred.fromCoroutine(self.receiving.finish())
        self.disk.turn()
        self.assertEqual(self.successResultOf(kept), "a")
        self.receiving.stop()
        self.body.finished.callback(None)
        self.take(Right.UPLOAD)
        self.assertTrue(self.file.wanted)

    def test_a_client_that_sends_nothing(self) -> None:
        self.clock.advance(PATIENCE - 1)
        self.receiving.body_received(b"1")
        self.clock.advance(PATIENCE)
        self.assertNoResult(self.received)
        self.disk.turn()
        self.clock.advance(PATIENCE)
        self.assertEqual(self.failureResultOf(self.received, Problem).value.status, 408)

    def test_a_client_that_sends_little_now_and_then(self) -> None:
        for _ in range(10):
            self.assertNoResult(self.received)
            self.receiving.body_received(b"1")
            self.disk.turn()
            self.clock.advance(PATIENCE / 10)
        problem = self.failureResultOf(self.received, Problem).value
        self.assertEqual((problem.status, problem.detail), (408, "Less than 64 KiB came in 60 s."))

    def test_a_client_that_sends_enough(self) -> None:
        for _ in range(10):
            self.clock.advance(PATIENCE - 1)
            self.receiving.body_received(b"1" * PORTION)
            self.disk.turn()
        self.receiving.body_ended()
        self.assertEqual(self.successResultOf(self.received), 10 * PORTION)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_right_that_went_while_the_file_was_opened(self) -> None:
        self.receiving.stop()
        self.take(Right.UPLOAD)
        receiving = Receiving(
            self.clock, self.body, self.file, InlineWorker(), 9  # type: ignore[arg-type]
        )
        self.assertEqual(self.failureResultOf(receiving.start(), Problem).value.status, 403)

    def test_a_client_that_went_while_the_file_was_opened(self) -> None:
        self.receiving.stop()
        self.body.over, self.body.reader = True, None
        receiving = Receiving(
            self.clock, self.body, self.file, InlineWorker(), 9  # type: ignore[arg-type]
        )
        self.failureResultOf(receiving.start(), Gone)
        self.assertIsNone(self.body.reader)
