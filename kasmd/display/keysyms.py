"""Keysyms: which are the same character, and which are keys without one.

Keysyms are X11's (X11 protocol, appendix A): Latin-1 as it is, older character
sets in blocks of 256 that follow ISO and KOI tables, and all of Unicode from
0x01000000 on.
"""

from __future__ import annotations

from typing import Iterator, Optional

UNICODE = 0x01000000
_LAST_UNICODE = UNICODE + 0x10FFFF
#: Keysyms have 29 bits.
MAX_KEYSYM = 0x1FFFFFFF

TAB, ISO_LEFT_TAB = 0xFF09, 0xFE20
SHIFT_L, ISO_LEVEL3_SHIFT = 0xFFE1, 0xFE03

#: The high byte of a keysym, and the code table of its low byte.
_TABLES = {
    0x01: "iso8859-2",
    0x02: "iso8859-3",
    0x03: "iso8859-4",
    0x05: "iso8859-6",
    0x0C: "iso8859-8",
    0x0D: "tis-620",
    0x13: "iso8859-15",
}
#: Where no table fits: the first keysym, and the characters from there on.
_RUNS = (
    (0x6A1, "ђѓёєѕіїјљњћќґўџ"),
    (0x6B1, "ЂЃЁЄЅІЇЈЉЊЋЌҐЎЏ"),
    (0x6C0, bytes(range(0xC0, 0x100)).decode("koi8-r")),
    (0x7A1, "ΆΈΉΊΪ"),
    (0x7A7, "ΌΎΫ"),
    (0x7AB, "Ώ"),
    (0x7B1, "άέήίϊΐόύϋΰώ"),
    (0x7C1, "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣ"),
    (0x7D4, "ΤΥΦΧΨΩ"),
    (0x7E1, "αβγδεζηθικλμνξοπρσςτυφχψω"),
    (0x20AC, "€"),
)


def _old_characters() -> Iterator[tuple[int, str]]:
    for high, table in _TABLES.items():
        for low in range(0xA1, 0x100):
            character = bytes([low]).decode(table, "ignore")
            if character:
                yield high << 8 | low, character
    for first, characters in _RUNS:
        yield from enumerate(characters, first)


_OLD_TO_CHARACTER = dict(_old_characters())
_CHARACTER_TO_OLD: dict[str, list[int]] = {}
for _keysym, _character in _OLD_TO_CHARACTER.items():
    _CHARACTER_TO_OLD.setdefault(_character, []).append(_keysym)


def character_of(keysym: int) -> Optional[str]:
    """Give the character that a keysym types, or None for a key without one."""
    if 0x20 <= keysym <= 0x7E or 0xA0 <= keysym <= 0xFF:
        return chr(keysym)
    if UNICODE + 0x20 <= keysym <= _LAST_UNICODE:
        return chr(keysym - UNICODE)
    return _OLD_TO_CHARACTER.get(keysym)


def keysym_of(character: str) -> int:
    """Give the keysym that every X client knows for ``character``."""
    code = ord(character)
    if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF:
        return code
    return UNICODE + code


def same_keysyms(keysym: int) -> tuple[int, ...]:
    """Give ``keysym`` and the others that mean the same, best first."""
    if keysym == TAB:
        return TAB, ISO_LEFT_TAB  # what the key types while Shift is held
    character = character_of(keysym)
    if character is None:
        return (keysym,)
    others = [keysym_of(character), UNICODE + ord(character)]
    others += _CHARACTER_TO_OLD.get(character, [])
    return tuple(dict.fromkeys([keysym, *others]))


def is_plain_key(keysym: int) -> bool:
    """Tell whether this is a function or modifier key, whatever is held with it.

    The keypad is not: NumLock and Shift choose between its two halves.
    """
    return 0xFE00 <= keysym <= 0xFFFF and not 0xFF80 <= keysym <= 0xFFBD


def is_modifier(keysym: int) -> bool:
    """Tell whether the key changes what other keys do."""
    return (
        0xFFE1 <= keysym <= 0xFFEE
        or 0xFE01 <= keysym <= 0xFE13
        or keysym in (0xFF7E, 0xFF7F, 0xFF14)
    )
