"""Finding keys in a keyboard map."""

from __future__ import annotations

from kasmd.display.x11_keymap import Key, Keymap, KeyType, Stroke

SHIFT, LOCK, CONTROL, LEVEL3 = 1, 2, 4, 0x80
ONE = KeyType(0, {})
TWO = KeyType(SHIFT, {SHIFT: 1})
LETTER = KeyType(SHIFT | LOCK, {SHIFT: 1, LOCK: 1})
FOUR = KeyType(SHIFT | LEVEL3, {SHIFT: 1, LEVEL3: 2, SHIFT | LEVEL3: 3})
SWITCH = KeyType(CONTROL, {CONTROL: 1})

KEYMAP = Keymap(
    {
        10: Key((LETTER,), 2, (0x61, 0x41)),
        11: Key((TWO,), 2, (0x32, 0x40)),
        12: Key((FOUR,), 4, (0x65, 0x45, 0x20AC, 0xA2)),
        13: Key((SWITCH,), 2, (0xFFBE, 0x1008FE01)),
        14: Key((TWO,), 2, (0xFFE9, 0xFFE7)),
        15: Key((LETTER, LETTER), 2, (0x71, 0x51, 0x6CA, 0x6EA)),
        16: Key((TWO,), 2, (0xFF09, 0xFE20)),
        50: Key((ONE,), 1, (0xFFE1,)),
        92: Key((ONE,), 1, (0xFE03,)),
        97: Key((), 0, ()),
        98: Key((ONE,), 1, (0,)),
    },
    {50: SHIFT, 92: LEVEL3},
)


def test_as_few_modifiers_as_can_be() -> None:
    """What the state gives already needs none; Caps Lock and Shift undo each other."""
    assert KEYMAP.stroke(0x61, 0, 0) == Stroke(10, 0)
    assert KEYMAP.stroke(0x41, 0, 0) == Stroke(10, SHIFT)
    assert KEYMAP.stroke(0x41, LOCK, 0) == Stroke(10, 0)
    assert KEYMAP.stroke(0x61, LOCK, 0) == Stroke(10, SHIFT)
    assert KEYMAP.stroke(0x40, SHIFT, 0) == Stroke(11, 0)
    assert KEYMAP.stroke(0x32, SHIFT, 0) == Stroke(11, SHIFT)


def test_the_third_level() -> None:
    """With AltGr, and with Shift too."""
    assert KEYMAP.stroke(0x20AC, 0, 0) == Stroke(12, LEVEL3)
    assert KEYMAP.stroke(0xA2, 0, 0) == Stroke(12, LEVEL3 | SHIFT)
    assert KEYMAP.stroke(0xA2, SHIFT, 0) == Stroke(12, LEVEL3)
    assert KEYMAP.stroke(0x010020AC, 0, 0) == Stroke(12, LEVEL3)


def test_function_keys_keep_their_modifiers() -> None:
    """Control and F1 is the key F1, though it types something else then."""
    assert KEYMAP.stroke(0xFFBE, CONTROL, 0) == Stroke(13, 0)


def test_modifiers_turn_nothing_over() -> None:
    """Alt with Shift held is the key Alt, though it is Meta then."""
    assert KEYMAP.stroke(0xFFE9, SHIFT, 0) == Stroke(14, 0)
    assert KEYMAP.stroke(0xFFE7, 0, 0) == Stroke(14, 0)


def test_back_tab() -> None:
    """Tab stays Tab while Shift is held; ISO_Left_Tab brings its Shift."""
    assert KEYMAP.stroke(0xFF09, SHIFT, 0) == Stroke(16, 0)
    assert KEYMAP.stroke(0xFE20, 0, 0) == Stroke(16, SHIFT)


def test_groups() -> None:
    """The second layout; keys that have one layout keep it."""
    assert KEYMAP.stroke(0x6CA, 0, 1) == Stroke(15, 0)
    assert KEYMAP.stroke(0x71, 0, 1) is None
    assert KEYMAP.stroke(0x61, 0, 1) == Stroke(10, 0)


def test_spare_keys() -> None:
    """Those that type nothing."""
    assert KEYMAP.spare_keycodes() == [97, 98]
    assert KEYMAP.stroke(0x4E2D, 0, 0) is None
