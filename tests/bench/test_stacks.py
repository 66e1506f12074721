"""KasmVNC is measured where a program of PATH says that it is KasmVNC's, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.stacks import kasmvnc


def program(folder: Path, name: str, says: str) -> Path:
    """Write a program that says something of itself, as X servers do, to stderr."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    path.chmod(0o755)
    return path


def test_it_is_known_by_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kasmvnc() is None
    program(tmp_path, "Xvnc", "Xvnc TigerVNC 1.12.0")
    assert kasmvnc() is None
    found = program(tmp_path, "Xvnc", "Xvnc KasmVNC 1.3.3")
    assert kasmvnc() == str(found)
