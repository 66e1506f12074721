"""What every viewer of one desktop shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Optional

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from kasmd.interfaces import IRoster, ISeat, Principal
from kasmd.rfb.limits import Limits
from kasmd.viewer.crew import Crew
from kasmd.viewer.motion import Motion
from kasmd.viewer.quality import Rules
from kasmd.viewer.resizes import Resizes
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.streams import Streams
from kasmd.viewer.totals import Totals
from kasmd.viewer.turns import Turns

Authenticate = Callable[[str, str, str], Deferred[str]]


@dataclass(slots=True)
class Surroundings:
    """What every viewer of one desktop shares.

    The numbers hold for whoever comes; `Viewer.serve_anew` has them hold for one who is here.
    """

    admit: Callable[[Principal], ISeat]
    authenticate: Authenticate
    roster: IRoster
    encodings: Encodings
    turns: Turns
    clock: IReactorTime
    limits: Limits
    #: Seconds for the handshake, and for a viewer to take what it is sent.
    handshake_time: float
    patience: float
    max_viewers: int
    streams: Streams
    #: Seconds that a frame lasts.
    frame: float = 1 / 60
    #: Gives the machine's load, as message 191 has it: JSON.
    system_stats: Optional[Callable[[], Deferred[str]]] = None
    rules: Rules = Rules()
    crew: Crew = field(default_factory=Crew)
    resizes: Resizes = field(default_factory=Resizes)
    totals: Totals = field(default_factory=Totals)
    motion: Motion = field(init=False)

    def __post_init__(self) -> None:
        self.motion = Motion(self.clock)
