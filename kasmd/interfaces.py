"""Every contract that crosses a package border, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple, Optional, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from kasmd.rights import Right

if TYPE_CHECKING:
    # Whoever has nothing to do with pictures need not load numpy.
    from kasmd.screen.cursor import Cursor
    from kasmd.screen.framebuffer import Snapshot
    from kasmd.screen.geometry import Move, Rect, Screen
    from kasmd.screen.region import Region

#: MIME type to content; ``text/plain`` is UTF-8 with LF line ends.
ClipboardContent = Mapping[str, bytes]


class Account(NamedTuple):
    """One line of the password file."""

    name: str
    secret: str
    rights: Right


class Principal(NamedTuple):
    """Somebody whose identity is proven, and by what."""

    #: The account's name, or what a guest is called.
    name: str
    #: How it was proven: ``password``, ``login`` (a session's cookie), ``token``,
    #: ``invitation`` or ``ticket`` (another hop's word).
    kind: str = "password"
    #: Which login, token or invitation: its end is the end of the grants it gave.
    ident: str = ""
    #: What a ticket allows; of the other proofs their keepers know it.
    rights: Optional[Right] = None


class IDisplay(Interface):
    """Something with pixels that takes keys."""

    size = Attribute("(width, height) in pixels.")
    screens = Attribute("Its layout: each `Screen`, at least one, sorted by ident (tuple).")
    name = Attribute("What the desktop is called, for people (str).")

    def observe(observer: Any) -> Callable[[], None]:
        """Tell ``observer`` (an `IDisplayObserver`) of all that happens from now on.

        Before this returns the observer is told the cursor and the lock keys'
        state as they are.  The answer ends the observation; it may be called
        more than once.
        """

    def snapshot(rect: Rect) -> Snapshot:
        """Copy ``rect``, which must lie inside the display (else ValueError)."""

    def key(keysym: int, keycode: int, down: bool) -> None:
        """Press or release a key.

        ``keysym`` is X11's; ``keycode`` the XT set-1 number of the QEMU
        extension, or 0 where only the keysym is known.
        """

    def pointer(x: int, y: int, buttons: int) -> None:
        """Put the pointer at (x, y) with ``buttons`` held (bit 0 is button 1)."""

    def offer_clipboard(content: ClipboardContent) -> None:
        """Own the desktop's clipboard with ``content``; empty content clears it."""

    def screenshot() -> Deferred[Snapshot]:
        """Copy all of the picture as it is now, observed or not (DisplayLost)."""

    def copied() -> ClipboardContent:
        """Give what was copied last on the desktop; empty where that is nothing."""

    def clear_clipboard() -> None:
        """Forget what was copied, on the desktop and with everyone who was offered it."""

    def resize(width: int, height: int, screens: Sequence[Screen]) -> Deferred[int]:
        """Change size and layout; fires with 0 done, 2 no resources or 3 invalid layout.

        The numbers are rfbproto's for ExtendedDesktopSize.  No screens are one that
        covers all.  Changes are made in the order in which they are asked for.
        """


