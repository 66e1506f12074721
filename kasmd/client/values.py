"""What the API gives, typed; names and units are the OpenAPI document's."""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Optional, TypeVar

T = TypeVar("T", bound=NamedTuple)
#: Features by name (`kasmd.rights.FEATURES`), and whether each is held.
Rights = Mapping[str, bool]


class User(NamedTuple):
    """An account; ``etag`` is for a change that must find it as it was."""

    name: str
    rights: Rights
    letters: str
    etag: str = ""


class Session(NamedTuple):
    """A viewer that is connected."""

    id: str
    name: str
    peer: str
    since: float
    rights: Rights
    max_bandwidth: Optional[int] = None


class Change(NamedTuple):
    """What was changed: ``kind`` and ``name`` of the thing, what of it, and by whom."""

    kind: str
    name: str
    change: str
    before: str
    after: str
    way: str
    by: str
    address: str


class Settings(NamedTuple):
    """What can be changed at run time; ``etag`` is as a `User`'s."""

    log_level: int
    desktop_name: str
    allow_resize: bool
    max_frame_rate: int
    max_bandwidth: Optional[int]
    viewers: int
    stalled_viewer_seconds: float
    clipboard_bytes: int
    blacklist_threshold: int
    blacklist_timeout: float
    etag: str = ""


class File(NamedTuple):
    """A file that was brought: what it is called there, and its bytes."""

    name: str
    size: int


class Download(NamedTuple):
    """A file, or a folder, that can be had at /Downloads/; ``modified`` is since 1970."""

    name: str
    folder: bool
    size: int
    modified: float


class Statistics(NamedTuple):
    """What holds one viewer's picture back: 10 is nothing, 0 everything."""

    id: str
    name: str
    cpu_recent: float
    cpu: float
    network_recent: float
    network: float


class Screen(NamedTuple):
    """One screen of the desktop, in pixels."""

    id: int
    x: int
    y: int
    width: int
    height: int


class Layout(NamedTuple):
    """The desktop's size in pixels, and its screens."""

    width: int
    height: int
    screens: tuple[Screen, ...]


class Invitation(NamedTuple):
    """A link that lets guests in."""

    id: str
    label: str
    maker: str
    rights: Rights
    created: float
    expires: float
    guests: int
    uses: Optional[int]
    used: int
    present: int
    link: str


class Token(NamedTuple):
    """A bearer token, without its secret."""

    id: str
    label: str
    account: str
    scope: Rights
    created: float
    expires: float
    last_used: Optional[float]


class MadeToken(NamedTuple):
    """A new token and its secret, which cannot be had again."""

    token: Token
    secret: str


class Login(NamedTuple):
    """A session of the log-in page; times are seconds ago."""

    id: str
    name: str
    started: float
    used: float


def read(kind: type[T], value: Mapping[str, Any], **more: str) -> T:
    """Give what a server said as a value; what a newer one says besides is left out."""
    make: Callable[..., T] = kind
    return make(**{name: value[name] for name in kind._fields if name in value}, **more)
