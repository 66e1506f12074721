"""The two hops of Kasm Workspaces: a control plane is asked who may pass.

    webapp hop:  -> GET /api/kasm_connect/   <- 202, connect_hostname, connect_port, ...
    agent hop:   -> GET /api/internal_auth/  <- 202

Each question carries the address that was asked for (X-Original-URI) and exactly
three cookies.  2xx is leave to pass, 401 and 403 are not, and whatever else comes,
or does not come, is not either: a hop that cannot ask lets nobody in.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Callable, NamedTuple, Optional, Union
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.edge.asking import Allowed, Asked, Upstream
from kasmd.edge.cookies import (
    NEEDED,
    USERNAME,
    CookieConflict,
    clearing,
    cookie_field,
    fingerprint,
    kasm_cookies,
)
from kasmd.edge.failures import refusal
from kasmd.edge.paths import check_path
from kasmd.edge.ways import Place, Way
from kasmd.h1.fields import Field
from kasmd.h1.head import ResponseHead
from kasmd.http.server import Request
from kasmd.interfaces import Principal
from kasmd.permission.leases import LEASE, Lease, Leases
from kasmd.permission.registry import EVERYTHING
from kasmd.rights import Right

_log = Logger(namespace="kasmd.edge")

#: Services of one session whose way is remembered with a lease.
MAX_SERVICES = 16
#: Seconds after which an open socket's leave is asked for again where leases last less.
LEAST_RENEWAL = 10.0
_USER = 127
#: Persons who are remembered for a second.
_PERSONS = 256
#: The word of the failure to ask.
DOWN = "auth-service-down"
#: What the control plane's statuses say.
_REFUSALS = {401: "expired-cookie", 403: "foreign-cookie", 404: "no-such-session"}

#: Asks (address, target, fields); fails with UpstreamFailed where no answer comes.
Ask = Callable[[Upstream, bytes, list[Field]], Deferred[ResponseHead]]


class Timing(NamedTuple):
    """Seconds."""

    #: For which an answer is used again.
    lease: float = 5.0
    #: For which an open socket outlives its lease while the control plane cannot be asked.
    grace: float = 60.0


class Question(NamedTuple):
    """All that is asked for one request."""

    place: Place
    principal: Principal
    uri: bytes
    host: bytes
    cookie: Field
    #: What else the control plane is told, once it is asked.
    fields: tuple[Field, ...] = ()


class _Kept(NamedTuple):
    question: Question
    ways: dict[str, Way]


class ControlPlane:
    """Asks once for each person and session and lease, whichever the question is.

    ``_ask_for`` and ``_way`` are what the two hops do differently.
    """

    def __init__(self, ask: Ask, leases: Leases, clock: Callable[[], float],
                 timing: Timing = Timing(), below: bytes = b"/desktop/") -> None:
        self._ask = ask
        self._leases = leases
        self._clock = clock
        self._timing = timing
        self._below = below
        self._kept: WeakKeyDictionary[Lease, _Kept] = WeakKeyDictionary()
        self._asking: dict[tuple[str, str, str], list[Deferred[Way]]] = {}
        self._renewing: set[Lease] = set()
        #: Who asks, by secrets: for a page of fifty files, and not until others push them out.
        self._person = lru_cache(_PERSONS)(_person)

    def authorise(self, request: Request) -> Asked:
        """Give leave to pass, or raise or fail with a refusal."""
        question = self._question(request)
        way = self._remembered(question)
        if way is not None:
            return self._allow(way, question)
        question = question._replace(fields=_said(request))
        asked = self._asked(question).addErrback(_told, request)
        return asked.addCallback(self._allow, question)

    def _question(self, request: Request) -> Question:
        check_path(request.path)
        place = Place.of(request.path, self._below)
        if place is None:
            raise refusal("no-such-session")
        try:
            principal, cookie = self._person(tuple(request.values(b"Cookie")))
        except CookieConflict as conflict:
            paths = (b"/", self._below.rstrip(b"/") or b"/", place.prefix)
            gone = clearing(conflict.names, request.host, paths)
            raise refusal("cookie-conflict", headers=gone, detail=str(conflict)) from None
        return Question(place, principal, request.uri, request.host, cookie)

    def _remembered(self, question: Question) -> Optional[Way]:
        lease = self._leases.current(question.principal.ident, question.place.session)
        kept = self._kept.get(lease) if lease is not None else None
        way = kept.ways.get(question.place.service) if kept is not None else None
        return way if way is not None and way.target(question.uri) is not None else None

    def _asked(self, question: Question) -> Deferred[Way]:
        """Ask, or wait for the answer to the same question."""
        if not self._timing.lease:
            return self._ask_now(question)
        place = question.place
        key = question.principal.ident, place.session, place.service
        waiting = self._asking.get(key)
        answered: Deferred[Way] = Deferred()
        if waiting is not None:
            waiting.append(answered)
            return answered.addCallback(self._fits, question)
        self._asking[key] = [answered]
        self._ask_now(question).addBoth(self._spread, key)
        return answered

    def _spread(self, result: object, key: tuple[str, str, str]) -> None:
        for waiting in self._asking.pop(key):
            waiting.callback(result)  # type: ignore[arg-type]

    def _fits(self, way: Way, question: Question) -> Union[Way, Deferred[Way]]:
        return way if way.target(question.uri) is not None else self._ask_now(question)

    def _ask_now(self, question: Question) -> Deferred[Way]:
        asked = maybeDeferred(self._put, question)
        return asked.addCallback(self._answered, question)

    def _put(self, question: Question) -> Deferred[ResponseHead]:
        upstream, target = self._ask_for(question)
        asked = (b"X-Original-URI", question.uri)
        fields = [(b"Host", question.host), asked, question.cookie, *question.fields]
        return self._ask(upstream, target, fields).addErrback(_silent)

    def _ask_for(self, question: Question) -> tuple[Upstream, bytes]:
        """Give whom to ask, and for what."""
        raise NotImplementedError

    def _rights(self, reply: ResponseHead) -> Right:
        """Give what was allowed; Kasm's answers leave that to the desktop's credential."""
        return EVERYTHING

    def _way(self, question: Question, reply: ResponseHead) -> Way:
        """Give the way for what was asked, now that it is allowed."""
        raise NotImplementedError

    def _answered(self, reply: ResponseHead, question: Question) -> Way:
        if reply.status in _REFUSALS:
            raise refusal(_REFUSALS[reply.status])
        if not 200 <= reply.status < 300:
            raise refusal(DOWN, detail=f"it answered {reply.status}")
        way = self._way(question, reply)
        rights, session = self._rights(reply), question.place.session
        lease = self._leases.put(question.principal, session, rights, self._timing.lease)
        self._remember(lease, question, way)
        return way

    def _remember(self, lease: Lease, question: Question, way: Way) -> None:
        kept = self._kept.setdefault(lease, _Kept(question, {}))
        service = question.place.service
        if len(kept.ways) < MAX_SERVICES or service in kept.ways:
            kept.ways[service] = way

    def _allow(self, way: Way, question: Question) -> Allowed:
        target = way.target(question.uri)
        assert target is not None, "the way was chosen or made for this target"
        place, principal = question.place, question.principal
        grant = self._leases.admit(principal, place.session)
        return Allowed(
            grant, principal, place.session, way.upstream, target, self._fields(way, question),
            way.reach(place), self._leases.left(principal, place.session),
        )

    def _fields(self, way: Way, question: Question) -> tuple[Field, ...]:
        """Give what goes with this request."""
        return way.fields

    # Sockets outlive a lease: their leave is asked for again.

    def look(self) -> None:
        """Ask again for the leases that are over and in use; call this every second."""
        self._person.cache_clear()
        for lease in list(self._leases.over()):
            late = self._clock() - lease.ends
            kept = self._kept.get(lease)
            if kept is None:
                # A ticket's, with no question: the hop that signed it looks after it.
                continue
            if lease not in self._renewing and late >= LEAST_RENEWAL - self._timing.lease:
                self._renewing.add(lease)
                asked = self._ask_now(kept.question)
                asked.addErrback(self._not_renewed, lease).addErrback(_unexpected)
                asked.addBoth(self._renewed, lease)

    def _renewed(self, _: object, lease: Lease) -> None:
        self._renewing.discard(lease)

    def _not_renewed(self, failure: Failure, lease: Lease) -> None:
        refused = failure.value
        down = getattr(refused, "word", "") == DOWN
        if down and self._clock() - lease.ends < self._timing.grace:
            _log.warn("{name} stays in {session} for now: {reason}", name=lease.principal.name,
                      session=lease.target, reason=str(refused))
            return
        _log.info("{name} must leave {session}: {reason}", name=lease.principal.name,
                  session=lease.target, reason=str(refused))
        self._leases.end(lease)


def _person(values: tuple[bytes, ...]) -> tuple[Principal, Field]:
    """Read who asks from Cookie values, and what the control plane is told (CookieConflict)."""
    cookies = kasm_cookies(values)
    missing = [name.decode("ascii") for name in NEEDED if not cookies.get(name)]
    if missing:
        raise refusal("no-cookie", detail=" and ".join(missing))
    name = cookies[USERNAME].decode("utf-8", "replace")[:_USER]
    return Principal(name, LEASE, fingerprint(cookies)), cookie_field(cookies)


def _said(request: Request) -> tuple[Field, ...]:
    """Give what the control plane is told of a request's sender."""
    return (
        (b"User-Agent", request.value(b"User-Agent")),
        (b"X-Real-IP", request.address.encode("ascii")),
        (b"X-Request-Id", request.request_id.encode("ascii")),
    )


def _silent(failure: Failure) -> ResponseHead:
    """Whatever kept the answer away, nobody passes without one."""
    raise refusal(DOWN, detail=failure.getErrorMessage())


def _told(failure: Failure, request: Request) -> Failure:
    """Tell the log of what the page of this failure tells the client."""
    if getattr(failure.value, "word", "") == DOWN:
        _log.warn("{reason}", reason=failure.getErrorMessage(), request_id=request.request_id)
    return failure


def _unexpected(failure: Failure) -> None:
    _log.failure("a lease could not be renewed", failure)
