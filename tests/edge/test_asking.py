"""What an edge may hear: where a desktop is, as people and logs read it."""

from __future__ import annotations

import pytest

from kasmd.edge.asking import Allowed, Reach, Upstream
from kasmd.interfaces import Principal
from kasmd.permission.grant import Grant
from kasmd.rights import READ
from kasmd.trust import Trust


@pytest.mark.parametrize("upstream, said", [
    (Upstream("desk", 6901), "http://desk:6901"),
    (Upstream("desk", 6901, "", Trust()), "https://desk:6901"),
    (Upstream("2001:db8::7", 6901, "", Trust()), "https://[2001:db8::7]:6901"),
    (Upstream(path="/run/desk.sock"), "unix:/run/desk.sock"),
    (Upstream(path="/run/desk.sock", tls=Trust()), "unix:/run/desk.sock"),
])
def test_an_upstream_is_said_as_an_address(upstream: Upstream, said: str) -> None:
    assert str(upstream) == said


def test_upstreams_with_other_trust_are_others() -> None:
    one, other = Upstream("a", 1, "", Trust(b"1" * 32)), Upstream("a", 1, "", Trust(b"2" * 32))
    assert one != other and len({one, other, Upstream("a", 1)}) == 3


def test_leave_brings_no_field_unless_it_is_said() -> None:
    principal = Principal("ann")
    grant = Grant(principal, READ, lambda grant: None)
    allowed = Allowed(grant, principal, "1", Upstream("a", 1), b"/")
    assert allowed.fields == ()


@pytest.mark.parametrize("uri, target", [
    (b"/desktop/a/", b"/desk/"),
    (b"/desktop/a/x?y=1", b"/desk/x?y=1"),
    (b"/desktop/a", None),
    (b"/desktop/a?x", None),
    (b"/desktop/ab/", None),
    (b"/other/a/", None),
])
def test_leave_reaches_what_is_below_its_scope(uri: bytes, target: bytes) -> None:
    assert Reach(b"/desktop/a/", b"/desktop/a", b"/desk").target(uri) == target


def test_a_beginning_ends_where_a_part_of_the_path_does() -> None:
    reach = Reach(b"/desktop/a/vnc/", b"/desktop/a/vnc/one", b"/two")
    ends = (b"one/x", b"one", b"ones", b"")
    assert [reach.target(reach.scope + end) for end in ends] == [b"/two/x", b"/two", None, None]
