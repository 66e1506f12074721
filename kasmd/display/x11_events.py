"""The events that come with every picture, read from their bytes.

xcffib makes each an object of many parts, which takes ten times as long.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Callable, Mapping, NamedTuple

import xcffib.damage

from kasmd.display.x11_connect import Xcb
from kasmd.screen.geometry import Rect

#: xcb puts all 32 bits of the sequence number behind the 32 bytes of the wire.
EVENT_BYTES = 36

_DAMAGE_NOTIFY = Struct("=16xhhHH8xI")
_CONFIGURE_NOTIFY = Struct("=8xI4xhhHHH10x")
_CONFIGURE_NUMBER = 22


class DamageNotify(NamedTuple):
    """Something was drawn in ``area``, after the request of number ``sequence`` of ours."""

    area: Rect
    sequence: int

    @classmethod
    def read(cls, data: bytes) -> DamageNotify:
        """Read an event (DAMAGE, section 7)."""
        *area, sequence = _DAMAGE_NOTIFY.unpack(data)
        return cls(Rect(*area), sequence)


class ConfigureNotify(NamedTuple):
    """A window has this place now."""

    window: int
    x: int
    y: int
    width: int
    height: int
    border_width: int

    @classmethod
    def read(cls, data: bytes) -> ConfigureNotify:
        """Read an event (the X protocol, "ConfigureNotify")."""
        return cls(*_CONFIGURE_NOTIFY.unpack(data))


def readers(xcb: Xcb) -> Mapping[int, Callable[[bytes], Any]]:
    """Give what reads the events of which number."""
    damage = xcb.first_event(xcffib.damage.key)
    return {damage: DamageNotify.read, _CONFIGURE_NUMBER: ConfigureNotify.read}
