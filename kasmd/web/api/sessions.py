"""Who is connected: /sessions, and what holds each one's picture back: /statistics."""

from __future__ import annotations

from secrets import token_hex
from typing import Mapping, Optional
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IReactorTime

from kasmd.http.server import Response
from kasmd.interfaces import IRoster, IViewer
from kasmd.log.audit import audited
from kasmd.ranges import KILOBIT
from kasmd.rights import Right
from kasmd.web.api.operations import Call, Operation, done, told
from kasmd.web.api.problems import missing
from kasmd.web.api.rights import held_said, rights_said
from kasmd.web.api.schemas import Schema, listed, ref
from kasmd.web.pages import Pages

#: A websocket's close code (RFC 6455 section 7.4.1).
_POLICY = 1008
_REASON: Mapping[str, Schema] = {"reason": {
    "type": "string", "maxLength": 100, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$",
    "description": "Shown to the viewer, where it can.",
}}


class Sessions:
    """The viewers of ``roster``, each with a name of its own for addresses.

    Messages are shown by ``pages``.
    """

    def __init__(self, reactor: IReactorTime, roster: IRoster, pages: Pages) -> None:
        self._reactor = reactor
        self._roster = roster
        self._pages = pages
        self._idents: WeakKeyDictionary[IViewer, str] = WeakKeyDictionary()

    def operations(self) -> tuple[Operation, ...]:
        """Give what is offered."""
        owner, one = Right.MANAGE, "/sessions/{id}"
        return (
            Operation("list_sessions", "GET", "/sessions", "Who is connected, oldest first.",
                      owner, self.list, answer=listed("Session")),
            Operation("get_session", "GET", one, "One connection.",
                      owner, self.get, answer=ref("Session"), problems=(404,)),
            Operation("patch_session", "PATCH", one,
                      "Change what is named, at once and while the connection lasts.",
                      owner, self.patch, ref("SessionPatch"), ref("Session"), problems=(404,)),
            Operation("message_session", "POST", f"{one}/messages", "Show the viewer a message.",
                      owner, self.message, ref("Message"), ref("Shown"), problems=(404,)),
            Operation("delete_session", "DELETE", one, "Disconnect, saying why.",
                      owner, self.delete, status=204, query=_REASON, problems=(404,)),
            Operation("get_statistics", "GET", "/statistics", "What holds pictures back.",
                      owner, self.statistics, answer=listed("Statistics")),
        )

    def present(self) -> Mapping[str, Mapping[str, object]]:
        """Give what is said of each who is here, by its ident."""
        return {self._ident(viewer): self._said(viewer) for viewer in self._roster.viewers()}

    def list(self, call: Call) -> Response:
        """Answer with everyone."""
        return told(list(self.present().values()))

    def get(self, call: Call) -> Response:
        """Answer with one."""
        return told(self._said(self._find(call)))

    def patch(self, call: Call) -> Response:
        """Change what one may be sent."""
        viewer = self._find(call)
        if "max_bandwidth" in call.body:
            before, after = _kilobits(viewer), call.body["max_bandwidth"]
            viewer.limit_bandwidth(None if after is None else int(after) * KILOBIT)
            if after != before:
                audited("session", viewer.name, "max_bandwidth", str(before), str(after))
        return told(self._said(viewer))

    def message(self, call: Call) -> Response:
        """Show one a message, and say whether that can be."""
        viewer, principal = self._find(call), call.request.principal
        sender = "" if principal is None else principal.name
        shown = self._pages.tell(viewer, {"from": sender, "text": call.body["text"]})
        if shown:
            audited("session", viewer.name, "messaged")
        return told({"shown": shown})

    def delete(self, call: Call) -> Response:
        """Disconnect one."""
        viewer = self._find(call)
        viewer.disconnect(_POLICY, call.query.get("reason") or "the owner ended this connection")
        audited("session", viewer.name, "disconnected")
        return done()

    def statistics(self, call: Call) -> Response:
        """Answer with four scores for each."""
        now = self._reactor.seconds()
        return told([
            {"id": self._ident(viewer), "name": viewer.name,
             **viewer.measures.scores(now)._asdict()}
            for viewer in self._roster.viewers()
        ])

    def _find(self, call: Call) -> IViewer:
        for viewer in self._roster.viewers():
            if self._ident(viewer) == call.path["id"]:
                return viewer
        raise missing("session")

    def _ident(self, viewer: IViewer) -> str:
        return self._idents.setdefault(viewer, token_hex(8))

    def _said(self, viewer: IViewer) -> dict[str, object]:
        grant = viewer.grant
        return {
            "id": self._ident(viewer),
            "name": viewer.name,
            "peer": viewer.peer,
            "since": viewer.connected_at,
            "rights": rights_said(Right(0)) if grant is None else held_said(grant.holds),
            "max_bandwidth": _kilobits(viewer),
        }


def _kilobits(viewer: IViewer) -> Optional[int]:
    most = viewer.max_bandwidth
    return None if most is None else round(most / KILOBIT)
