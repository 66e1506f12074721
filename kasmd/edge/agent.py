"""The agent hop (workspaces.md 1.4): the last one, which knows the desktops and their passwords.

    -> GET /api/internal_auth/   at the Upstream Auth Address
    <- 202

or a ticket of the hop before, which says the same without a question, and so
without a way back to the public address from inside (the guide's NAT hairpin).
The directory has the desktop and its credential; the client never sees that.
"""

from __future__ import annotations

from typing import Callable, Collection, Optional

from twisted.logger import Logger

from kasmd.edge.asking import Allowed, Asked, Upstream
from kasmd.edge.directory import Directory, Session
from kasmd.edge.failures import refusal
from kasmd.edge.kasm import Ask, ControlPlane, Question, Timing
from kasmd.edge.paths import check_path
from kasmd.edge.ways import Place, Way
from kasmd.errors import LoginRefused
from kasmd.h1.fields import Field
from kasmd.h1.head import ResponseHead
from kasmd.http.failures import Refusal
from kasmd.http.headers import TICKET_FIELD as TICKET
from kasmd.http.server import Request
from kasmd.interfaces import IGrant, Principal
from kasmd.permission.leases import Leases
from kasmd.permission.tickets import Tickets

_log = Logger(namespace="kasmd.edge")

#: Stands in the auth address for the host that was asked for.
REQUEST_HOST = "$request_host$"
#: The service that a session is; others are in the directory as ``<session>-<service>``.
_DESKTOP = "vnc"


class AgentHop(ControlPlane):
    """Asks ``address`` for ``path``, or takes tickets; ``directory`` says where desktops are.

    Where the address is the host that was asked for, it must be one of ``hosts``:
    a client names that host, and would name one that says yes to everything.
    """

    def __init__(self, ask: Ask, leases: Leases, clock: Callable[[], float], address: Upstream,
                 directory: Directory, timing: Timing = Timing(), below: bytes = b"/desktop/",
                 path: bytes = b"/api/internal_auth/", hosts: Collection[str] = (),
                 tickets: Optional[Tickets] = None) -> None:
        super().__init__(ask, leases, clock, timing, below)
        self._address = address
        self._path = path
        self._hosts = frozenset(host.lower() for host in hosts)
        self._directory = directory
        self._tickets = tickets
        self._bonds: dict[str, object] = {}
        directory.when_changed(self._directory_changed)

    def authorise(self, request: Request) -> Asked:
        """Give leave to pass, or raise or fail with a refusal."""
        if self._tickets is not None and request.values(TICKET):
            return self._by_ticket(request, self._tickets)
        return super().authorise(request)

    def _by_ticket(self, request: Request, tickets: Tickets) -> Allowed:
        check_path(request.path)
        place = Place.of(request.path, self._below)
        try:
            ticket = tickets.read(request.value(TICKET).decode("latin-1"))
        except LoginRefused as error:
            raise _unbelieved(str(error), request) from None
        if place is None or ticket.session != place.session:
            raise _unbelieved("it is for another desktop", request)
        principal = ticket.principal
        self._leases.put(principal, place.session, ticket.rights, 0)
        grant = self._leases.admit(principal, place.session)
        return self._allowed(place, request.uri, principal, grant, tickets.left(ticket))

    def _ask_for(self, question: Question) -> tuple[Upstream, bytes]:
        if self._address.host != REQUEST_HOST:
            return self._address, self._path
        host = question.host.decode("latin-1").lower()
        name, _, port = host.rpartition(":")
        if not port.isdigit():
            name, port = host, str(self._address.port)
        name = name.strip("[]")
        if name not in self._hosts:
            raise refusal("auth-service-down", detail=f"{name} is not one of the hosts to ask")
        return self._address._replace(host=name, port=int(port)), self._path

    def _way(self, question: Question, reply: ResponseHead) -> Way:
        session = self._session(question.place)
        return self._way_to(question.place, session, ())

    def _allow(self, way: Way, question: Question) -> Allowed:
        place, principal = question.place, question.principal
        return self._allowed(
            place, question.uri, principal, self._leases.admit(principal, place.session),
            self._leases.left(principal, place.session),
        )

    def _allowed(self, place: Place, uri: bytes, principal: Principal, grant: IGrant,
                 seconds: float) -> Allowed:
        """Say where the desktop is, with the credential for what the grant holds."""
        session = self._session(place)
        credential = session.credential_for(grant)
        if credential is None:
            grant.release()
            raise refusal("not-allowed")
        fields: tuple[Field, ...] = ()
        if credential.tickets is not None:
            rights = self._leases.rights_of(principal, place.session)
            ticket = credential.tickets.sign(principal.name, place.session, rights)
            fields = ((TICKET, ticket.encode("ascii")),)
        elif credential.authorization:
            fields = ((b"Authorization", credential.authorization),)
        way = self._way_to(place, session, fields)
        target = way.target(uri)
        assert target is not None, "the way begins where the place does"
        self._bonds[place.session] = session.bond
        return Allowed(
            grant, principal, place.session, way.upstream, target, fields,
            way.reach(place), seconds,
        )

    def _session(self, place: Place) -> Session:
        ident = place.session if place.service in ("", _DESKTOP) else (
            f"{place.session}-{place.service}"
        )
        session = self._directory.find(ident)
        if session is None:
            raise refusal("no-such-session")
        if not session.running:
            raise refusal("session-starting")
        return session

    @staticmethod
    def _way_to(place: Place, session: Session, fields: tuple[Field, ...]) -> Way:
        service = b"/" + place.service.encode("latin-1") if place.service else b""
        return Way(session.upstream, fields, place.prefix + service, session.prefix)

    def _directory_changed(self) -> None:
        """End what was opened at a desktop that is another one now, or none."""
        ended = {target for target, bond in self._bonds.items() if self._bond(target) != bond}
        for target in ended:
            del self._bonds[target]
        self._directory.spread(self._leases.ending(ended))

    def _bond(self, target: str) -> object:
        session = self._directory.find(target)
        return session.bond if session is not None else None


def _unbelieved(why: str, request: Request) -> Refusal:
    """Refuse a ticket, and tell the log, too: whoever sent it hears that it was refused only."""
    _log.warn("the ticket of {address} is refused: {why}", address=request.address, why=why,
              request_id=request.request_id)
    return refusal("ticket-refused", detail=why)
