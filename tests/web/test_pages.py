"""Which page shows which viewer; over the wire it is tested in test_session.py."""

from __future__ import annotations

from typing import Any

from kasmd.web.pages import Page, Pages

NAME = "0" * 32


class Viewer:
    """A viewer as far as a page looks."""

    def __init__(self, name: str, page: str) -> None:
        self.name, self.page = name, page


def viewer(name: str, page: str) -> Any:
    return Viewer(name, page)


def test_a_page_shows_its_own_viewer() -> None:
    assert Page("ann", NAME).shows(viewer("ann", NAME))
    for other in (viewer("bob", NAME), viewer("ann", "1" * 32), viewer("ann", "")):
        assert not Page("ann", NAME).shows(other)
    assert not Page("ann", "").shows(viewer("ann", ""))


def test_messages_go_the_newest_way_while_it_is_there() -> None:
    pages, told = Pages(), []

    def way(name: str) -> Any:
        return lambda message: not told.append((name, message["text"]))

    close_old = pages.opened(Page("ann", NAME), way("old"))
    close_new = pages.opened(Page("ann", NAME), way("new"))
    close_old()
    assert pages.tell(viewer("ann", NAME), {"text": "tea"})
    close_new()
    close_new()
    assert not pages.tell(viewer("ann", NAME), {"text": "late"})
    assert told == [("new", "tea")]


def test_what_is_no_page_is_told_nothing() -> None:
    pages, told = Pages(), []
    pages.opened(Page("ann", ""), told.append)()
    assert not pages.tell(viewer("ann", ""), {"text": "tea"})
    assert told == []
