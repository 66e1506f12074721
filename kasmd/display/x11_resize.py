"""Changing an X server's size by RANDR.

One output shows one mode.  A mode can be made for any size, but a used name is
refused for ever: so modes have our names and are found again by them.  The
server is grabbed meanwhile, as no other client should see a screen without mode.
"""

from __future__ import annotations

from typing import Any, Optional, Sequence

import xcffib.randr
import xcffib.xproto

from kasmd.display.layout import DONE, INVALID_LAYOUT, NO_RESOURCES, is_valid
from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_server import Server
from kasmd.screen.geometry import Screen

_NONE = 0
#: A made-up resolution of 96 dots per inch, as X servers without a monitor have it.
_MILLIMETRES_PER_DOT = 25.4 / 96


async def resize_screen(
    connection: XConnection, server: Server, width: int, height: int, screens: Sequence[Screen]
) -> int:
    """Change the size; gives rfbproto's status (raises XError, DisplayLost)."""
    if not is_valid(width, height, screens):
        return INVALID_LAYOUT
    geometry = await connection.request(connection.core.GetGeometry(server.root))
    if (geometry.width, geometry.height) == (width, height):
        return DONE
    randr = server.randr
    if randr is None:
        return NO_RESOURCES
    ranges = await connection.request(randr.GetScreenSizeRange(server.root))
    if not (
        ranges.min_width <= width <= ranges.max_width
        and ranges.min_height <= height <= ranges.max_height
    ):
        return NO_RESOURCES
    resources = await connection.request(randr.GetScreenResources(server.root))
    place = await _find_output(connection, randr, resources)
    if place is None:
        return NO_RESOURCES
    output, crtc = place
    mode = await _find_mode(connection, server, resources, width, height)
    if mode is None:
        return NO_RESOURCES
    randr.AddOutputMode(output, mode)
    return await _switch(connection, server, crtc, output, mode, (width, height))


async def _find_output(
    connection: XConnection, randr: Any, resources: Any
) -> Optional[tuple[int, int]]:
    """Give the first output that shows something, and its CRTC."""
    for output in resources.outputs:
        info = await connection.request(randr.GetOutputInfo(output, resources.config_timestamp))
        if info.crtc:
            return output, info.crtc
    return None


async def _find_mode(
    connection: XConnection, server: Server, resources: Any, width: int, height: int
) -> Optional[int]:
    """Give a mode of this size that is ours, else make it."""
    name = f"kasmd-{width}x{height}"
    names = bytes(resources.names.raw)
    for mode in resources.modes:
        known, names = names[: mode.name_len], names[mode.name_len :]
        if known == name.encode():
            return int(mode.id)
    randr = server.randr
    assert randr is not None
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


async def _switch(
    connection: XConnection,
    server: Server,
    crtc: int,
    output: int,
    mode: int,
    size: tuple[int, int],
) -> int:
    randr, core = server.randr, connection.core
    assert randr is not None
    millimetres = [max(1, round(side * _MILLIMETRES_PER_DOT)) for side in size]
    rotation = xcffib.randr.Rotation.Rotate_0
    before = connection.request(randr.GetCrtcInfo(crtc, 0))
    core.GrabServer()
    off = connection.request(randr.SetCrtcConfig(crtc, 0, 0, 0, 0, _NONE, rotation, 0, []))
    sized = connection.request_check(randr.SetScreenSizeChecked(server.root, *size, *millimetres))
    on = connection.request(randr.SetCrtcConfig(crtc, 0, 0, 0, 0, mode, rotation, 1, [output]))
    core.UngrabServer()
    on.addErrback(lambda failure: failure.trap(XError) and None)
    off.addErrback(lambda failure: failure.trap(XError) and None)
    before.addErrback(lambda failure: failure.trap(XError) and None)
    old = await before
    await off
    try:
        await sized
        done = await on
        refused = done is None or done.status != 0
    except XError:
        refused = True
    if refused and old is not None:
        await connection.request(randr.SetCrtcConfig(
            crtc, 0, 0, old.x, old.y, old.mode, old.rotation, len(old.outputs), list(old.outputs)
        ))
    return NO_RESOURCES if refused else DONE
