"""Xauthority files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.display.x11_authority import (
    COOKIE_NAME,
    FAMILY_WILD,
    Entry,
    find_cookie,
    format_entry,
    parse_entries,
)
from kasmd.errors import DisplayLost

ENTRY = Entry(FAMILY_WILD, b"", b"", COOKIE_NAME, bytes(range(16)))
short = st.binary(max_size=40)
entries = st.lists(st.builds(Entry, st.integers(0, 65535), short, short, short, short))


@given(entries)
def test_what_is_written_can_be_read(content: list[Entry]) -> None:
    """Any entries."""
    assert list(parse_entries(b"".join(map(format_entry, content)))) == content


@given(entries, st.binary(max_size=60), st.integers(0, 500))
def test_broken_files_end_where_they_break(content: list[Entry], junk: bytes, cut: int) -> None:
    """Nothing is raised, whatever the bytes."""
    whole = b"".join(map(format_entry, content))
    list(parse_entries(junk))
    read = list(parse_entries(whole[:cut]))
    assert read == content[: len(read)]


def test_xauth_writes_what_we_read(tmp_path: Path) -> None:
    """The reference program's file opens the display that it was written for."""
    path = tmp_path / "authority"
    path.touch()
    secret = "00112233445566778899aabbccddee3a"
    subprocess.run(
        ["xauth", "-q", "-f", path, "add", ":7", ".", secret], check=True, timeout=10
    )
    assert find_cookie(str(path), "", 7) == bytes.fromhex(secret)
    assert find_cookie(str(path), "", 8) is None
    assert find_cookie(str(path), "elsewhere.invalid", 7) is None


def test_a_wild_entry_opens_every_display(tmp_path: Path) -> None:
    """As our own file does."""
    path = tmp_path / "authority"
    path.write_bytes(format_entry(ENTRY))
    assert find_cookie(str(path), "", 3) == ENTRY.data


def test_a_file_that_was_named_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default one need not."""
    with pytest.raises(DisplayLost, match="Xauthority"):
        find_cookie(str(tmp_path / "none"), "", 0)
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "none"))
    assert find_cookie(None, "", 0) is None
