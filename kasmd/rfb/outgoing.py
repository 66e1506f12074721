"""What the server says to one viewer, in that viewer's dialect."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

from kasmd.rfb import clipboard, kasm, standard, update
from kasmd.rfb.capabilities import Capabilities
from kasmd.rfb.dialect import RULES, ClipboardForm, Dialect, Reading
from kasmd.rfb.kasm import VideoEncoder
from kasmd.rfb.limits import Limits
from kasmd.rfb.numbers import FENCE_REQUEST, Encoding, FenceFlag, ServerMessage


class Outgoing:
    """Items to send: one item is one websocket message.

    Messages that only Kasm's client knows are dropped for others, whom they would
    kill.  Nothing but the handshake may be said before ServerInit (RuntimeError).
    """

    def __init__(self, limits: Limits) -> None:
        self.capabilities = Capabilities()
        self._reading = Reading(limits)
        self._items: list[bytes] = []
        self._open = False
        self._offer: Optional[clipboard.Offer] = None
        self._clipboard_ident = 1
        #: The extensions that the viewer was shown to work here.
        self._shown: set[Encoding] = set()

    def set_limits(self, limits: Limits) -> None:
        """Take and give by other ceilings, from the next message on."""
        self._reading.limits = limits

    @property
    def dialect(self) -> Dialect:
        """Who is on the other side, as far as is known."""
        return self._reading.dialect

    def data_to_send(self) -> list[bytes]:
        """Take what is to be sent."""
        items, self._items = self._items, []
        return items

    def acknowledgements(self) -> list[bytes]:
        """Take the rectangles that the next update must hold (QEMU keys, mouse buttons).

        From now on the viewer's events are read as it sends them once it knows.
        """
        owed = []
        if self.capabilities.qemu_key and self._first(Encoding.QEMU_EXTENDED_KEY_EVENT):
            owed.append(update.acknowledgement(Encoding.QEMU_EXTENDED_KEY_EVENT))
        if self.capabilities.extended_mouse and self._first(Encoding.EXTENDED_MOUSE_BUTTONS):
            self._reading.extended_mouse = True
            owed.append(update.acknowledgement(Encoding.EXTENDED_MOUSE_BUTTONS))
        return owed

    def send_bell(self) -> None:
        """Ring."""
        self._say(standard.bell())

    def send_fence(self, payload: bytes = b"", flags: int = int(FenceFlag.BLOCK_BEFORE)) -> None:
        """Ask to be answered (``Request`` is added) with ``payload``, 64 bytes at most.

        Not sent to a viewer that does not list fences.
        """
        if self.capabilities.fence:
            self._say(standard.server_fence(flags | FENCE_REQUEST, payload))

    def send_end_of_continuous_updates(self) -> None:
        """Answer to `ContinuousUpdatesSet` without ``enabled``, after the last such update."""
        self._say(standard.end_of_continuous_updates())

    def send_clipboard(self, content: Mapping[str, bytes]) -> None:
        """Offer ``content`` (text in UTF-8 with LF) instead of what was offered before.

        An empty one takes the offer back: call it when the viewer loses the right.
        Items for which `Limits` has no room are left out.
        """
        binary = RULES[self.dialect].clipboard is ClipboardForm.BINARY
        limits = self._reading.limits
        kept = within(content, limits.clipboard if binary else limits.inflated)
        if binary:
            self._say(kasm.clipboard(kept, self._clipboard_ident))
            self._clipboard_ident += max(len(kept), 1)
        elif self._offer is not None:
            self._say(self._offer.put(kept))
        elif "text/plain" in kept or not kept:
            text = kept.get("text/plain", b"").decode("utf-8", "replace")
            self._say(standard.server_cut_text(text))

    def forget_clipboard(self) -> None:
        """Say nothing, and give nothing of what was offered to one who asks for it."""
        if self._offer is not None:
            self._offer = clipboard.Offer()

    def send_disconnect_notice(self, reason: str, graceful: bool) -> None:
        """Say why the connection ends; graceful: do not come back."""
        if self.capabilities.disconnect_notice:
            self._say_kasm(kasm.server_disconnect(reason, graceful))

    def send_user_joined(self, name: str) -> None:
        """Another viewer came."""
        self._say_kasm(kasm.user_joined(name))

    def send_user_left(self, name: str) -> None:
        """Another viewer went."""
        self._say_kasm(kasm.user_left(name))

    def send_video_encoders(self, encoders: Sequence[VideoEncoder]) -> None:
        """Answer to `VideoEncodersRequested`; none at all settles the client on images."""
        self._say_kasm(kasm.video_encoders_listed(encoders))

    def send_relay_refused(self, reason: str = "No permissions") -> None:
        """Answer to `RelaySubscribed`."""
        self._say_kasm(kasm.relay_refused(reason))

    def send_stats(self, report: str) -> None:
        """Answer to `StatsRequested`: a JSON list of four numbers from 0 to 10."""
        self._say_kasm(kasm.stats(ServerMessage.STATS, report))

    def send_network_stats(self, report: str) -> None:
        """Answer to `NetworkStatsRequested`, and only ever an answer: others do not know it."""
        self._say_kasm(kasm.stats(ServerMessage.NETWORK_STATS, report))

    def send_system_stats(self, report: str) -> None:
        """Answer to `SystemStatsRequested`, as `send_network_stats`."""
        self._say_kasm(kasm.stats(ServerMessage.SYSTEM_STATS, report))

    def send_frame_stats_request(self) -> None:
        """Ask for `FrameStatsReceived`."""
        self._say_kasm(kasm.request_frame_stats())

    def send_latency(self, ident: int) -> None:
        """Answer to `LatencyProbed`, as `send_network_stats`."""
        self._say_kasm(kasm.latency_answered(ident))

    def _first(self, extension: Encoding) -> bool:
        first = extension not in self._shown
        self._shown.add(extension)
        return first

    def _say(self, item: bytes) -> None:
        if not self._open:
            raise RuntimeError("nothing can be said before ServerInit")
        self._items.append(item)

    def _say_kasm(self, item: bytes) -> None:
        if RULES[self.dialect].kasm_messages:
            self._say(item)


def within(content: Mapping[str, bytes], room: int) -> dict[str, bytes]:
    """Keep what there is room for, in order."""
    kept = {}
    for mime, data in content.items():
        if len(data) <= room:
            kept[mime] = data
            room -= len(data)
    return kept
