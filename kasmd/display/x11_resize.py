"""Changing an X server's size and screens by RANDR.

One output shows one mode.  A mode can be made for any size, but a used name is
refused for ever: so modes have our names and are found again by them.  The
server is grabbed meanwhile, as no other client should see a screen without mode,
nor screens of another size.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

import xcffib.randr
from twisted.internet.defer import Deferred, succeed

from kasmd.display.layout import DONE, NO_RESOURCES, Layout, is_whole
from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_monitors import MAX_MONITORS, Monitors, obeyed, own
from kasmd.display.x11_server import MILLIMETRES_PER_DOT, Server

_NONE = 0
_UPRIGHT = xcffib.randr.Rotation.Rotate_0


class _Place(NamedTuple):
    """The output that shows something, its CRTC, and how that is set."""

    output: int
    crtc: int
    before: Any


async def resize_screen(connection: XConnection, server: Server, monitors: Monitors,
                        size: tuple[int, int], layout: Layout) -> int:
    """Change size and screens; gives rfbproto's status (raises XError, DisplayLost)."""
    geometry = await connection.request(connection.core.GetGeometry(server.root))
    present = (geometry.width, geometry.height)
    randr, known, old = server.randr, monitors.known, await monitors.read()
    if present == size and monitors.screens_of(old) == list(layout):
        return DONE
    if randr is None:
        return DONE if present == size and is_whole(size, layout) else NO_RESOURCES
    resources = await connection.request(randr.GetScreenResources(server.root))
    place = await _find_place(connection, randr, resources)
    mode = None
    if place is not None and present != size:
        mode = await _find_mode(connection, server, resources, size)
    if place is None or len(own(old)) > MAX_MONITORS or (mode is None and present != size):
        return NO_RESOURCES
    new = monitors.wanted(layout, size, place.output)
    if new and server.monitors is None:
        return NO_RESOURCES
    connection.core.GrabServer()
    sized = succeed(True) if mode is None else _switch(connection, server, place, mode, size)
    arranged = monitors.replace(old, new)
    connection.core.UngrabServer()
    if await obeyed([sized, arranged], all):
        # Monitors that are really there stay as they are.
        there = monitors.screens_of(await monitors.read())
        return DONE if server.monitors is None or there == list(layout) else NO_RESOURCES
    monitors.known = known
    now = await monitors.read()
    connection.core.GrabServer()
    restored = [_restore(connection, server, place, present), monitors.replace(now, old)]
    connection.core.UngrabServer()
    await obeyed(restored)
    return NO_RESOURCES


async def _find_place(connection: XConnection, randr: Any, resources: Any) -> Optional[_Place]:
    """Give the first output that shows something."""
    for output in resources.outputs:
        info = await connection.request(randr.GetOutputInfo(output, resources.config_timestamp))
        if info.crtc:
            before = await connection.request(randr.GetCrtcInfo(info.crtc, 0))
            return _Place(output, info.crtc, before)
    return None


async def _find_mode(connection: XConnection, server: Server, resources: Any,
                     size: tuple[int, int]) -> Optional[int]:
    """Give a mode of this size that is ours, else make it; None: it cannot be."""
    randr, (width, height) = server.randr, size
    assert randr is not None
    ranges = await connection.request(randr.GetScreenSizeRange(server.root))
    if not (
        ranges.min_width <= width <= ranges.max_width
        and ranges.min_height <= height <= ranges.max_height
    ):
        return None
    name = f"kasmd-{width}x{height}"
    names = bytes(resources.names.raw)
    for mode in resources.modes:
        known, names = names[: mode.name_len], names[mode.name_len :]
        if known == name.encode():
            return int(mode.id)
    info = xcffib.randr.ModeInfo.synthetic(
        0, width, height, width * height * 60, width, width, width, 0,
        height, height, height, len(name), 0,
    )
    try:
        made = await connection.request(
            randr.CreateMode(server.root, info, len(name), name)
        )
    except XError:
        return None
    return int(made.mode)


def _switch(connection: XConnection, server: Server, place: _Place, mode: int,
            size: tuple[int, int]) -> Deferred[bool]:
    """Request another size; fires with whether it was taken (DisplayLost)."""
    assert server.randr is not None
    server.randr.AddOutputMode(place.output, mode)
    return _set(connection, server, place.crtc, size, (0, 0, mode, _UPRIGHT), [place.output])


def _restore(connection: XConnection, server: Server, place: _Place,
             size: tuple[int, int]) -> Deferred[bool]:
    """Request what was shown before."""
    old = place.before
    shown = old.x, old.y, old.mode, old.rotation
    return _set(connection, server, place.crtc, size, shown, list(old.outputs))


def _set(connection: XConnection, server: Server, crtc: int, size: tuple[int, int],
         shown: tuple[int, int, int, int], outputs: Sequence[int]) -> Deferred[bool]:
    randr = server.randr
    assert randr is not None
    millimetres = [max(1, round(side * MILLIMETRES_PER_DOT)) for side in size]
    off = randr.SetCrtcConfig(crtc, 0, 0, 0, 0, _NONE, _UPRIGHT, 0, [])
    sized = randr.SetScreenSizeChecked(server.root, *size, *millimetres)
    on = randr.SetCrtcConfig(crtc, 0, 0, *shown, len(outputs), outputs)
    return obeyed(
        [connection.request(off), connection.request_check(sized), connection.request(on)],
        lambda replies: replies[-1].status == 0,
    )
