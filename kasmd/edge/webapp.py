"""The webapp hop (workspaces.md 1.3): the control plane says who may pass, and where to.

    -> GET /api/kasm_connect/
    <- 202, connect_hostname, connect_port, connect_path, connect_auth, connect_kasm_id,
       connect_schema

To Kasm's answer kasmd's control plane adds connect_rights (letters of r, w and o),
which go on in a ticket; without it, the credential alone says what may be done.
"""

from __future__ import annotations

import re
from typing import Callable, Optional

from kasmd.edge.asking import Trust, Upstream
from kasmd.edge.failures import refusal
from kasmd.edge.kasm import Ask, ControlPlane, Question, Timing
from kasmd.edge.ways import Way, beginnings
from kasmd.h1.fields import Field, Fields
from kasmd.h1.head import ResponseHead
from kasmd.http.headers import TICKET_FIELD as TICKET
from kasmd.permission.leases import Leases
from kasmd.permission.registry import EVERYTHING
from kasmd.permission.tickets import Tickets
from kasmd.rights import Right, rights_from_letters

_PORT = re.compile(r"[0-9]{1,5}\Z")
_PATH = re.compile(rb"[!-~]+\Z")


class WebappHop(ControlPlane):
    """Asks ``address`` for ``path``; ``trust`` is how the sessions' hosts are known."""

    def __init__(self, ask: Ask, leases: Leases, clock: Callable[[], float], address: Upstream,
                 trust: Trust = Trust(), timing: Timing = Timing(),
                 below: bytes = b"/desktop/", path: bytes = b"/api/kasm_connect/",
                 tickets: Optional[Tickets] = None) -> None:
        super().__init__(ask, leases, clock, timing, below)
        self._address = address
        self._path = path
        self._trust = trust
        self._tickets = tickets

    def _fields(self, way: Way, question: Question) -> tuple[Field, ...]:
        if self._tickets is None:
            return way.fields
        principal, session = question.principal, question.place.session
        rights = self._leases.rights_of(principal, session)
        ticket = self._tickets.sign(principal.name, session, rights)
        return (*way.fields, (TICKET, ticket.encode("ascii")))

    def _rights(self, reply: ResponseHead) -> Right:
        letters = _Told(reply.fields).text("rights")
        return rights_from_letters(letters) if letters else EVERYTHING

    def _ask_for(self, question: Question) -> tuple[Upstream, bytes]:
        return self._address, self._path

    def _way(self, question: Question, reply: ResponseHead) -> Way:
        told = _Told(reply.fields)
        scheme = told.text("schema") or "https"
        host, port = told.text("hostname"), told.text("port")
        path = told.get("path") or question.uri
        if not path.startswith(b"/"):
            path = b"/" + path
        known = scheme in ("http", "https") and host and _PATH.match(path)
        if not known or not _PORT.match(port) or not 0 < int(port) < 65536:
            raise refusal("auth-service-down", detail="its answer names no desktop")
        tls = self._trust if scheme == "https" else None
        fields = []
        if told.get("auth"):
            fields.append((b"Authorization", told.get("auth")))
        fields.append((b"X-Kasm-ID", told.get("kasm_id") or question.place.session.encode()))
        fields.append(question.cookie)
        public, inner = beginnings(question.uri, path)
        return Way(Upstream(host, int(port), "", tls), tuple(fields), public, inner)


class _Told:
    """The connect_* fields, spelt with a dash or an underscore."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def get(self, name: str) -> bytes:
        key = f"connect_{name}".encode()
        return self._fields.get(key) or self._fields.get(key.replace(b"_", b"-"))

    def text(self, name: str) -> str:
        return self.get(name).decode("latin-1")
