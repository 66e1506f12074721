"""A plot is well-formed, and has a bar and its numbers for each stack that was measured."""

from __future__ import annotations

from xml.etree import ElementTree

from bench.plot import groups, svg
from bench.report import Plot, Run, Spread

_SVG = "{http://www.w3.org/2000/svg}"
_PLOT = Plot("a < b", [("video", "video", "cpu"), ("absent", "absent", "cpu")])


def run(ours: float, theirs: float) -> Run:
    """Make a run of one number."""
    return {"kasmd": {"video": {"cpu": ours}}, "tigervnc": {"video": {"cpu": theirs}}}


def test_only_what_was_measured_has_bars() -> None:
    found = list(groups([run(1, 4), run(2, 2), run(3, 3)], ("kasmd", "tigervnc", "x11vnc"), _PLOT))
    assert found == [("video", {"kasmd": Spread(2, 1, 3), "tigervnc": Spread(3, 2, 4)})]


def test_a_bar_is_as_long_as_its_median_says() -> None:
    bars = {"one": Spread(2, 1, 4), "two": Spread(4, 4, 4)}
    drawn = ElementTree.fromstring(svg("a < b", [("x", bars)]))
    _background, one, two = drawn.findall(f"{_SVG}rect")
    assert float(two.attrib["width"]) == 2 * float(one.attrib["width"])
    texts = [text.text for text in drawn.findall(f"{_SVG}text")]
    title, _legend, *told = texts
    assert title == "a < b"
    assert told == ["x", "one 2 (1 to 4)", "two 4 (4 to 4)"]


def test_nothing_at_all_is_no_error() -> None:
    ElementTree.fromstring(svg("", [("x", {"one": Spread(0, 0, 0)})]))
