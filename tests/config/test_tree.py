"""A file's nodes: the same by either parser, and never deeper than they may be."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML
from ruamel.yaml import events as slow_kinds

from kasmd.config.tree import Items, Members, Node, Scalar, _Composer, compose
from kasmd.errors import ConfigError

SAMPLES = (
    "a: 1\nb: [x, 'y', ~]\nc:\n- {d: e}\n- - f\n  - g\n",
    "a: &here {b: c}\nd: *here\n",
    "a: !!null x\nb: !!str\nc: ''\nd: null\ne: 'null'\nf:\n",
    "a: |\n  two\n  lines\nb: >-\n  one\n  line\n",
    "# nothing\n",
    "a: yes\na: no\n0x10: 1e3\n",
    'a: "\\u0041\\t"\nb: "x\n  y"\n',
)


def shape(node: object) -> object:
    """Give a node without the lines of blank values, which stand where the parser is."""
    if isinstance(node, Scalar):
        return node if not node.blank else "blank"
    if isinstance(node, Items):
        return node.line, [shape(item) for item in node.value]
    if isinstance(node, Members):
        return node.line, [(shape(key), shape(value)) for key, value in node.value]
    return node


@pytest.mark.parametrize("text", SAMPLES)
def test_both_parsers_say_the_same(text: str) -> None:
    slowly = _Composer("f", YAML(typ="rt", pure=True).parse(text), slow_kinds).document()
    assert shape(compose("f", text)) == shape(slowly)


def test_lines_and_blanks() -> None:
    node = compose("f", "a:\n\nb: [x, null]\n")
    assert isinstance(node, Members)
    (a, nothing), (b, items) = node.value
    assert (a, b) == (Scalar(1, "a", False), Scalar(3, "b", False))
    assert isinstance(nothing, Scalar) and nothing.blank
    assert items == Items(3, [Scalar(3, "x", False), Scalar(3, "null", True)])


def test_what_libyaml_does_not_know() -> None:
    node: Node = Members(1, [(Scalar(1, "a", False), Items(1, [Scalar(1, "::1", False)]))])
    assert compose("f", "a: [::1]\n") == node


@pytest.mark.parametrize("text", ["- " * 200_000, "[" * 100_000, "{a: " * 100_000, "? " * 100_000])
def test_no_depth_ends_the_process(text: str) -> None:
    with pytest.raises(ConfigError, match="^f:1: is nested too deeply$"):
        compose("f", text)


def test_an_anchor_is_not_within_itself() -> None:
    with pytest.raises(ConfigError, match="^f:1: found undefined alias 'a'$"):
        compose("f", "&a [*a]\n")


def test_one_document() -> None:
    with pytest.raises(ConfigError, match="^f:3: but found another document$"):
        compose("f", "---\na: 1\n---\nb: 2\n")
