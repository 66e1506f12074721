"""Names of files that are brought (threats.md, group J): refused, or tried one after another."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.web.arriving import PREFIX
from kasmd.web.file_names import MAX_NAME, checked, numbered


@pytest.mark.parametrize("name, said", [
    ("..", "dot"), (".", "dot"), ("", "empty"), (".bashrc", "dot"), (PREFIX + "0", "dot"),
    ("../a", "path"), ("/etc/passwd", "path"), ("a/b", "path"), ("..\\a", "path"),
    ("C:a", "path"), ("c:\\a", "path"), ("//host/a", "path"), ("\\\\host\\a", "path"),
    ("a\0b", "seen"), ("a\nb", "seen"), ("a\x1b[31m", "seen"), ("a\x7f", "seen"),
    ("a\x85", "seen"), ("a\u2028b", "seen"), ("\ud800", "seen"),
    ("gpj.\u202etxt.exe", "seen"), ("\u2066a", "seen"), ("a\u200b", "seen"), ("\ufeffa", "seen"),
    ("a\u00adb", "seen"),
    ("a.", "end"), ("a ", "end"), (" a", "end"), ("a\u00a0", "end"), ("a\u3000", "end"),
    ("con", "device"), ("NUL.txt", "device"), ("Com1", "device"), ("lpt\u00b9.a.b", "device"),
    ("aux .c", "device"),
    ("a" * 256, "255"), ("é" * 128, "255"),
])
def test_refused(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked(name)


@pytest.mark.parametrize("name", [
    "a", "report (2).pdf", "a..b", "-rf", "12:30 notes", "con-1", "Übung – 第一.txt", "a" * 255,
    "é" * 127, "<b>&'\"", "nullable",
])
def test_allowed(name: str) -> None:
    assert checked(name) == name


def test_the_next_names() -> None:
    assert list(islice(numbered("a.b.txt"), 3)) == ["a.b.txt", "a.b (2).txt", "a.b (3).txt"]
    assert list(islice(numbered("a"), 2)) == ["a", "a (2)"]


@given(st.text(min_size=1, max_size=MAX_NAME))
def test_every_name_that_is_tried_is_another_and_fits(name: str) -> None:
    try:
        checked(name)
    except ValueError:
        return
    names = list(numbered(name))
    assert len(set(names)) == len(names) == 999
    assert all(len(each.encode()) <= MAX_NAME and "/" not in each for each in names)


@pytest.mark.parametrize("name", ["x" * 251 + ".txt", "a." + "x" * 250, "é" * 127])
def test_a_long_one_is_cut(name: str) -> None:
    first, second = list(numbered(name))[1:3]
    assert first != second and len(second.encode()) <= MAX_NAME
    assert "(2)" in first and "(3)" in second
