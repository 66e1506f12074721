"""Text of strangers in a log: one line of ASCII, whatever they sent."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.log.text import FIELD_LIMIT, neutral, quoted, word

HOSTILE = [
    # what it is, as it was sent, as it may stand in a line
    ("carriage return and line feed", "a\r\nb", "a\\x0d\\x0ab"),
    ("an escape code", "\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
    ("an eight-bit escape code", "\x9b31m", "\\x9b31m"),
    ("a title for the terminal", "\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    ("NUL, backspace and delete", "a\0b\x08c\x7f", "a\\x00b\\x08c\\x7f"),
    ("a next line", "a\x85b", "a\\x85b"),
    ("line and paragraph separators", "a\u2028b\u2029", "a\\u2028b\\u2029"),
    ("bidirectional overrides", "\u202egnp.exe\u202c", "\\u202egnp.exe\\u202c"),
    ("bidirectional isolates", "\u2066x\u2069", "\\u2066x\\u2069"),
    ("a right-to-left letter", "\u05d0", "\\u05d0"),
    ("zero width", "a\u200bb\ufeff", "a\\u200bb\\ufeff"),
    ("half of a surrogate pair", "\udc80", "\\udc80"),
    ("beyond the basic plane", "\U0001f600", "\\U0001f600"),
    ("a letter that looks like another", "\u0430dmin", "\\u0430dmin"),
    ("a tab", "a\tb", "a\\x09b"),
]


@pytest.mark.parametrize("sent, written", [row[1:] for row in HOSTILE], ids=[r[0] for r in HOSTILE])
def test_nothing_hostile_is_left(sent, written):
    assert neutral(sent) == quoted(sent) == word(sent) == written


def test_a_quoted_text_cannot_end_its_quotes():
    assert quoted('x" 200 5 \\') == "x\\x22 200 5 \\x5c"


def test_a_word_has_no_spaces_and_is_never_empty():
    assert word("bob 10.0.0.1") == "bob\\x2010.0.0.1"
    assert word("") == "-"


def test_long_text_is_cut_before_it_is_escaped():
    assert quoted("x" * 10_000) == "x" * FIELD_LIMIT + "..."
    assert len(neutral("\n" * 1_000_000)) < 20_000


@given(st.text())
def test_all_of_it_is_printable_ascii(text):
    for harmless in (neutral(text), quoted(text), word(text)):
        assert re.fullmatch("[ -~]*", harmless)
    assert " " not in word(text)
    assert '"' not in quoted(text)
