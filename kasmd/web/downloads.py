"""Files that the desktop hands out: listed for the owner, fetched by who may download.

-> GET /api/downloads?path=
-> GET /Downloads/<path>

A path is walked name by name from the folder's own descriptor, and no step of it
may be a symbolic link: so nothing outside is ever reached, whoever changes the
tree meanwhile.  A link is listed as what it is, a link.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from functools import lru_cache, partial
from typing import Any, Callable, Optional, Sequence
from urllib.parse import quote, unquote_to_bytes

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kasmd.http.headers import byte_range
from kasmd.http.problems import Headers, Problem
from kasmd.http.query import Query
from kasmd.http.sending import Sending
from kasmd.http.server import Request, Response
from kasmd.interfaces import IWorker
from kasmd.rights import Right
from kasmd.web.kasmvnc_says import TEXT_JSON, Refusal, told

PREFIX = b"/Downloads/"
#: Names below one another, and bytes of a whole path (PATH_MAX).
MAX_DEPTH = 128
MAX_PATH = 4096
#: Entries of one listing; of a larger folder the rest is left out.
MAX_ENTRIES = 20_000

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Not to wait for who writes into a pipe.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
#: Nothing that a browser would show on the site's own origin.
_HEADERS: Headers = (
    (b"Content-Type", b"application/octet-stream"),
    (b"Content-Security-Policy", b"sandbox"),
    (b"Cache-Control", b"private, no-cache"),
    (b"Accept-Ranges", b"bytes"),
)
_log = Logger(namespace="kasmd.downloads")


class Downloads:
    """What is below ``folder``; it is read on ``worker``."""

    def __init__(self, reactor: IReactorTime, folder: str, worker: IWorker) -> None:
        self._reactor = reactor
        self._folder = os.path.abspath(os.path.expanduser(folder))
        self._worker = worker

    def listed(self, request: Request, query: Query) -> Deferred[Response]:
        """Answer with what a directory holds."""
        return Deferred.fromCoroutine(self._list(query.text("path")))

    async def entries(self, path: str) -> list[dict[str, object]]:
        """Give the files and folders in a directory (OSError, ValueError)."""
        found: list[dict[str, object]] = await self._worker.do(
            listing, self._folder, path.encode(), MAX_ENTRIES, (stat.S_ISREG, stat.S_ISDIR)
        )
        return found

    async def _list(self, path: str) -> Response:
        try:
            files = await self._worker.do(listing, self._folder, path.encode())
        except (OSError, ValueError):
            raise Refusal(400) from None
        return told({"files": files}, TEXT_JSON)

    def get(self, request: Request) -> Deferred[Optional[Response]]:
        """Send one file, to be kept and not to be shown."""
        return Deferred.fromCoroutine(self._get(request))

    async def _get(self, request: Request) -> Optional[Response]:
        path = request.path[len(PREFIX) :]
        if _BAD_ESCAPE.search(path):
            raise _missing()
        try:
            descriptor = await self._worker.do(opened, self._folder, unquote_to_bytes(path))
        except (OSError, ValueError):
            raise _missing() from None
        with os.fdopen(descriptor, "rb") as content:
            if request.gone:
                return None
            return await self._send(request, content, path.rpartition(b"/")[2])

    async def _send(self, request: Request, content: Any, name: bytes) -> Optional[Response]:
        length = os.fstat(content.fileno()).st_size
        shown = quote(unquote_to_bytes(name), safe="").encode()
        headers = (*_HEADERS, (b"Content-Disposition", b"attachment; filename*=UTF-8''" + shown))
        wanted = request.value(b"Range")
        span = byte_range(wanted, length) if wanted and request.method == b"GET" else None
        status, offset, size = (200, 0, length) if span is None else (206, *span)
        where = b"bytes %d-%d/%d" % (offset, offset + size - 1, length)
        if span is not None and not size:
            raise Problem(416, "The file is shorter.", [(b"Content-Range", b"bytes */%d" % length)])
        headers += ((b"Content-Range", where),) if span is not None else ()
        if request.method == b"HEAD" or not size:
            request.open(status, headers, size)
            request.finish()
            return None
        over = request.notifyFinish()
        request.open(status, headers, size)
        if request.grant is not None:
            request.grant.when_changed(partial(_rights_changed, request))
        Sending(self._reactor, request, content, offset, size).start()
        await over.addErrback(lambda failure: None)
        return None


def _rights_changed(request: Request) -> None:
    if request.grant is None or not request.grant.holds(Right.DOWNLOAD):
        request.abort()


def listing(folder: str, path: bytes, most: int = MAX_ENTRIES,
            kinds: Sequence[Callable[[int], bool]] = ()) -> list[dict[str, object]]:
    """Give the entries of a directory below ``folder``, so many at most (OSError, ValueError).

    ``kinds`` are tests of st_mode, one of which they pass, if there are any.
    """
    descriptor = _walk(folder, names_of(path))
    try:
        found: list[dict[str, object]] = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if len(found) == most:
                    _log.warn("{folder} has too many files to list", folder=folder)
                    break
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if not kinds or any(kind(status.st_mode) for kind in kinds):
                    found.append(_entry(entry.name, status))
        return found
    finally:
        os.close(descriptor)


def opened(folder: str, path: bytes) -> int:
    """Give a descriptor of a regular file below ``folder`` (OSError, ValueError)."""
    names = names_of(path)
    if not names or path.endswith(b"/"):
        raise ValueError("no file is named")
    directory = _walk(folder, names[:-1])
    try:
        descriptor = os.open(names[-1], _FILE, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("not a file")
    return descriptor


def names_of(path: bytes) -> list[bytes]:
    """Cut a path into names (ValueError for what cannot be one below a folder)."""
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    if len(path) > MAX_PATH or len(names) > MAX_DEPTH or b".." in names or b"\0" in path:
        raise ValueError("not a path below the folder")
    return names


def _walk(folder: str, names: list[bytes]) -> int:
    # The folder itself is the operator's, and may be a link.
    descriptor = os.open(folder, _DIRECTORY & ~os.O_NOFOLLOW)
    for name in names:
        try:
            below = os.open(name, _DIRECTORY, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _entry(name: str, status: os.stat_result) -> dict[str, object]:
    directory = stat.S_ISDIR(status.st_mode)
    return {
        "filename": name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
        "date_modified": int(status.st_mtime),
        "date_created": int(status.st_ctime),
        "is_dir": directory,
        "size": 0 if directory else status.st_size,
        "owner": _user_name(status.st_uid),
        "group": _group_name(status.st_gid),
        "perms": f"{status.st_mode & 0o777:03o}",
    }


@lru_cache(256)
def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"(unknown uid {number})"


@lru_cache(256)
def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return f"(unknown gid {number})"


def _missing() -> Problem:
    return Problem(404, "There is nothing at this address.")
