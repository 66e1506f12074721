"""Libraries that are not always needed, and so loaded while others work."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from os import RTLD_NOW
from pathlib import Path

_libc = ctypes.CDLL(None)
_libc.dlopen.argtypes = ctypes.c_char_p, ctypes.c_int
_libc.dlopen.restype = ctypes.c_void_p


def installed(package: str) -> bool:
    """Tell whether there is such a package."""
    return find_spec(package) is not None


def link(package: str) -> None:
    """Link what the modules of a package need that is to be imported, if it is there.

    Call it on a thread: the others go on meanwhile, where an import holds them all until
    everything is linked (13 ms for PyAV).
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for module in sorted(Path(folder).glob("*.so")):
            # ctypes' own dlopen would hold the others, too.
            _libc.dlopen(str(module).encode(), RTLD_NOW)