class IReachable(Interface):
    """Something that may be gone for a while."""

    trouble = Attribute("Why it cannot be reached, as the log says; empty: it can (str).")
    losses = Attribute("How often it was lost, or could not be reached (int).")

    def watch(callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after ``trouble`` has changed; the answer ends it."""


class IDisplayObserver(Interface):
    """One who is told what happens on a display."""

    def changed(region: Region, moves: Sequence[Move]) -> None:
        """Pixels changed: first ``moves`` in order, then all of ``region``."""

    def resized(width: int, height: int, screens: Sequence[Screen]) -> None:
        """The display has a new size or layout; all its pixels changed."""

    def cursor_changed(cursor: Cursor) -> None:
        """The pointer has a new shape."""

    def leds_changed(leds: int) -> None:
        """Lock keys: bit 0 scroll, bit 1 num, bit 2 caps (rfbproto, LED state)."""

    def clipboard_offered(content: ClipboardContent) -> None:
        """Somebody on the desktop copied ``content``."""

    def bell_rung() -> None:
        """The desktop's bell rang."""

    def renamed(name: str) -> None:
        """The desktop is called something else."""

    def display_lost(reason: str) -> None:
        """The display stopped answering; ``resized`` follows when it is back."""


class IGrant(Interface):
    """The live answer to what one person may do; never cached by its holder."""

    name = Attribute("The account's name (str).")

    def holds(right: Right) -> bool:
        """Tell whether all of ``right`` is held now."""

    def require(right: Right) -> None:
        """Raise `kasmd.errors.PermissionDenied` unless all of ``right`` is held."""

    def when_changed(callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called.

        Callbacks are called before the change is reported as done to whoever
        made it, in the order in which they were given.
        """

    def release() -> None:
        """The person left; the grant holds nothing from now on."""


class IPermissionRegistry(Interface):
    """Who may do what."""

    def admit(principal: Principal, target: str) -> Any:
        """Give an `IGrant` for a person whose identity is already proven.

        Raises `kasmd.errors.UnknownPrincipal` where there is no such account, or
        where the login, token or invitation has ended.
        ``target`` names what is asked for, for instance ``desktop`` or a session's id.
        Raises `kasmd.errors.PermissionDenied` where it is no business of his.
        """


class IAccounts(Interface):
    """The accounts, wherever they are kept."""

    def accounts() -> Mapping[str, Account]:
        """Give every account by its name, in the order of the file."""

    def put(account: Account) -> Deferred[None]:
        """Add or replace one account, as `edit` does."""

    def remove(name: str) -> Deferred[None]:
        """Remove one account, as `edit` does."""

    def edit(
        change: Callable[[Mapping[str, Account]], Mapping[str, Optional[Account]]]
    ) -> Deferred[None]:
        """Make several changes, all or none; fires when they are durable, and in effect.

        ``change`` is given the accounts as they are kept now, when all edits before
        it are done and while nobody else can write, and gives what becomes of
        which name: an account of that name, or None for none.

        Fails with what ``change`` raises, UnknownPrincipal, AccountsError where it
        cannot be kept, AccountsBusy where another program does not stop writing, or
        too many wait.  Then nothing has changed.
        """

    def when_changed(callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change, whoever made it."""


class ISeat(IDisplay):
    """A display as one person may use it: every call is checked, both ways."""

    grant = Attribute("The `IGrant` that is asked.")

    def leave() -> None:
        """Release all that this seat holds down, end observing, release the grant."""


class IWorker(Interface):
    """Where work is done, in the order in which it was given."""

    def do(work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Call ``work(*args)``; fires with its result or its failure."""


class IViewerTransport(Interface):
    """What carries one viewer's bytes: a websocket or a stream."""

    peer = Attribute("Where the viewer is, for people and logs (str).")
    page = Attribute("Which page of ours it serves (str), empty where that is none.")

    def send(data: bytes) -> None:
        """Send one item, as one message where the carrier has messages."""

    def register_producer(producer: Any) -> None:
        """Honour ``producer`` (an IPushProducer) for back pressure."""

    def start_tls(certificate: bool) -> None:
        """Speak TLS from here on (VeNCrypt), with our certificate or anonymously.

        Carriers that cannot raise ValueError.
        """

    def close(code: int, reason: str) -> None:
        """End in order: ``code`` is a websocket close code (RFC 6455 section 7.4)."""

    def abort() -> None:
        """End at once, dropping what is not yet sent."""


class IViewer(Interface):
    """A conversation held from a seat."""

    name = Attribute("The account's name (str), empty before it is known.")
    peer = Attribute("Where the viewer is (str).")
    page = Attribute("The page of ours that shows it (str), empty for other clients.")
    connected_at = Attribute("Seconds since the epoch (float).")
    measures = Attribute("What serving it takes (`kasmd.viewer.measures.Measures`).")
    grant = Attribute("The `IGrant` of its seat, None before it has one.")
    max_bandwidth = Attribute(
        "Bytes a second that this one may be sent (float), None: what holds for all."
    )

    def repaint() -> None:
        """Send all of the picture again, as far as it may be seen."""

    def ask_client() -> Optional[Deferred[Any]]:
        """Ask for its own figures; fires with them, if ever, after the next picture.

        None where the client cannot be asked.
        """

    def serve_anew() -> None:
        """Serve by the numbers (of time, of bytes) that hold now."""

    def limit_bandwidth(most: Optional[float]) -> None:
        """Set ``max_bandwidth``, at once."""

    def other_joined(name: str) -> None:
        """Tell that somebody else came, where the client can show it."""

    def other_left(name: str) -> None:
        """Tell that somebody else went, where the client can show it."""

    def received(data: bytes) -> None:
        """Bytes came from the person."""

    def disconnect(code: int, reason: str) -> None:
        """End the conversation, saying why where the viewer can show it."""

    def lost(reason: str) -> None:
        """The transport is gone; everything held is given back."""


class IRoster(Interface):
    """Who is here."""

    def viewers() -> Sequence[Any]:
        """Give every `IViewer`, oldest first."""

    def joined(viewer: Any) -> None:
        """A viewer finished its handshake."""

    def left(viewer: Any) -> None:
        """A viewer is gone."""

    def lost(viewer: Any) -> None:
        """A viewer's connection is closed."""

    def when_alone() -> Deferred[None]:
        """Fire when no viewer's connection is open any more."""

    def watch(callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each arrival and departure."""


#: Makes a viewer: (transport, principal or None where the wire must say who).
MakeViewer = Callable[[Any, Optional[Principal]], Any]
