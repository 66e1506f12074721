"""Rights as the API has them: an object that says of each feature whether it is held."""

from __future__ import annotations

from typing import Callable, Mapping, Optional

from kasmd.rights import FEATURES, NOTHING, Right


def rights_said(rights: Right) -> Mapping[str, bool]:
    """Give every feature, and whether it is in ``rights``."""
    return held_said(lambda right: right in rights)


def held_said(holds: Callable[[Right], bool]) -> Mapping[str, bool]:
    """Give every feature, and whether ``holds`` tells so."""
    return {name: holds(right) for name, right in FEATURES.items()}


def rights_of(said: Mapping[str, Optional[bool]], before: Right = NOTHING) -> Right:
    """Give ``before`` with what was said changed, and ``ENTER``; None is false."""
    for name, held in said.items():
        before = before | FEATURES[name] if held else before & ~FEATURES[name]
    return before | Right.ENTER
