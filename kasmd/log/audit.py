"""Who changed which account, right or proof, when, from where and by which way."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Optional

from twisted.logger import Logger

from kasmd.log.asking import now_asking
from kasmd.log.text import quoted, word

AUDIT = "kasmd.audit"
_log = Logger(namespace=AUDIT)


class Source(NamedTuple):
    """Where a change came from."""

    #: ``api``, ``file`` (an editor), ``kasmvncpasswd`` or ``kasmd`` itself.
    way: str
    #: Who; a user of the machine where the way is not ``api``.
    by: str = ""
    #: The client's IP address, where there is one.
    address: str = ""


class Change(NamedTuple):
    """One change, as a record of the log."""

    #: What kind of thing changed: ``account``, ``token``, ``invitation``...
    kind: str
    name: str
    #: ``made``, ``removed``, or what of it: ``rights``, ``password``...
    what: str
    before: str
    after: str
    source: Source

    @property
    def writer(self) -> str:
        return "audit"

    def __str__(self) -> str:
        way, by, address = self.source
        values = f" {word(self.before)} -> {word(self.after)}" if self.before or self.after else ""
        return (
            f'{word(self.kind)} "{quoted(self.name)}": {quoted(self.what)}{values},'
            f' by "{quoted(by)}" from {word(address)} through {word(way)}'
        )

    @property
    def fields(self) -> Mapping[str, object]:
        """Give the same for JSON."""
        kind, name, what, before, after, source = self
        return {
            "kind": kind, "name": name, "change": what, "before": before, "after": after,
            **source._asdict(),
        }


def audited(kind: str, name: str, what: str, before: str = "", after: str = "",
            source: Optional[Source] = None) -> None:
    """Write one line for one change that was made, never with a secret in it.

    Without a ``source`` it is the request on whose behalf this runs.
    """
    _log.warn(
        "{record}",
        record=Change(kind, name, what, before, after, source or asking_source()),
    )


def asking_source() -> Source:
    """Give the request on whose behalf this runs, or else the daemon itself."""
    asking = now_asking()
    if asking is None:
        return Source("kasmd")
    principal = asking.principal
    by = "" if principal is None else principal.name
    if principal is not None and principal.ident:
        by = f"{by} ({principal.kind} {principal.ident})"
    return Source("api", by, asking.address)
