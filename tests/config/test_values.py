"""etc/kasmd.yaml says all that can be configured, and says it rightly."""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML

from kasmd.config.load import load
from kasmd.config.schema import options
from kasmd.config.values import Configuration

EXAMPLE = Path(__file__).parents[2] / "etc" / "kasmd.yaml"
ENVIRON = {"HOME": "/home/ann"}


def uncommented() -> str:
    return re.sub(r"^( *)#(?=\S)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)


def keys(node: object, prefix: str = "") -> set[str]:
    if not isinstance(node, dict):
        return {prefix.removesuffix(".")}
    return {key for name, value in node.items() for key in keys(value, f"{prefix}{name}.")}


def test_the_example_as_it_is() -> None:
    assert load(str(EXAMPLE), ENVIRON) == load(None, ENVIRON)


def test_the_example_holds_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "kasmd.yaml"
    path.write_text(uncommented())
    assert load(str(path), ENVIRON) == load(None, ENVIRON)


def test_the_example_holds_every_key_and_no_other() -> None:
    example = YAML(typ="safe").load(uncommented())
    assert keys(example) == {name for name, _ in options(Configuration)}
