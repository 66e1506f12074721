"""Reaching an X server: the only part that waits, so it does so on a thread."""

from __future__ import annotations

import os
import re
import socket
import struct
from typing import Any, Callable, Optional, Sequence

import xcffib
import xcffib.xproto
from twisted.internet.threads import deferToThreadPool

from kasmd.display.x11_authority import COOKIE_NAME, find_cookie
from kasmd.errors import DisplayLost

#: For all of it, the replies that ``prepare`` waits for included.
CONNECT_SECONDS = 10.0

_ffi, _lib = xcffib.ffi, xcffib.lib
_NAME = re.compile(r"(?:unix/?)?([^:/]*):(\d+)(?:\.\d+)?\Z")


class Xcb(xcffib.Connection):
    """xcffib's connection, where a request after the end vanishes and does not raise.

    Whoever needs to know hears of the end from `XConnection`.
    """

    core: Any
    setup: Any
    _error_offsets: Any

    def __init__(self, pointer: Any) -> None:
        self._conn = pointer
        self.invalid()
        self._init_x()

    def send_request(self, flags: int, parts: Any, request: Any) -> int:
        """Put a request into the buffer; gives its sequence number."""
        if self._conn is None:
            return 0
        return int(_lib.xcb_send_request(self._conn, flags, parts, request))

    def first_event(self, key: xcffib.ExtensionKey) -> int:
        """Give the number of an extension's first event."""
        return int(_lib.xcb_get_extension_data(self._conn, key.c_key).first_event)


class Repeated:
    """A request of an extension that is made again and again, and built once.

    ``fields`` are what follows its head, each of 32 bits; ``key`` is the extension's.
    """

    def __init__(self, xcb: Xcb, key: xcffib.ExtensionKey, opcode: int, fields: Sequence[int],
                 replies: bool = False) -> None:
        self._xcb = xcb
        self._flags = _lib.XCB_REQUEST_CHECKED if replies else 0
        data = struct.pack(f"=4x{len(fields)}I", *fields)
        self._data, self._size = _ffi.new("char[]", data), len(data)
        # xcb writes before the parts that it is given, and into them.
        self._parts = _ffi.new("struct iovec[3]")
        self._request = _ffi.new("xcb_protocol_request_t *")
        self._request.count, self._request.ext = 1, key.c_key
        self._request.opcode, self._request.isvoid = opcode, not replies

    def __call__(self) -> int:
        """Put it into the buffer; gives its sequence number."""
        part = self._parts[2]
        part.iov_base, part.iov_len = self._data, self._size
        return self._xcb.send_request(self._flags, self._parts + 2, self._request)


def parse_name(where: str) -> tuple[str, int]:
    """Split ``host:number.screen`` (an empty host is this machine; ValueError)."""
    match = _NAME.match(where)
    if match is None:
        raise ValueError(f"{where!r} is not the name of an X display, such as :0")
    return match[1], int(match[2])


async def open_connection(
    reactor: Any,
    where: str,
    authority: Optional[str],
    prepare: Callable[[Xcb], Any],
    seconds: float = CONNECT_SECONDS,
) -> tuple[Xcb, Any]:
    """Connect to display ``where``, on a thread; raises DisplayLost.

    ``prepare`` runs on that thread too, where it may wait for replies; what it
    gives comes with the connection.  ``authority`` is the Xauthority file.
    """
    sockets: list[socket.socket] = []

    def give_up() -> None:
        for sock in sockets:  # ends the wait on the thread
            sock.shutdown(socket.SHUT_RDWR)

    timer = reactor.callLater(seconds, give_up)
    try:
        xcb, prepared = await deferToThreadPool(
            reactor, reactor.getThreadPool(), _connect, where, authority, prepare, sockets
        )
    except DisplayLost:
        if timer.active():
            raise
        raise DisplayLost(f"display {where} does not answer") from None
    finally:
        if timer.active():
            timer.cancel()
        for sock in sockets:
            sock.close()
    return xcb, prepared


def _connect(
    where: str,
    authority: Optional[str],
    prepare: Callable[[Xcb], Any],
    sockets: list[socket.socket],
) -> tuple[Xcb, Any]:
    host, number = parse_name(where)
    try:
        sockets.append(_open_socket(host, number))
        cookie = find_cookie(authority, host, number)
        pointer = _open_xcb(sockets[0], cookie)
        try:
            xcb = Xcb(pointer)
            return xcb, prepare(xcb)
        except BaseException:
            _lib.xcb_disconnect(pointer)
            raise
    except OSError as error:
        raise DisplayLost(f"cannot connect to display {where}: {error}") from error
    except xcffib.ConnectionException as error:
        raise DisplayLost(f"display {where} refuses us: is the Xauthority right?") from error


def _open_socket(host: str, number: int) -> socket.socket:
    if host:
        return socket.create_connection((host, 6000 + number), CONNECT_SECONDS)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(CONNECT_SECONDS)
    try:
        sock.connect(f"/tmp/.X11-unix/X{number}")
    except OSError:
        sock.close()
        raise
    return sock


def _open_xcb(sock: socket.socket, cookie: Optional[bytes]) -> Any:
    """Shake hands over a copy of ``sock`` (xcffib's own way breaks on cookies with a colon)."""
    info = _ffi.NULL
    if cookie is not None:
        name, data = _ffi.new("char[]", COOKIE_NAME), _ffi.new("char[]", cookie)
        info = _ffi.new("xcb_auth_info_t *")
        info.name, info.namelen, info.data, info.datalen = name, len(COOKIE_NAME), data, len(cookie)
    return _lib.xcb_connect_to_fd(os.dup(sock.fileno()), info)
