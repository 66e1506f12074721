"""A request that becomes a websocket, and what ends that before its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, NamedTuple

from twisted.logger import Logger

from kasmd.edge.answers import PROXY_STATUS
from kasmd.edge.asking import Allowed
from kasmd.edge.failures import refusal
from kasmd.edge.passage import Passage
from kasmd.edge.splice import Ended, Splice
from kasmd.edge.splices import Splices
from kasmd.h1.body import Framing
from kasmd.h1.fields import Field, Fields
from kasmd.h1.head import ResponseHead
from kasmd.http.problems import CLOSE
from kasmd.http.server import Request
from kasmd.http.upgrade import accept_of
from kasmd.interfaces import IGrant
from kasmd.log.lines import publish
from kasmd.log.text import quoted, word
from kasmd.rights import Right

if TYPE_CHECKING:
    from kasmd.edge.relay import Relay

_log = Logger(namespace="kasmd.edge")

#: A websocket's close code (RFC 6455 section 7.4.1).
POLICY = 1008
UPGRADE = ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))


class Handshake(Passage):
    """A request that asks for a websocket: on a connection of its own, which it may keep."""

    upgrade = UPGRADE

    def __init__(self, relay: Relay, request: Request, allowed: Allowed, key: bytes) -> None:
        self._key = key
        super().__init__(relay, request, allowed)

    def answer_received(self, head: ResponseHead, framing: Framing) -> None:
        if head.status != 101:
            super().answer_received(head, framing)
        elif self._is_right(head.fields):
            self._splice(head)
        else:
            self._blame(refusal("upgrade-refused", [CLOSE]), "its 101 is not what was asked for")

    def _refuses_us(self, head: ResponseHead) -> bool:
        # Websockify's way to say that a password is wrong.
        forbidden = head.status == 403 and PROXY_STATUS not in head.fields
        return forbidden or super()._refuses_us(head)

    def _fields(self, head: ResponseHead) -> list[Field]:
        """After a handshake that was refused, nothing more is read as a request."""
        return [*super()._fields(head), *(UPGRADE if head.status == 101 else (CLOSE,))]

    def _is_right(self, fields: Fields) -> bool:
        """Tell whether a 101 answers what was asked (RFC 6455 section 4.1)."""
        asked = self._request.fields
        protocols = fields.all(b"sec-websocket-protocol")
        offered = [name.strip() for name in _joined(asked, b"sec-websocket-protocol").split(b",")]
        return (
            fields.tokens(b"upgrade") == [b"websocket"]
            and b"upgrade" in fields.tokens(b"connection")
            and fields.all(b"sec-websocket-accept") == [accept_of(self._key)]
            and (not protocols or (len(protocols) == 1 and protocols[0] in offered))
            and _extensions(fields) <= _extensions(asked)
        )

    def _splice(self, head: ResponseHead) -> None:
        request, grant = self._request, self._allowed.grant
        request.open(101, self._fields(head), None, None)
        # The socket keeps the grant; with the request it would be released.
        request.grant = None
        self._end()
        extensions = _joined(head.fields, b"sec-websocket-extensions")
        socket = Socket(self._relay.splices, extensions, grant, self._allowed.session)
        request.hand_over(socket.splice.client)
        self._exchange.hand_over(socket.splice.upstream)


class Left(NamedTuple):
    """A websocket that is over, as a record of the log."""

    user: str
    session: str
    ended: Ended

    @property
    def writer(self) -> str:
        return "edge"

    def __str__(self) -> str:
        by, code, reason, *_ = self.ended
        who, where = word(self.user), word(self.session)
        return f'{who} left {where}: {by} ended it with {code} "{quoted(reason)}"'

    @property
    def fields(self) -> Mapping[str, object]:
        """Give the same for JSON, and how much came and went."""
        by, code, reason, received, sent, seconds = self.ended
        return {
            "user": quoted(self.user), "session": self.session, "ended_by": by, "code": code,
            "reason": quoted(reason), "received": received, "sent": sent,
            "seconds": round(seconds, 1),
        }


class Socket:
    """A websocket that lasts as long as its grant: all that is left of its handshake."""

    __slots__ = ("splice", "_grant", "_session", "_unwatch")

    def __init__(self, splices: Splices, extensions: bytes, grant: IGrant, session: str) -> None:
        self.splice = Splice(splices, extensions, self._ended)
        self._grant = grant
        self._session = session
        self._unwatch = grant.when_changed(self._grant_changed)

    def _grant_changed(self) -> None:
        if not self._grant.holds(Right.ENTER):
            self.splice.splices.revoked += 1
            self.splice.close(POLICY, "you may not use this desktop any more")

    def _ended(self, ended: Ended) -> None:
        self._unwatch()
        publish(Left(self._grant.name, self._session, ended), _log)
        self._grant.release()


def _joined(fields: Fields, name: bytes) -> bytes:
    return b",".join(fields.all(name))


def _extensions(fields: Fields) -> set[bytes]:
    """Give the names of a Sec-WebSocket-Extensions field."""
    value = _joined(fields, b"sec-websocket-extensions")
    return {entry.partition(b";")[0].strip().lower() for entry in value.split(b",")} - {b""}
