"""An X server's keyboard map: which key types what, with which modifiers (XKB, section 12)."""

from __future__ import annotations

import struct
from typing import Any, Iterator, NamedTuple, Optional

import xcffib.xkb

from kasmd.display.keysyms import (
    ISO_LEVEL3_SHIFT,
    SHIFT_L,
    is_modifier,
    is_plain_key,
    same_keysyms,
)
from kasmd.display.x11_server import CORE_KEYBOARD, Server

#: What a map request asks for.
_PARTS = (
    xcffib.xkb.MapPart.KeyTypes
    | xcffib.xkb.MapPart.KeySyms
    | xcffib.xkb.MapPart.ModifierMap
)
#: The canonical key type, of all keyboards, for letters.
_ALPHABETIC = 2


class KeyType(NamedTuple):
    """How modifiers choose a level: those in ``mask``, by ``levels``, else level 0."""

    mask: int
    levels: dict[int, int]


class Key(NamedTuple):
    """One key: its groups' types, and keysyms by group and level."""

    types: tuple[KeyType, ...]
    width: int
    syms: tuple[int, ...]

    def keysym(self, mods: int, group: int) -> int:
        """Give what the key types in this state (0 for nothing)."""
        if not self.types:
            return 0
        group %= len(self.types)
        kind = self.types[group]
        index = group * self.width + kind.levels.get(mods & kind.mask, 0)
        return self.syms[index] if index < len(self.syms) else 0


class Stroke(NamedTuple):
    """How to type a keysym: the key, and the modifiers to turn over meanwhile."""

    keycode: int
    toggles: int


class Keymap:
    """The whole map."""

    def __init__(self, keys: dict[int, Key], modifiers: dict[int, int]) -> None:
        self.keys = keys
        #: Keycode to the modifier bits that it holds.
        self.modifiers = modifiers
        self._by_keysym: dict[int, list[int]] = {}
        for keycode, key in keys.items():
            for keysym in set(key.syms):
                self._by_keysym.setdefault(keysym, []).append(keycode)
        self.shift = self._modifier(SHIFT_L)
        self.level3 = self._modifier(ISO_LEVEL3_SHIFT)

    def spare_keycodes(self) -> list[int]:
        """Give the keycodes that type nothing."""
        return [code for code, key in self.keys.items() if not any(key.syms)]

    def stroke(self, keysym: int, mods: int, group: int) -> Optional[Stroke]:
        """Find the key for ``keysym`` when ``mods`` are held, or None.

        As few modifiers as can be are turned over; for function keys none, where
        they have a key of their own; for modifiers never any.
        """
        names = same_keysyms(keysym)
        if is_modifier(keysym):
            return next((Stroke(code, 0) for code in self._by_keysym.get(keysym, ())), None)
        for toggles in self._toggles(keysym, mods):
            for name in names:
                for code in self._by_keysym.get(name, ()):
                    if self.keys[code].keysym(mods ^ toggles, group) == name:
                        return Stroke(code, toggles)
            if not toggles and is_plain_key(keysym):
                for code in self._by_keysym.get(keysym, ()):
                    if self.keys[code].keysym(0, 0) == keysym:
                        return Stroke(code, 0)
        return None

    def keycode_of_modifier(self, bit: int) -> Optional[int]:
        """Give the key that holds modifier ``bit`` while it is down, of the two we use."""
        for found in (self.shift, self.level3):
            if found is not None and found[1] == bit:
                return found[0]
        return None

    def _toggles(self, keysym: int, mods: int) -> Iterator[int]:
        shift = self.shift[1] if self.shift else 0
        level3 = self.level3[1] if self.level3 else 0
        yield from dict.fromkeys((0, shift, level3, shift | level3))

    def _modifier(self, keysym: int) -> Optional[tuple[int, int]]:
        for code in self._by_keysym.get(keysym, ()):
            bits = self.modifiers.get(code, 0)
            if bits and self.keys[code].syms[0] == keysym:
                return code, bits
        return None


def lend_key(server: Server, keycode: int, keysym: int) -> None:
    """Let a key type ``keysym``, whatever Shift and Caps Lock say.

    XKB's canonical type ALPHABETIC is about both, so that no client changes the
    case by itself, as it does for types without Caps Lock.
    """
    syms = struct.pack("=4B2BH2I", _ALPHABETIC, 0, 0, 0, 1, 2, 2, keysym, keysym)
    server.xkb.SetMap(
        CORE_KEYBOARD, xcffib.xkb.MapPart.KeySyms, 0, server.min_keycode, server.max_keycode,
        0, 0, keycode, 1, 2, *[0] * 16, [[syms]],
    )


def request_keymap(xkb: Any) -> Any:
    """Ask for the map; `parse_keymap` takes the reply."""
    return xkb.GetMap(CORE_KEYBOARD, _PARTS, *[0] * 17)


def parse_keymap(reply: Any) -> Keymap:
    """Read XKB's reply."""
    types = [
        KeyType(
            kind.mods_mask,
            {entry.mods_mask: entry.level for entry in kind.map if entry.active},
        )
        for kind in reply.types_rtrn
    ]
    keys = {}
    for keycode, key in enumerate(reply.syms_rtrn, reply.firstKeySym):
        groups = key.groupInfo & 0x0F
        kinds = tuple(types[index] for index in bytes(key.kt_index.raw)[:groups])
        keys[keycode] = Key(kinds, key.width, tuple(key.syms))
    return Keymap(keys, {entry.keycode: entry.mods for entry in reply.modmap_rtrn})
