"""Ten thousand inputs of `tests/rfb/fuzz.py`; ``./dev fuzz`` runs a million."""

import re
import runpy
from pathlib import Path

import pytest

from kasmd.rfb.messages import Event


def test_ten_thousand_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz = runpy.run_path(str(Path(__file__).with_name("fuzz.py")))["fuzz"]
    assert fuzz(10_000, seed=20) == 0
    printed = capsys.readouterr().out
    assert "10000 passed, 0 failed" in printed
    errors = re.search(r"(\d+) refusals", printed)
    assert errors and 3000 < int(errors[1]) < 9000
    for event in Event.__subclasses__():
        assert event.__name__ in printed
