"""Places, and the ways from them."""

from __future__ import annotations

import pytest

from kasmd.edge.ways import Place, beginnings

DESK = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("public", "inner", "changed"),
    [
        (b"/d/1/a", b"/d/1/a", (b"", b"")),
        (b"/d/1/vnc/a?x=1", b"/vnc/a?x=1", (b"/d/1", b"")),
        (b"/d/1/vnc/", b"/", (b"/d/1/vnc", b"")),
        (b"/d/1/vnc/a", b"/other/a", (b"/d/1/vnc", b"/other")),
        (b"/d/1/vnc/ba", b"/other/ca", (b"/d/1/vnc/ba", b"/other/ca")),
        (b"/d/1", b"/x", (b"/d/1", b"/x")),
    ],
)
def test_beginnings(public: bytes, inner: bytes, changed: tuple[bytes, bytes]) -> None:
    assert beginnings(public, inner) == changed


def test_a_place_keeps_the_prefix_as_it_was_asked_for() -> None:
    place = Place.of(b"/base/desktop/" + DESK.upper().encode() + b"/vnc/a", b"/base/desktop/")
    prefix = b"/base/desktop/" + DESK.upper().encode()
    assert place == Place(DESK, "vnc", prefix, prefix + b"/vnc/")
