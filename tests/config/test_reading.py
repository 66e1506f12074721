"""Any file of ours: lists in lists, keys of any name, and lines for all that is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping

import pytest

from kasmd.config.kinds import boolean, secret, text
from kasmd.config.reading import Contradictions, Reading
from kasmd.config.schema import by_name, entries, option, required, section
from kasmd.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Leaf:
    word: str = required(text)
    hidden: str = option("", secret)


@dataclass(frozen=True)
class Inner:
    loud: bool = option(False, boolean)


@dataclass(frozen=True, kw_only=True)
class Branch:
    inner: Inner = section(Inner)
    leaves: tuple[Leaf, ...] = entries(Leaf)
    flags: Mapping[str, bool] = by_name(boolean)


@dataclass(frozen=True)
class Tree:
    branches: tuple[Branch, ...] = entries(Branch)


Read = Callable[..., Any]


def nothing(tree: Tree) -> Contradictions:
    return ()


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_text(text: str, contradictions: Callable[[Tree], Contradictions] = nothing) -> Tree:
        path = tmp_path / "f"
        path.write_text(text)
        reading = Reading(str(path), {"X": "y"}, Tree)
        reading.read(10_000)
        tree: Tree = reading.result(contradictions)
        return tree

    return read_text


def said(read: Read, *args: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(*args)
    return [line.partition("/f:")[2] for line in str(caught.value).splitlines()]


def test_lists_in_lists(read: Read) -> None:
    tree = read("""
branches:
- leaves: [{word: a}, {word: "${X}", hidden: z}]
  flags: {a.b: true, "[0]": false, "": true}
- inner: {loud: true}
-
""")
    assert tree == Tree((
        Branch(leaves=(Leaf(word="a"), Leaf(word="y", hidden="z")),
               flags={"a.b": True, "[0]": False, "": True}),
        Branch(inner=Inner(True)),
        Branch(),
    ))


def test_all_that_is_wrong(read: Read) -> None:
    assert said(read, """branches:
- leaves:
  - {hidden: x}
  - {word: a, hidden: "top\\u0007secret"}
  - {word: [a, b]}
  flags: {a: yes, b: true, b: true, "c\\n": 1}
- leaves: 1
- {"leaves[0]": {word: x}}
""") == [
        "3: branches[0].leaves[0].word: must be given",
        "4: branches[0].leaves[1].hidden: must be a line of text",
        "5: branches[0].leaves[2].word: ['a', 'b'] must be a line of text",
        "6: 'branches[0].flags.c\\n': 1 must be true or false",
        "6: branches[0].flags.a: yes must be true or false, in just these letters",
        "6: branches[0].flags.b: is already in line 6",
        "7: branches[1].leaves: must be a list, each item with keys of its own",
        "8: branches[2].leaves[0]: unknown key",
    ]


def test_a_contradiction_has_the_line_of_its_key_or_of_what_it_would_stand_in(read: Read) -> None:
    def contradictions(tree: Tree) -> Contradictions:
        return [(key, "no") for key in (
            "branches[0].leaves[0].word", "branches[0].leaves[0].hidden", "branches[0].inner.loud",
            "branches[1].flags.a\n", "branches", "other",
        )]

    text = "branches:\n- leaves:\n  -\n   word: a\n-\n  flags: {}\n"
    with pytest.raises(ConfigError) as caught:
        read(text, contradictions)
    lines = [line.partition("/f:")[2] for line in str(caught.value).splitlines()]
    assert lines == [
        " other: no", "1: branches: no", "2: branches[0].inner.loud: no",
        "4: branches[0].leaves[0].hidden: no", "4: branches[0].leaves[0].word: no",
        "6: 'branches[1].flags.a\\n': no",
    ]
