"""Files that people bring: taken as fast as the disk takes them, while they may.

What was not answered with success is not there.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from contextlib import contextmanager
from typing import Iterator, NamedTuple, Optional

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.errors import KasmdError
from kasmd.http.portion import Portion
from kasmd.http.problems import CLOSE, Problem
from kasmd.http.sending import PATIENCE, PORTION
from kasmd.http.server import Request
from kasmd.interfaces import IGrant, IWorker
from kasmd.rights import Right
from kasmd.web.arriving import Arriving, sweep

#: Uploads at one time, and of one account.
MAX_AT_ONCE = 32
MAX_OF_ONE = 8
#: Bytes that wait for the disk before no more are read.
MAX_WAITING = 256 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_log = Logger(namespace="kasmd.uploads")


class Gone(KasmdError):
    """The client left: nobody is to be answered."""


class Kept(NamedTuple):
    """A file that is there, and how many bytes it has."""

    name: str
    size: int


class Uploads:
    """What is brought into ``folder``, of at most ``most`` bytes each; ``worker`` writes it."""

    def __init__(self, reactor: IReactorTime, folder: str, most: int, worker: IWorker) -> None:
        self.most = most
        self._reactor = reactor
        self._folder = os.path.abspath(os.path.expanduser(folder))
        self._worker = worker
        self._of_one: Counter[str] = Counter()

    def sweep(self) -> None:
        """Remove what a former daemon did not finish."""
        try:
            sweep(self._folder)
        except OSError as error:
            _log.warn("{folder}: {error}", folder=self._folder, error=error)

    async def take(self, request: Request, name: str, number: bool) -> Kept:
        """Read the body of ``request`` into a file (`Problem`, `Gone`).

        Where the name is taken, another is found if ``number``.
        """
        length = request.framing.length or 0
        if length > self.most:
            raise _too_large(self.most)
        assert request.grant is not None, "the route needs a grant"
        with self._place(request.grant.name):
            try:
                arriving = await self._worker.do(Arriving, self._folder, name, length, number)
                return await self._receive(request, arriving)
            except OSError as error:
                raise _problem(error) from None

    async def _receive(self, request: Request, arriving: Arriving) -> Kept:
        receiving = Receiving(self._reactor, request, arriving, self._worker, self.most)
        try:
            size = await receiving.start()
            name = await receiving.finish()
            return Kept(name, size)
        finally:
            receiving.stop()
            await self._worker.do(arriving.close)

    @contextmanager
    def _place(self, name: str) -> Iterator[None]:
        if self._of_one.total() >= MAX_AT_ONCE or self._of_one[name] >= MAX_OF_ONE:
            headers = [CLOSE, (b"Retry-After", b"10")]
            raise Problem(503, "Too many files are on their way; try again.", headers)
        self._of_one[name] += 1
        try:
            yield
        finally:
            self._of_one[name] -= 1
            self._of_one += Counter()


class Receiving:
    """One body on its way to the disk: a `kasmd.http.body.BodyReader`.

    It ends at once when the right to upload goes, or the client does, and when less than
    a portion comes in the time that there is for one, unless it is the disk that takes long.
    """

    def __init__(self, reactor: IReactorTime, request: Request, arriving: Arriving,
                 worker: IWorker, most: int) -> None:
        assert request.grant is not None, "the route needs a grant"
        self._request = request
        self._grant: IGrant = request.grant
        self._who = self._grant.name
        self._arriving = arriving
        self._worker = worker
        self._most = most
        self._size = 0
        #: Of what is written.
        self._portion = Portion()
        self._waiting: list[bytes] = []
        self._writing = self._whole = self._stopped = False
        self._ended: Optional[Failure] = None
        self._received: Deferred[int] = Deferred()
        self._forget = self._grant.when_changed(self._rights_changed)
        self._timer = reactor.callLater(PATIENCE, self._out_of_patience)
        self._reactor = reactor

    def start(self) -> Deferred[int]:
        """Read; fires with the size once all is written (`Problem`, `Gone`, OSError)."""
        if self._request.over:
            self._end(Failure(Gone("the client left")))
        else:
            self._request.notifyFinish().addBoth(self._over)
            self._rights_changed()
        if self._ended is None:
            self._request.read_body(self)
        return self._received

    async def finish(self) -> str:
        """Let the file have its name, and give that; raises as `start` does."""
        try:
            name: str = await self._worker.do(self._arriving.keep)
        except OSError as error:
            self._end(Failure(error))
        if self._ended is not None:
            self._ended.raiseException()
        return name

    def stop(self) -> None:
        """Ask no more whether it may go on."""
        self._stopped = True
        self._forget()
        if self._timer.active():
            self._timer.cancel()

    # What comes.

    def body_received(self, data: bytes) -> None:
        """Take a piece."""
        self._size += len(data)
        self._waiting.append(data)
        if self._size > self._most:
            self._end(Failure(_too_large(self._most)))
        elif sum(map(len, self._waiting)) > MAX_WAITING:
            self._request.pause_body()
        self._write()

    def body_ended(self) -> None:
        """All of it came."""
        self._whole = True
        self._write()

    def body_lost(self, reason: Failure) -> None:
        """The rest will not come."""
        self._end(Failure(Gone("the client left")))

    # What goes to the disk.

    def _write(self) -> None:
        if self._writing or self._ended is not None:
            return
        if self._waiting:
            self._writing = True
            data = b"".join(self._waiting)
            self._waiting.clear()
            written = self._worker.do(self._arriving.write, data)
            written.addCallback(self._written, len(data)).addErrback(self._end)
        elif self._whole and not self._received.called:
            self._timer.cancel()
            self._received.callback(self._size)

    def _written(self, _: None, size: int) -> None:
        self._writing = False
        if self._ended is None:
            if self._portion.came(size):
                self._timer.reset(PATIENCE)
            # This may bring the rest at once, and its end.
            self._request.resume_body()
            self._write()

    # What ends it.

    def _rights_changed(self) -> None:
        if not self._grant.holds(Right.UPLOAD):
            text = "You may not upload any more; nothing of the file is kept."
            self._end(Failure(Problem(403, text, [CLOSE])))

    def _over(self, _: object) -> None:
        self._end(Failure(Gone("the client left")))

    def _out_of_patience(self) -> None:
        if self._writing:
            self._timer = self._reactor.callLater(PATIENCE, self._out_of_patience)
        else:
            text = f"Less than {PORTION // 1024} KiB came in {PATIENCE:.0f} s."
            self._end(Failure(Problem(408, text, [CLOSE])))

    def _end(self, why: Failure) -> None:
        if self._ended is None and not self._stopped:
            _log.info("{who} brings a file no further, after {size} bytes: {why}",
                      who=self._who, size=self._size, why=why.getErrorMessage(),
                      request_id=self._request.request_id)
            self._ended = why
            self._arriving.wanted = False
            self._waiting.clear()
            self._request.pause_body()
            self.stop()
            if not self._received.called:
                self._received.errback(why)


def _too_large(most: int) -> Problem:
    return Problem(413, f"The file is too large: {most} bytes are taken.", [CLOSE])


def _problem(error: OSError) -> Problem:
    if isinstance(error, FileExistsError):
        return Problem(409, "There is a file of this name already.", [CLOSE])
    if error.errno in _FULL:
        return Problem(507, "The disk has no room for this file.", [CLOSE])
    _log.error("A file cannot be kept: {error}", error=error)
    return Problem(500, "The file cannot be kept; the log says why.", [CLOSE])
