"""What may be configured and also changed at run time: its least and its most, said once."""

from __future__ import annotations

from typing import NamedTuple


class Range(NamedTuple):
    """Both ends are allowed."""

    least: int
    most: int


#: Bytes.
KILOBIT = 125

LOG_LEVEL = Range(0, 100)
FRAME_RATE = Range(1, 240)
#: Of KILOBIT bytes, a second.
BANDWIDTH = Range(8, 100_000_000)
STALLED_SECONDS = Range(1, 86_400)
VIEWERS = Range(1, 10_000)
CLIPBOARD_BYTES = Range(0, 256 << 20)
UPLOAD_BYTES = Range(0, 1 << 50)
BLACKLIST_THRESHOLD = Range(0, 1_000_000)
BLACKLIST_SECONDS = Range(0, 86_400 * 365)


def line_of_text(text: str) -> str:
    """Give ``text`` back (ValueError unless it is a line that shows something)."""
    if not text.strip() or not text.isprintable():
        raise ValueError("must be a line of text")
    return text
