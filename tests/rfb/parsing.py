"""Messages read one after the other, as a session reads them."""

from __future__ import annotations

from typing import Any, Mapping

from kasmd.rfb.dialect import Reading
from kasmd.rfb.wire import Reader, Script


def parsed(parsers: Mapping[int, Any], wire: str | bytes, reading: Reading) -> list[object]:
    """Read ``wire``, in hexadecimal or bytes, and see that no byte is left over."""

    def script() -> Script[tuple[object]]:
        while True:
            event = yield from parsers[(yield 1)[0]](reading)
            yield (event,)

    reader = Reader(script())
    reader.feed(bytes.fromhex(wire) if isinstance(wire, str) else wire)
    events = [event for (event,) in reader.events()]
    assert reader.waiting == 0
    return events
