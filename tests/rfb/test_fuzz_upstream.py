"""Five thousand inputs of `tests/rfb/fuzz_upstream.py`; ``./dev fuzz`` runs a million."""

import re
import runpy
from pathlib import Path

import pytest


def test_five_thousand_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz = runpy.run_path(str(Path(__file__).with_name("fuzz_upstream.py")))["fuzz"]
    assert fuzz(5_000, seed=20) == 0
    printed = capsys.readouterr().out
    assert "5000 passed, 0 failed" in printed
    errors = re.search(r"(\d+) refusals", printed)
    assert errors and 2000 < int(errors[1]) < 4500
    for event in ("Connected", "TlsAgreed", "RectangleReceived", "UpdateReceived", "CutTextSent"):
        assert event in printed
