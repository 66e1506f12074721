"""What an X server offers: its screen and extensions, asked for once at the start."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple, Optional, Sequence

import xcffib
import xcffib.damage
import xcffib.randr
import xcffib.shm
import xcffib.xfixes
import xcffib.xkb
import xcffib.xproto
import xcffib.xtest

from kasmd.display.layout import MAX_SCREENS
from kasmd.display.x11_connect import Xcb
from kasmd.errors import DisplayLost

#: What our monitors are called.
MONITOR_NAMES = tuple(f"kasmd-{number}" for number in range(MAX_SCREENS))
#: The atoms of the clipboard: what it is, and what its content may be; the one
#: by which a window manager says that it is there (EWMH); and those of our monitors.
ATOMS = (
    "CLIPBOARD", "TARGETS", "TIMESTAMP", "INCR", "KASMD_CLIPBOARD",
    "UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "STRING",
    "text/html", "image/png", "_NET_SUPPORTING_WM_CHECK", *MONITOR_NAMES,
)
#: A made-up resolution of 96 dots per inch, as X servers without a monitor have it.
MILLIMETRES_PER_DOT = 25.4 / 96

#: XKB's name for the keyboard that clients see.
CORE_KEYBOARD = 0x100
#: XKB's names for the keyboard's own lamps.
_DEFAULT_LED = 0x0300, 0x0400
#: The bits of rfbproto's LED state.
_LAMPS = ("Scroll Lock", 1), ("Num Lock", 2), ("Caps Lock", 4)

_XKB_EVENTS = (
    xcffib.xkb.EventType.NewKeyboardNotify
    | xcffib.xkb.EventType.MapNotify
    | xcffib.xkb.EventType.IndicatorStateNotify
    | xcffib.xkb.EventType.BellNotify
)


class Server(NamedTuple):
    """An X server's screen, our objects on it, and its extensions."""

    root: int
    size: tuple[int, int]
    vendor: str
    window: int
    damage_id: int
    region_id: int
    segment_id: int
    min_keycode: int
    max_keycode: int
    atoms: dict[str, int]
    lamps: tuple[tuple[int, int], ...]
    damage: Any
    xfixes: Any
    xtest: Any
    xkb: Any
    shm: Optional[Any]
    randr: Optional[Any]
    #: RANDR's monitors at the start; None where it is older than 1.5 and knows of none.
    monitors: Optional[Sequence[Any]]


def prepare(xcb: Xcb) -> Server:
    """Ask for all that is needed; waits, so call it on a thread.

    Raises DisplayLost where a needed extension or the pixel format is missing.
    """
    setup, core = xcb.setup, xcb.core
    screen = setup.roots[0]
    _check_pixels(setup, screen)
    damage = _extension(xcb, xcffib.damage.key)
    xfixes = _extension(xcb, xcffib.xfixes.key)
    xtest = _extension(xcb, xcffib.xtest.key)
    xkb = _extension(xcb, xcffib.xkb.key)
    damage.QueryVersion(1, 1).reply()
    xfixes.QueryVersion(5, 0).reply()
    xkb.UseExtension(1, 0).reply()
    randr = _optional(xcb, xcffib.randr.key)
    monitors = None if randr is None else _monitors(randr, screen.root)
    window = xcb.generate_id()
    core.CreateWindow(
        0, window, screen.root, -1, -1, 1, 1, 0, xcffib.xproto.WindowClass.InputOnly, 0,
        xcffib.xproto.CW.OverrideRedirect | xcffib.xproto.CW.EventMask,
        [1, xcffib.xproto.EventMask.PropertyChange],
    )
    core.ChangeWindowAttributes(
        screen.root, xcffib.xproto.CW.EventMask,
        [xcffib.xproto.EventMask.StructureNotify | xcffib.xproto.EventMask.SubstructureNotify],
    )
    region_id, damage_id = xcb.generate_id(), xcb.generate_id()
    xfixes.CreateRegion(region_id, 0, [])
    damage.Create(damage_id, screen.root, xcffib.damage.ReportLevel.BoundingBox)
    xfixes.SelectCursorInput(screen.root, xcffib.xfixes.CursorNotifyMask.DisplayCursor)
    xkb.SelectEvents(CORE_KEYBOARD, _XKB_EVENTS, 0, _XKB_EVENTS, 0xFF, 0xFF, [])
    geometry = core.GetGeometry(screen.root).reply()
    return Server(
        screen.root, (geometry.width, geometry.height), setup.vendor.to_string(),
        window, damage_id, region_id, xcb.generate_id(), setup.min_keycode, setup.max_keycode,
        _intern(core, ATOMS), _find_lamps(core, xkb), damage, xfixes, xtest, xkb,
        _optional(xcb, xcffib.shm.key), randr, monitors,
    )


def _extension(xcb: Xcb, key: Any) -> Any:
    extension = _optional(xcb, key)
    if extension is None:
        raise DisplayLost(f"the X server lacks the extension {key.name}")
    return extension


def _optional(xcb: Xcb, key: Any) -> Optional[Any]:
    found = xcb.core.QueryExtension(len(key.name), key.name.encode()).reply()
    return xcb(key) if found.present else None


def _monitors(randr: Any, root: int) -> Optional[Sequence[Any]]:
    version = randr.QueryVersion(1, 5).reply()
    if (version.major_version, version.minor_version) < (1, 5):
        return None
    return list(randr.GetMonitors(root, True).reply().monitors)


def _check_pixels(setup: Any, screen: Any) -> None:
    """Refuse what is not 32 bits a pixel, blue first."""
    bits = {form.depth: form.bits_per_pixel for form in setup.pixmap_formats}
    visuals = [
        visual
        for depth in screen.allowed_depths
        for visual in depth.visuals
        if visual.visual_id == screen.root_visual
    ]
    little_endian = setup.image_byte_order == xcffib.xproto.ImageOrder.LSBFirst
    masks = visuals[0].red_mask, visuals[0].green_mask, visuals[0].blue_mask
    if (
        bits.get(screen.root_depth) != 32
        or not little_endian
        or masks != (0xFF0000, 0xFF00, 0xFF)
    ):
        raise DisplayLost("the X server's pixels are not 32-bit BGRX: start it with depth 24")


def _intern(core: Any, names: Iterable[str]) -> dict[str, int]:
    asked = {name: core.InternAtom(False, len(name), name) for name in names}
    return {name: int(cookie.reply().atom) for name, cookie in asked.items()}


def _find_lamps(core: Any, xkb: Any) -> tuple[tuple[int, int], ...]:
    """Give for each lamp the X server's bit and rfbproto's."""
    lamps = []
    atoms = _intern(core, [name for name, _ in _LAMPS])
    for name, bit in _LAMPS:
        lamp = xkb.GetNamedIndicator(CORE_KEYBOARD, *_DEFAULT_LED, atoms[name]).reply()
        if lamp.found:
            lamps.append((1 << lamp.ndx, bit))
    return tuple(lamps)
