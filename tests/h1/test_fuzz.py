"""Ten thousand inputs of `tests/h1/fuzz.py`; ``./dev fuzz`` runs a million."""

import re
import runpy
from pathlib import Path

import pytest


def test_ten_thousand_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz = runpy.run_path(str(Path(__file__).with_name("fuzz.py")))["fuzz"]
    assert fuzz(10_000, seed=20) == 0
    printed = capsys.readouterr().out
    assert "10000 passed, 0 failed" in printed
    counts = re.search(r"message (\d+)\n(\d+) refusals", printed)
    assert counts and int(counts[1]) > 3000 and int(counts[2]) > 3000
