"""What holds for whom: `kasmd.rfb.dialect`, kasmvnc-protocol.md section 9.1."""

from kasmd.rfb.dialect import RULES, ClipboardForm, Dialect, PointerLayout, Reading
from kasmd.rfb.limits import Limits
from kasmd.rfb.numbers import Encoding


def test_kasms_client() -> None:
    rules = RULES[Dialect.KASM]
    assert rules.pointer is PointerLayout.KASM
    assert rules.clipboard is ClipboardForm.BINARY
    assert rules.kasm_messages and rules.last_rect
    assert rules.encodings == (Encoding.TIGHT,)


def test_the_others() -> None:
    rules = RULES[Dialect.STANDARD]
    assert rules.pointer is PointerLayout.STANDARD
    assert rules.clipboard is ClipboardForm.CUT_TEXT
    assert not rules.kasm_messages and not rules.last_rect
    assert rules.encodings[-1] == Encoding.RAW


def test_a_viewer_is_standard_until_it_shows_otherwise() -> None:
    assert Reading(Limits()).dialect is Dialect.STANDARD
