"""One selection's content, given to programs and taken from them, large ones by INCR."""

from __future__ import annotations

import io
import struct
from typing import Any, Callable, NamedTuple, Optional

import xcffib
import xcffib.xproto
from twisted.internet.base import DelayedCall
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger

from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_server import Server
from kasmd.errors import DisplayLost
from kasmd.interfaces import ClipboardContent

#: Bytes in one property, and transfers at once: together they fit a socket's
#: buffer, so that writing to a stopped X server does not block.
CHUNK, MAX_TRANSFERS = 32768, 4
#: A transfer that makes no step for this long is given up.
STALL_SECONDS = 5.0

TEXT, HTML, PNG = "text/plain", "text/html", "image/png"
#: For each kind of content the targets that mean it, best first.
TARGETS = {
    TEXT: ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "STRING"),
    HTML: ("text/html",),
    PNG: ("image/png",),
}
_KIND_OF = {target: kind for kind, targets in TARGETS.items() for target in targets}

_ATOM, _INTEGER, _ANY = xcffib.xproto.Atom.ATOM, xcffib.xproto.Atom.INTEGER, 0
_NEW, _DELETED = xcffib.xproto.Property.NewValue, xcffib.xproto.Property.Delete
#: Enough for every target that a program could offer.
_MAX_TARGETS = 4096


class _Transfer(NamedTuple):
    """What one program still has to take."""

    kind: int
    left: memoryview
    timer: DelayedCall


