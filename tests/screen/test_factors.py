"""Factors: odd, unlike, and no library of random numbers for them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from kasmd.screen.factors import odd_factors


def test_they_are_odd_and_all_their_other_bits_differ() -> None:
    factors = odd_factors("test", 1000)
    assert (factors.dtype, factors.shape) == (np.uint64, (1000,))
    assert len(set(factors.tolist())) == 1000
    bits = np.unpackbits(factors.view(np.uint8), bitorder="little").reshape(1000, 64)
    assert bits[:, 0].all() and (abs(bits[:, 1:].mean(axis=0) - 0.5) < 0.1).all()


def test_one_name_has_always_the_same() -> None:
    assert odd_factors("test", 2).tolist() == odd_factors("test", 9)[:2].tolist()
    assert odd_factors("test", 1) != odd_factors("other", 1)


def test_the_daemon_loads_no_library_of_random_numbers() -> None:
    says = "import sys, kasmd.tap; print('numpy.random' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True)
    assert done.stdout == "False\n"
