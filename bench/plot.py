"""Bars with their spread, as SVG: each group has a scale of its own, and says its numbers."""

from __future__ import annotations

from html import escape
from typing import Iterator, Mapping, Sequence

from bench.report import Plot, Run, Spread, of, over

#: One group of bars: what it is of, and each stack's figure.
Group = tuple[str, Mapping[str, Spread]]

_COLOURS = {
    "kasmd": "#1f6feb", "kasmvnc": "#bf8700", "tigervnc": "#8250df", "x11vnc": "#6e7781",
}  # fmt: skip
_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP = 800, 235, 210, 14, 12, 62
_LEGEND = "Red lines: from the least to the most of the runs.  Each group has a scale of its own."


def groups(runs: Sequence[Run], stacks: Sequence[str], plot: Plot) -> Iterator[Group]:
    """Give the groups that have any figure."""
    for label, workload, number in plot.bars:
        found = {stack: over(runs, of(stack, workload, number)) for stack in stacks}
        bars = {stack: figure for stack, figure in found.items() if figure}
        if bars:
            yield label, bars


def svg(title: str, shown: Sequence[Group]) -> str:
    """Draw the groups below one another."""
    pieces = [_text(10, 24, title, "font-size='16' font-weight='bold'"), _text(10, 42, _LEGEND)]
    top = _TOP
    for label, bars in shown:
        most = max(figure.most for figure in bars.values()) or 1.0
        pieces.append(_text(10, top + _BAR - 3, label))
        for stack, figure in bars.items():
            pieces.extend(_bar(stack, figure, (_WIDTH - _LEFT - _RIGHT) / most, top))
            top += _BAR
        top += _GAP
    size = f"viewBox='0 0 {_WIDTH} {top}' width='{_WIDTH}' height='{top}'"
    style = "font-family='sans-serif' font-size='11'"
    background = f"<rect width='{_WIDTH}' height='{top}' fill='white'/>"
    body = "\n".join((background, *pieces))
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size} {style}>\n{body}\n</svg>\n"


def _bar(stack: str, figure: Spread, scale: float, top: int) -> Iterator[str]:
    """Draw the median, a line from the least to the most, and both as text."""
    width, middle = figure.middle * scale, top + _BAR / 2
    colour = _COLOURS.get(stack, "#57606a")
    yield f"<rect x='{_LEFT}' y='{top}' width='{width:.1f}' height='{_BAR - 2}' fill='{colour}'/>"
    yield (
        f"<line x1='{_LEFT + figure.least * scale:.1f}' x2='{_LEFT + figure.most * scale:.1f}'"
        f" y1='{middle - 1}' y2='{middle - 1}' stroke='#d1242f' stroke-width='2'/>"
    )
    after = _LEFT + max(figure.middle, figure.most) * scale + 5
    yield _text(after, top + _BAR - 4, f"{stack} {figure}")


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}' {style}>{escape(text)}</text>"
