"""Files of a few directory trees, read once and kept while they do not change.

Texts are kept packed with gzip, too, for those who take them so.
A path is decoded once and strictly; what it names must lie, links resolved,
inside the tree of its mount.  There are no listings and no hidden files.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple, Optional, Sequence
from urllib.parse import quote, unquote_to_bytes

from twisted.internet.interfaces import IReactorTime

from kasmd.http.headers import byte_range, etag_matches, takes_gzip
from kasmd.http.problems import Headers, Problem
from kasmd.http.sending import Sending
from kasmd.http.server import Request, Response

#: Larger files are read as they are sent.
MAX_KEPT_FILE = 256 * 1024
#: Larger files are not packed: 3 ms are gone with one of this size.
MAX_PACKED_FILE = 128 * 1024
_LEVEL = 6
#: Paths kept in memory; a full store is emptied and fills itself again.
MAX_KEPT = 512
#: Seconds for which a file is taken not to have changed.
FRESH = 1.0
MAX_PATH = 1024

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})|%2[fF]|%5[cC]|%00|\\")
_TYPES = {
    ".bmp": b"image/bmp",
    ".css": b"text/css; charset=utf-8",
    ".gif": b"image/gif",
    ".htm": b"text/html; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".ico": b"image/vnd.microsoft.icon",
    ".jpeg": b"image/jpeg",
    ".jpg": b"image/jpeg",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".map": b"application/json",
    ".mjs": b"text/javascript; charset=utf-8",
    ".mp3": b"audio/mpeg",
    ".oga": b"audio/ogg",
    ".pdf": b"application/pdf",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".ttf": b"font/ttf",
    ".txt": b"text/plain; charset=utf-8",
    ".wasm": b"application/wasm",
    ".webmanifest": b"application/manifest+json",
    ".webp": b"image/webp",
    ".woff": b"font/woff",
    ".woff2": b"font/woff2",
    ".xml": b"application/xml",
}
_PACKED_TYPES = re.compile(rb"text/|application/json|image/svg|application/manifest")
_UNKNOWN_TYPE = b"application/octet-stream"


class Mount(NamedTuple):
    """A directory tree and where it is published."""

    #: Begins and ends with a slash.
    prefix: bytes
    directory: Path
    #: Cache-Control of everything but HTML, which is always asked for again.
    cache_control: bytes = b"private, no-cache"
    headers: Headers = ()


class _File(NamedTuple):
    path: str
    identity: tuple[int, int, int]
    etag: bytes
    headers: Headers
    body: Optional[bytes]
    looked: float
    packed: Optional[_File] = None

    @property
    def size(self) -> int:
        return self.identity[2] if self.body is None else len(self.body)


class StaticFiles:
    """Answers GET and HEAD from the first mount whose prefix fits."""

    def __init__(self, reactor: IReactorTime, mounts: Sequence[Mount]) -> None:
        self._reactor = reactor
        self._mounts = [
            (mount, os.path.realpath(mount.directory))
            for mount in sorted(mounts, key=lambda mount: -len(mount.prefix))
        ]
        self._kept: dict[bytes, _File] = {}

    def get(self, request: Request) -> Optional[Response]:
        """Answer with the file that the path names."""
        file = self._find(request.path)
        if file.packed is not None and _may_be_packed(request):
            file = file.packed
        conditions = request.values(b"If-None-Match")
        if conditions and etag_matches(conditions, file.etag):
            return Response(304, file.headers)
        span = self._range(request, file)
        if span is None:
            return self._send(request, file, 200, 0, file.size, file.headers)
        offset, size = span
        if not size:
            raise Problem(
                416,
                "The file is shorter than that.",
                [(b"Content-Range", b"bytes */%d" % file.size)],
            )
        where = b"bytes %d-%d/%d" % (offset, offset + size - 1, file.size)
        headers = (*file.headers, (b"Content-Range", where))
        return self._send(request, file, 206, offset, size, headers)

    def _range(self, request: Request, file: _File) -> Optional[tuple[int, int]]:
        value = request.value(b"Range")
        if not value or request.method != b"GET":
            return None
        if request.values(b"If-Range") not in ([], [file.etag]):
            return None
        return byte_range(value, file.size)

    def _send(
        self, request: Request, file: _File, status: int, offset: int, size: int, headers: Headers
    ) -> Optional[Response]:
        if file.body is not None:
            return Response(status, headers, file.body[offset : offset + size])
        try:
            content = open(file.path, "rb")
        except OSError:
            raise _missing() from None
        request.open(status, headers, size)
        if request.method == b"HEAD":
            content.close()
            request.finish()
        else:
            request.notifyFinish().addBoth(lambda _: content.close())
            Sending(self._reactor, request, content, offset, size).start()
        return None

    # Finding.

    def _find(self, path: bytes) -> _File:
        now = self._reactor.seconds()
        file = self._kept.get(path)
        if file is not None:
            if now - file.looked < FRESH:
                return file
            if _look(file.path) == file.identity:
                self._kept[path] = file = file._replace(looked=now)
                return file
        self._kept.pop(path, None)
        file = self._read(path, now)
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[path] = file
        return file

    def _read(self, path: bytes, now: float) -> _File:
        for mount, root in self._mounts:
            if path.startswith(mount.prefix):
                found = _resolve(root, path[len(mount.prefix) :], path)
                return _file(found, mount, now)
        raise _missing()


def _resolve(root: str, path: bytes, whole: bytes) -> str:
    """Give the real path of a file inside ``root``, or raise a `Problem`."""
    names = _segments(path)
    real = os.path.realpath(os.path.join(root, *names))
    if real != root and not real.startswith(root + os.sep):
        raise _missing()
    is_directory = os.path.isdir(real)
    if is_directory and names and names[-1]:
        last = quote(names[-1]).encode("ascii")
        raise Problem(301, "This is a directory.", [(b"Location", b"./" + last + b"/")])
    if not is_directory and names and not names[-1]:
        raise _missing()
    if is_directory:
        return _resolve(root, path + b"index.html", whole)
    return real


def _segments(path: bytes) -> list[str]:
    """Decode a path below its mount; an empty last name means a directory."""
    if len(path) > MAX_PATH or _BAD_ESCAPE.search(path):
        raise _missing()
    try:
        names = unquote_to_bytes(path).decode("utf-8").split("/")
    except UnicodeDecodeError:
        raise _missing() from None
    if "" in names[:-1] or any(name.startswith(".") or "\0" in name for name in names):
        raise _missing()
    return names


def _may_be_packed(request: Request) -> bool:
    return takes_gzip(request.values(b"Accept-Encoding")) and not request.values(b"Range")


def _file(path: str, mount: Mount, now: float) -> _File:
    identity = _look(path)
    if identity is None:
        raise _missing()
    body = None
    if identity[2] <= MAX_KEPT_FILE:
        try:
            body = Path(path).read_bytes()
        except OSError:
            raise _missing() from None
        identity = (identity[0], identity[1], len(body))
    content_type = _TYPES.get(os.path.splitext(path)[1].lower(), _UNKNOWN_TYPE)
    etag = b'"%x-%x-%x"' % identity
    is_html = content_type.startswith(b"text/html")
    headers = (
        (b"Content-Type", content_type),
        (b"ETag", etag),
        (b"Cache-Control", b"private, no-cache" if is_html else mount.cache_control),
        (b"Accept-Ranges", b"bytes"),
        *mount.headers,
    )
    file = _File(path, identity, etag, headers, body, now)
    return _packed(file) if _PACKED_TYPES.match(content_type) else file


def _packed(file: _File) -> _File:
    """Give the file with what it is packed, if that is less."""
    if file.body is None or len(file.body) > MAX_PACKED_FILE:
        return file
    body = gzip.compress(file.body, _LEVEL, mtime=0)
    if len(body) >= len(file.body):
        return file
    varies = (*file.headers, (b"Vary", b"Accept-Encoding"))
    etag = file.etag[:-1] + b'-gzip"'
    headers = [(name, etag if name == b"ETag" else value) for name, value in varies]
    packed = file._replace(
        etag=etag, headers=(*headers, (b"Content-Encoding", b"gzip")), body=body
    )
    return file._replace(headers=varies, packed=packed)


def _look(path: str) -> Optional[tuple[int, int, int]]:
    """Give what tells one content of a file from another, None if it is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _missing() -> Problem:
    return Problem(404, "There is nothing at this address.")
