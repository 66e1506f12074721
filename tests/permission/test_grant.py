"""Grants by themselves; with a registry: tests/contracts/test_registry.py."""

from __future__ import annotations

from itertools import combinations

import pytest

from kasmd.errors import PermissionDenied
from kasmd.interfaces import Principal
from kasmd.permission.grant import Grant
from kasmd.rights import NOTHING, READ, WRITE, Right


def grant(rights: Right) -> Grant:
    return Grant(Principal("ann"), rights, lambda grant: None)


def test_every_pair_of_rights() -> None:
    for held, wanted in combinations(Right, 2):
        assert grant(held | wanted).holds(held | wanted)
        assert grant(held).holds(held)
        assert not grant(held).holds(wanted)
        assert not grant(held).holds(held | wanted)


def test_asking_for_nothing_is_refused() -> None:
    assert not grant(WRITE).holds(NOTHING)
    with pytest.raises(PermissionDenied, match="NOTHING"):
        grant(WRITE).require(NOTHING)


def test_update_tells_whether_anything_changed() -> None:
    subject = grant(READ)
    assert not subject.update(READ)
    assert subject.update(WRITE) and subject.holds(WRITE)


def test_nothing_brings_a_released_grant_back() -> None:
    subject = grant(READ)
    subject.release()
    assert not subject.update(WRITE)
    assert not subject.holds(Right.VIEW)


def test_hostile_names_do_not_reach_the_text() -> None:
    with pytest.raises(PermissionDenied) as caught:
        Grant(Principal("a\n\x1b[2J"), NOTHING, lambda grant: None).require(Right.VIEW)
    assert str(caught.value).isprintable()
