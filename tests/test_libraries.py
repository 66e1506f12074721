"""kasmd.libraries: a package's libraries are there before it is imported."""

from __future__ import annotations

import subprocess
import sys

from kasmd.libraries import installed, link

_LINK = """
import sys
from kasmd.libraries import link
def linked():
    with open("/proc/self/maps") as maps:
        return "libavcodec" in maps.read()
before = linked()
link("av")
print(before, linked(), "av" in sys.modules)
import av
av.CodecContext.create("libx264", "w")
"""


def test_they_are_linked_and_nothing_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", _LINK], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False True False\n", "")


def test_one_that_is_not_there() -> None:
    assert installed("av") and not installed("no_such_package")
    link("no_such_package")


def test_one_that_has_no_libraries() -> None:
    link("this")
    assert "this" not in sys.modules
