"""Our pages that are open: which viewer each one shows, and who can be told something there.

A page makes up a name for itself, and gives it to its websocket and to its event
stream; nobody else learns of it, so the two belong together::

    -> GET /websockify?page=4f2a...
    -> GET /api/v1/me/events?page=4f2a...
"""

from __future__ import annotations

import re
from typing import Callable, Mapping, NamedTuple

from kasmd.errors import ProtocolError
from kasmd.http.server import Request
from kasmd.interfaces import IViewer

#: Too long to be guessed, and short enough to be kept.
_NAME = re.compile(r"[0-9a-f]{32}")


class Page(NamedTuple):
    """One that is open: whose it is and its name, which is empty for no page."""

    person: str
    name: str

    def shows(self, viewer: IViewer) -> bool:
        """Tell whether ``viewer`` is the one behind this page."""
        return bool(self.name) and self == Page(viewer.name, viewer.page)


#: Shows a message (an object for JSON); tells whether it left.
Show = Callable[[Mapping[str, object]], bool]


class Pages:
    """The pages with an event stream."""

    def __init__(self) -> None:
        self._shows: dict[Page, Show] = {}

    def opened(self, page: Page, show: Show) -> Callable[[], None]:
        """Keep how to reach ``page``, which replaces an older way; the answer ends it."""
        if not page.name:
            return lambda: None
        self._shows[page] = show

        def closed() -> None:
            if self._shows.get(page) is show:
                del self._shows[page]

        return closed

    def tell(self, viewer: IViewer, message: Mapping[str, object]) -> bool:
        """Show a message where ``viewer`` is; False where no page of ours can."""
        show = self._shows.get(Page(viewer.name, viewer.page))
        return show is not None and show(message)


def page_name(request: Request) -> str:
    """Give the name of the page that asks, empty where it gives none that is one."""
    try:
        name = request.query.text("page")
    except ProtocolError:
        return ""
    return name if _NAME.fullmatch(name) else ""
