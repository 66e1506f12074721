"""What kasmd encodes, noVNC's decoders read: each encoding on its own, in Chromium."""

from __future__ import annotations

import json
from typing import Iterator, Optional

import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.painter import Painter
from tests.live.pictures import difference, known_picture
from tests.live.programs import eventually

#: noVNC's own RFB, but for what it asks for; `met` are encodings, `parts` Tight's kinds.
RESTRICTED = """
(async () => {
    const at = (path) => import(new URL(`core/${path}`, document.baseURI));
    const { default: RFB } = await at("rfb.js");
    const { encodings } = await at("encodings.js");
    const { default: Tight } = await at("decoders/tight.js");
    const target = document.createElement("div");
    target.id = "only";
    document.body.append(target);
    window.met = new Set();
    window.parts = new Set();
    for (const name of ["_fillRect", "_jpegRect", "_copyFilter", "_monoRect", "_paletteRect"]) {
        const inner = Tight.prototype[name];
        Tight.prototype[name] = function (...rest) {
            window.parts.add(name);
            return inner.apply(this, rest);
        };
    }
    class Restricted extends RFB {
        _sendEncodings() {
            const quality = %(quality)s;
            RFB.messages.clientEncodings(this._sock, [
                encodings[%(encoding)s],
                ...(quality === null ? [] : [encodings.pseudoEncodingQualityLevel0 + quality]),
                encodings.pseudoEncodingLastRect,
                encodings.pseudoEncodingExtendedDesktopSize,
            ]);
        }
        _handleRect() {
            if (this._FBU.encoding >= 0) {
                window.met.add(this._FBU.encoding);
            }
            return super._handleRect();
        }
    }
    const address = new URL("../websockify", document.baseURI).href.replace("http", "ws");
    const socket = new WebSocket(address);
    window.rfb = new Restricted(target, socket, { shared: true });
    return encodings[%(encoding)s];
})()
"""
PALETTES = {"_fillRect", "_monoRect", "_paletteRect"}
#: The mean error that a quality may make of a gradient and a photograph.
ERRORS = {None: 0.0, 9: 1.0, 6: 2.0, 0: 8.0}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("novnc")) as daemon:
        picture = known_picture()
        with Painter(daemon.x_environment) as painter:
            painter.show(picture, daemon.folder / "picture.npy")
            yield daemon


def wait_for_picture(chromium: Chromium, error: float) -> None:
    """Wait until the picture is seen, without loss if ``error`` is 0."""
    painted = known_picture()
    seen: list[float] = []

    def there() -> bool:
        seen.append(difference(chromium.picture("#only canvas"), painted, error == 0))
        return seen[-1] <= error

    eventually(there, f"the picture is seen; {seen[-1:]}")


@pytest.mark.parametrize("name,quality,parts", [
    ("encodingRaw", None, set()),
    ("encodingHextile", None, set()),
    ("encodingZRLE", None, set()),
    ("encodingZlib", None, set()),
    ("encodingTight", None, PALETTES | {"_copyFilter"}),
    ("encodingTight", 9, PALETTES | {"_jpegRect"}),
    ("encodingTight", 6, PALETTES | {"_jpegRect"}),
    ("encodingTight", 0, PALETTES | {"_jpegRect"}),
])
def test_decodes(chromium: Chromium, daemon: Daemon, name: str, quality: Optional[int],
                 parts: set[str]) -> None:
    chromium.open(daemon.url + "novnc/LICENSE.txt", "reader")
    values = {"encoding": json.dumps(name), "quality": json.dumps(quality)}
    number = chromium.eval(RESTRICTED % values)
    wait_for_picture(chromium, ERRORS[quality])
    assert chromium.eval("[...window.met]") == [number]
    met = set(chromium.eval("[...window.parts]"))
    assert parts <= met
    assert ("_jpegRect" in met) == (quality is not None)


def test_a_photograph_as_jpeg_for_one_who_reads_nothing_else(
    chromium: Chromium, daemon: Daemon
) -> None:
    chromium.open(daemon.url + "novnc/LICENSE.txt", "reader")
    values = {"encoding": json.dumps("encodingJPEG"), "quality": 6}
    number = chromium.eval(RESTRICTED % values)
    wait_for_picture(chromium, ERRORS[6])
    assert set(chromium.eval("[...window.met]")) == {number, 0}