class Giver:
    """Gives ``content`` to programs that paste."""

    def __init__(self, reactor: Any, connection: XConnection, server: Server) -> None:
        self.content: dict[str, bytes] = {}
        self.owned_since = 0
        self._reactor = reactor
        self._connection = connection
        self._server = server
        self._names = {atom: name for name, atom in server.atoms.items()}
        self._transfers: dict[tuple[int, int], _Transfer] = {}

    def requested(self, event: Any) -> None:
        """Answer a program's request."""
        prop = event.property or event.target
        if not self._answer(event.requestor, prop, self._names.get(event.target, "")):
            prop = 0
        answer = xcffib.xproto.SelectionNotifyEvent.synthetic(
            event.time, event.requestor, event.selection, event.target, prop
        )
        self._connection.core.SendEvent(False, event.requestor, 0, answer.pack())
        self._connection.flush()

    def property_changed(self, event: Any) -> None:
        """Give the next chunk when a program has taken the last."""
        key = event.window, event.atom
        transfer = self._transfers.get(key)
        if transfer is None or event.state != _DELETED:
            return
        self._put(*key, transfer.kind, 8, transfer.left[:CHUNK])
        self._connection.flush()
        if transfer.left:
            transfer.timer.reset(STALL_SECONDS)
            self._transfers[key] = transfer._replace(left=transfer.left[CHUNK:])
        else:
            self._end(key)

    def close(self) -> None:
        """End all transfers."""
        for key in tuple(self._transfers):
            self._end(key)

    def _answer(self, requestor: int, prop: int, target: str) -> bool:
        atoms = self._server.atoms
        if target == "TARGETS":
            names = ["TARGETS", "TIMESTAMP"]
            names += [name for kind in self.content for name in TARGETS.get(kind, ())]
            data = b"".join(struct.pack("=I", atoms[name]) for name in names)
            self._put(requestor, prop, _ATOM, 32, data)
            return True
        if target == "TIMESTAMP":
            self._put(requestor, prop, _INTEGER, 32, struct.pack("=I", self.owned_since))
            return True
        content = self.content.get(_KIND_OF.get(target, ""))
        if content is None:
            return False
        if target == "STRING":
            content = content.decode("utf-8", "replace").encode("latin-1", "replace")
        if len(content) <= CHUNK:
            self._put(requestor, prop, atoms[target], 8, content)
            return True
        return self._begin((requestor, prop), atoms[target], content)

    def _begin(self, key: tuple[int, int], kind: int, content: bytes) -> bool:
        if len(self._transfers) >= MAX_TRANSFERS or key in self._transfers:
            return False
        self._listen(key[0], xcffib.xproto.EventMask.PropertyChange)
        self._put(*key, self._server.atoms["INCR"], 32, struct.pack("=I", len(content)))
        timer = self._reactor.callLater(STALL_SECONDS, self._end, key)
        self._transfers[key] = _Transfer(kind, memoryview(content), timer)
        return True

    def _end(self, key: tuple[int, int]) -> None:
        timer = self._transfers.pop(key).timer
        if timer.active():
            timer.cancel()
        if all(window != key[0] for window, _ in self._transfers):
            self._listen(key[0], 0)
            self._connection.flush()

    def _listen(self, window: int, mask: int) -> None:
        core = self._connection.core
        core.ChangeWindowAttributes(window, xcffib.xproto.CW.EventMask, [mask])

    def _put(
        self, window: int, prop: int, kind: int, bits: int, data: bytes | memoryview
    ) -> None:
        """Change a property (xcffib's own way takes milliseconds for a chunk)."""
        request = struct.pack("=xB2xIIIB3xI", 0, window, prop, kind, bits, len(data) * 8 // bits)
        self._connection.core.send_request(18, io.BytesIO(request + bytes(data)))


class Taker:
    """Takes what a program copied, in all kinds that we know; a new owner ends it."""

    log = Logger()

    def __init__(self, reactor: Any, connection: XConnection, server: Server,
                 deliver: Callable[[ClipboardContent], None]) -> None:
        self._reactor = reactor
        self._connection = connection
        self._server = server
        self._deliver = deliver
        self._property = server.atoms["KASMD_CLIPBOARD"]
        self._taking: Optional[Deferred[None]] = None
        self._awaited: Optional[tuple[tuple[int, ...], Deferred[Any]]] = None

    def take(self, timestamp: int, limit: int) -> None:
        """Ask the owner, who owns it since ``timestamp``; ``limit`` is in bytes."""
        self.close()
        self._taking = Deferred.fromCoroutine(self._take(timestamp, limit))

    def close(self) -> None:
        """Stop taking."""
        if self._taking is not None:
            taking, self._taking = self._taking, None
            taking.cancel()

    def converted(self, event: Any) -> None:
        """Hear the owner's answer."""
        self._hear((event.time, event.target), event.property)

    def property_changed(self, event: Any) -> None:
        """Hear that the owner wrote another chunk."""
        self._hear((event.atom, event.state), None)

    def _hear(self, what: tuple[int, ...], answer: Any) -> None:
        if self._awaited is not None and self._awaited[0] == what:
            deferred = self._awaited[1]
            self._awaited = None
            deferred.callback(answer)

    def _expect(self, what: tuple[int, ...]) -> Deferred[Any]:
        deferred: Deferred[Any] = Deferred()
        self._awaited = what, deferred
        return deferred.addTimeout(STALL_SECONDS, self._reactor)

    async def _take(self, timestamp: int, limit: int) -> None:
        try:
            offered = await self._convert("TARGETS", timestamp, 4 * _MAX_TARGETS)
            atoms = {atom for (atom,) in struct.iter_unpack("=I", offered[: len(offered) & ~3])}
            content: dict[str, bytes] = {}
            for kind, targets in TARGETS.items():
                room = limit - sum(map(len, content.values()))
                for target in targets:
                    if self._server.atoms[target] in atoms:
                        data = await self._convert(target, timestamp, room)
                        content[kind] = _to_text(data, target) if kind == TEXT else data
                        break
            if any(content.values()):
                self._deliver(content)
        except DeferredTimeout:
            self.log.info("a copy on the desktop was not taken: its program does not answer")
        except (XError, _TooLarge) as error:
            self.log.info("a copy on the desktop was not taken: {error}", error=error)
        except (DisplayLost, CancelledError):
            return

    async def _convert(self, target: str, timestamp: int, limit: int) -> bytes:
        """Give the selection as ``target``; empty where the owner refuses."""
        atoms, window = self._server.atoms, self._server.window
        self._connection.core.ConvertSelection(
            window, atoms["CLIPBOARD"], atoms[target], self._property, timestamp
        )
        self._connection.flush()
        if not await self._expect((timestamp, atoms[target])):
            return b""
        kind, data = await self._read(limit)
        if kind != atoms["INCR"]:
            return data
        parts: list[bytes] = []
        while True:
            chunk = self._expect((self._property, _NEW))
            self._connection.core.DeleteProperty(window, self._property)
            self._connection.flush()
            await chunk
            _, part = await self._read(limit - sum(map(len, parts)))
            if not part:
                return b"".join(parts)
            parts.append(part)

    async def _read(self, limit: int) -> tuple[int, bytes]:
        """Give the property's type and data."""
        data = bytearray()
        while True:
            reply = await self._connection.request_raw(self._connection.core.GetProperty(
                False, self._server.window, self._property, _ANY, len(data) // 4, CHUNK // 4
            ))
            bits, kind, after, count = struct.unpack_from("=xB6xIII", reply)
            data += reply[32 : 32 + count * bits // 8]
            if len(data) + after > limit:
                raise _TooLarge("it is too large")
            if not after:
                return kind, bytes(data)


class _TooLarge(Exception):
    """More than we take."""


def _to_text(data: bytes, target: str) -> bytes:
    """Give UTF-8 with LF line ends, whatever the program sent."""
    text = data.decode("latin-1" if target == "STRING" else "utf-8", "replace")
    return text.replace("\r\n", "\n").rstrip("\0").encode()
