"""The directory of sessions: a file that says what there is, whose, and where.

It is read anew after each edit, and compared with what was, off the reactor.  A broken
edit leaves all as it was and is told in the log; a good one ends what it changed, and
nothing else.
"""

from __future__ import annotations

import gc
from types import MappingProxyType
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Sequence

from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.edge.asking import Upstream
from kasmd.errors import ConfigError
from kasmd.interfaces import IGrant, IWorker
from kasmd.log.audit import Source, audited
from kasmd.permission import durable
from kasmd.permission.callbacks import Callbacks
from kasmd.permission.registry import EVERYTHING
from kasmd.permission.shares import Share
from kasmd.permission.slices import Slices
from kasmd.permission.tickets import Tickets
from kasmd.permission.watch import WatchedFile
from kasmd.rights import Right, feature_names


class Credential(NamedTuple):
    """How the desktop is told to let somebody in who has at least these rights."""

    rights: Right
    #: The value of an Authorization header; empty: nothing is said.
    authorization: bytes = b""
    #: Signs instead what each person may do.
    tickets: Optional[Tickets] = None

    def __repr__(self) -> str:
        return f"<Credential for {','.join(feature_names(self.rights))}>"


#: For a desktop that asks nobody who he is: whoever reaches it may do everything.
OPEN = Credential(EVERYTHING)


class Session(NamedTuple):
    """One desktop, or whatever else speaks HTTP."""

    ident: str
    name: str
    owner: str
    #: What others may do, by account.
    others: Mapping[str, Right]
    upstream: Upstream
    #: Comes before every path at the upstream, without a slash at its end.
    prefix: bytes = b""
    #: What a link opens, below the session's own address.
    page: str = ""
    #: The first one counts that is not for more rights than somebody has.
    credentials: tuple[Credential, ...] = (OPEN,)
    running: bool = True

    @property
    def share(self) -> Share:
        """Give who may do what, and what to enter it means."""
        return Share({**self.others, self.owner: EVERYTHING}, self.bond)

    @property
    def bond(self) -> object:
        """Give what it means to enter it: another one is another desktop."""
        return self.upstream, self.prefix, self.credentials

    def credential_for(self, grant: IGrant) -> Optional[Credential]:
        """Give what to let the grant's holder in with; None if all would be too much."""
        for credential in self.credentials:
            if credential.tickets is not None or grant.holds(credential.rights):
                return credential
        return None


class Known(NamedTuple):
    """One reading of the directory, and the lookups that it serves; it never changes."""

    sessions: Mapping[str, Session]
    shares: Mapping[str, Share]
    #: The sessions in which somebody has a share.
    of: Mapping[str, Sequence[Session]]


def known(sessions: Sequence[Session], before: Optional[Known] = None) -> Known:
    """Give ``sessions`` as what is known; of those that are as they were, the very same objects.

    By that whoever holds one sees at a glance that nothing changed.
    """
    kept: dict[str, Session] = {}
    shares: dict[str, Share] = {}
    of: dict[str, list[Session]] = {}
    for session in sessions:
        old = before.sessions.get(session.ident) if before is not None else None
        if before is not None and old is not None and old == session:
            session, shares[session.ident] = old, before.shares[session.ident]
        else:
            shares[session.ident] = session.share
        kept[session.ident] = session
        for name in shares[session.ident].rights:
            of.setdefault(name, []).append(session)
    return Known(MappingProxyType(kept), shares, of)


class Directory(WatchedFile):
    """The sessions of one file; a `kasmd.permission.shares.Shares`.

    ``read`` reads and checks all of it (ConfigError), at first when this is
    made; later on ``worker``.
    """

    _log = Logger()

    def __init__(self, reactor: Any, path: str, read: Callable[[], Sequence[Session]],
                 worker: IWorker) -> None:
        self._read = read
        self._worker = worker
        super().__init__(reactor, path)
        self._callbacks = Callbacks()
        self._reading = False
        self._again = False
        self._complaint = ""
        self._known = known(read())
        durable.warn_if_open(path)
        self.spread = Slices(reactor).run

    def find(self, ident: str) -> Optional[Session]:
        """Give a session."""
        return self._known.sessions.get(ident)

    def sessions(self) -> Mapping[str, Session]:
        """Give every session by its id, in the file's order; the mapping never changes."""
        return self._known.sessions

    def entered_by(self, name: str) -> Sequence[Session]:
        """Give the sessions in which ``name`` has a share, in the file's order."""
        return self._known.of.get(name, ())

    def share(self, target: str) -> Optional[Share]:
        """Give who may do what in the session ``target``."""
        return self._known.shares.get(target)

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""
        return self._callbacks.add(callback)

    def look(self) -> None:
        """Read the file, now or once the reading that goes on is done."""
        if self._reading:
            self._again = True
            return
        self._reading = True
        read = self._worker.do(self._reread, self._known)
        read.addCallbacks(self._take, self._refuse).addBoth(self._done)

    def _done(self, result: object) -> None:
        if isinstance(result, Failure):
            self._log.failure("the directory could not be taken over", result)
        self._reading = False
        if self._again:
            self._again = False
            self.look()

    def _reread(self, before: Known) -> Known:
        """Give what is in the file; on the worker.

        What is made on the way has no cycles, and to look for some again and again would
        hold the reactor for tens of milliseconds.
        """
        collecting = gc.isenabled()
        gc.disable()
        try:
            return known(self._read(), before)
        finally:
            if collecting:
                gc.enable()

    def _take(self, now: Known) -> None:
        self._complaint = ""
        before, self._known = self._known, now
        if now.sessions.keys() != before.sessions.keys() or any(
            session is not before.sessions[ident] for ident, session in now.sessions.items()
        ):
            self._callbacks.call()
            self.spread(_audit(before.sessions, now.sessions))

    def _refuse(self, failure: Failure) -> None:
        failure.trap(ConfigError)
        complaint = failure.getErrorMessage()
        if complaint != self._complaint:
            self._complaint = complaint
            for line in complaint.splitlines():
                self._log.warn("{line}; the sessions stay as they were", line=line)


def _audit(old: Mapping[str, Session], new: Mapping[str, Session]) -> Iterator[None]:
    """Write a line for each change, a session at a time."""
    source = Source("file")
    for ident in dict.fromkeys((*old, *new)):
        before, after = old.get(ident), new.get(ident)
        yield
        if before is after:
            continue
        if before is None and after is not None:
            audited("session", ident, "made", after=_said(after), source=source)
        elif after is None and before is not None:
            audited("session", ident, "removed", _said(before), source=source)
        elif before is not None and after is not None:
            if _said(before) != _said(after):
                audited("session", ident, "rights", _said(before), _said(after), source)
            if before.bond != after.bond:
                audited("session", ident, "upstream", source=source)


def _said(session: Session) -> str:
    others = (f"{name}={'+'.join(feature_names(r))}" for name, r in session.others.items())
    return ",".join((f"{session.owner}=owner", *others))
