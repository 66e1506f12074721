"""What a server says, as values: of this version and of later ones."""

from __future__ import annotations

import pytest

from kasmd.client.values import Download, User, read


def test_what_a_newer_server_says_besides_is_left_out() -> None:
    said = {"name": "notes", "folder": False, "size": 3, "modified": 1.5, "colour": "red"}
    assert read(Download, said) == Download("notes", False, 3, 1.5)


def test_what_is_not_in_the_body_may_be_given() -> None:
    said = {"name": "ann", "rights": {"view": True}, "letters": "r"}
    assert read(User, said) == User("ann", {"view": True}, "r")
    assert read(User, said, etag='"1"').etag == '"1"'


def test_what_must_be_said_is_missed() -> None:
    with pytest.raises(TypeError):
        read(Download, {"name": "notes"})
