"""An X server's screens: RANDR's monitors (1.5), by which its programs know of several.

The first of ours has the output, the others are places and no more.  One screen that
covers all needs none of ours: the X server has one of its own then, that follows its size.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

import xcffib.randr
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

from kasmd.display.layout import Layout, is_whole
from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_server import MILLIMETRES_PER_DOT, MONITOR_NAMES, Server
from kasmd.errors import DisplayLost
from kasmd.screen.geometry import Screen

#: More than these are not replaced.
MAX_MONITORS = 64


class Monitors:
    """Reads and replaces them; ``found`` is told those that there are, now and then.

    Somebody else's keep the number of their name as ident.
    """

    def __init__(self, connection: XConnection, server: Server,
                 found: Callable[[Sequence[Screen]], None]) -> None:
        self._connection = connection
        self._server = server
        self._found = found
        #: The idents and flags of ours, by the atom of their name; of the X server's own
        #: by None.
        self.known: dict[Optional[int], tuple[int, int]] = {}
        self._looking = self._look_again = False

    def look(self) -> None:
        """Read them and tell, soon: they may have changed."""
        self._look_again = True
        if not self._looking:
            self._looking = True
            Deferred.fromCoroutine(self._look())

    async def _look(self) -> None:
        try:
            while self._look_again:
                self._look_again = False
                self._found(self.screens_of(await self.read()))
        except DisplayLost:
            pass
        finally:
            self._looking = False

    async def read(self) -> Sequence[Any]:
        """Give the monitors as RANDR has them, none where it is too old (DisplayLost)."""
        server = self._server
        if server.randr is None or server.monitors is None:
            return ()
        try:
            reply = await self._connection.request(server.randr.GetMonitors(server.root, True))
        except XError:
            return ()
        return list(reply.monitors)

    def screens_of(self, monitors: Sequence[Any]) -> list[Screen]:
        """Give the screens that viewers are told for them, sorted by ident."""
        screens: dict[int, Screen] = {}
        for monitor in monitors:
            alone = monitor.automatic and len(monitors) == 1
            ident, flags = (
                self.known.get(None, (0, 0)) if alone
                else self.known.get(monitor.name, (monitor.name, 0))
            )
            while ident in screens:
                ident = (ident + 1) & 0xFFFFFFFF
            place = monitor.x, monitor.y, monitor.width, monitor.height
            screens[ident] = Screen(ident, *place, flags)
        return sorted(screens.values())

    def wanted(self, layout: Layout, size: tuple[int, int], output: int) -> list[Any]:
        """Give the monitors that there must be for ``layout``."""
        if is_whole(size, layout):
            self.known = {None: (layout[0].ident, layout[0].flags)}
            return []
        names = [self._server.atoms[name] for name in MONITOR_NAMES]
        self.known = {
            name: (screen.ident, screen.flags) for name, screen in zip(names, layout)
        }
        return [
            _monitor(name, screen, [output] if number == 0 else [])
            for number, (name, screen) in enumerate(zip(names, layout))
        ]

    def replace(self, old: Sequence[Any], new: Sequence[Any]) -> Deferred[bool]:
        """Have ``new`` in place of ``old``; those of the X server's own come and go alone.

        The requests are made before this returns.  Fires with whether all were obeyed,
        or fails with DisplayLost.
        """
        root, randr = self._server.root, self._server.randr
        assert randr is not None
        requests = [randr.DeleteMonitorChecked(root, each.name) for each in own(old)]
        requests += [randr.SetMonitorChecked(root, each) for each in own(new)]
        return obeyed([self._connection.request_check(request) for request in requests])


def own(monitors: Sequence[Any]) -> list[Any]:
    """Give those that somebody has set."""
    return [monitor for monitor in monitors if not monitor.automatic]


def obeyed(requests: Sequence[Deferred[Any]],
           took: Callable[[Any], bool] = lambda replies: True) -> Deferred[bool]:
    """Fire with whether none was refused and ``took`` holds of the replies (DisplayLost)."""
    done = gatherResults(requests, consumeErrors=True)
    answered: Deferred[bool] = done.addCallbacks(took, _refused)
    return answered


def _refused(failure: Failure) -> bool:
    failure.trap(FirstError)
    failure.value.subFailure.trap(XError)
    return False


def _monitor(name: int, screen: Screen, outputs: Sequence[int]) -> Any:
    width, height = (max(1, round(side * MILLIMETRES_PER_DOT)) for side in screen.rect[2:])
    return xcffib.randr.MonitorInfo.synthetic(
        name, bool(outputs), False, len(outputs), *screen.rect, width, height, list(outputs)
    )
